"""One way to make a page: a template, and the frame, stylesheet and parts that all templates share.

A page is one file that asks nobody for anything. Names in it come from files: they are escaped, and shortened.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from xorweave import __version__
from xorweave.golden.base.printable import printable

_LONGEST = 120  # characters of a name; the rest is in the JSON of the same figures
_THIN = "\u2009"


def number(value: float | None, digits: int = 3, missing: str = "–") -> str:
    """Format a number; what is not there is a dash, or what is said in its place."""
    return missing if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 2) -> str:
    """Format a fraction as percent; what is not there is a dash."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def count(value: float | None) -> str:
    """Format a whole number in groups of three digits; what is not there is a dash."""
    return "–" if value is None else f"{value:,.0f}".replace(",", _THIN)


def micro(seconds: float | None) -> str:
    """Format seconds as microseconds."""
    return "–" if seconds is None else f"{1e6 * seconds:.1f}"


def name(text: object, longest: int = _LONGEST) -> str:
    """Return a name of any length and any characters as it can be shown: a long one loses its middle."""
    shown = printable(str(text))
    half = longest // 2 - 2
    return shown if len(shown) <= longest else f"{shown[:half]} … {shown[-half:]}"


def broken(text: object) -> Markup:
    """Return a `name` that may be broken where its parts are joined."""
    return Markup(re.sub("(?<=[./,])(?=[^./,])", "<wbr>", escape(name(text))))


def script(value: object) -> Markup:
    """Return a value as JSON that can stand in a script: nothing in it ends the script."""
    return Markup(json.dumps(value).replace("<", "\\u003c"))


@cache
def _environment() -> jinja2.Environment:
    folder = resources.files("xorweave.pages")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        loader=jinja2.FunctionLoader(lambda file: folder.joinpath(file).read_text(encoding="utf-8")),
    )
    environment.filters.update(
        number=number, percent=percent, count=count, micro=micro, name=name, broken=broken, script=script
    )
    return environment


def render(template: str, **what: Any) -> str:
    """Return a page.

    Parameters
    ----------
    template : str
        File name of a template of this package.
    **what
        What it shows.
    """
    return _environment().get_template(template).render(version=__version__, **what)
