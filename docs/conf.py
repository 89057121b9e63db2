"""How the documentation site is built: `make docs`. Warnings are errors there."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from xorweave import __version__  # noqa: E402

project = "xorweave"
author = copyright = "The xorweave authors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "command_help"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"xorweave {__version__}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # shapes and types are in the docstrings
autodoc_default_options = {"members": True, "show-inheritance": False}
suppress_warnings = ["ref.python"]  # two classes have a `shape`; a word of prose need not say which
default_role = "code"  # single backticks in docstrings
