"""A directive that shows what a command prints as its help, so that the page and the program cannot differ."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive


class CommandHelp(Directive):
    """``command-help NAME``: the output of ``xorweave NAME --help``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        command = [sys.executable, "-m", "xorweave.cli", self.arguments[0], "--help"]
        environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(sys.path)}
        shown = subprocess.run(command, capture_output=True, text=True, env=environment)
        if shown.returncode:
            raise self.error(f"{' '.join(command)} failed: {shown.stderr.strip()}")
        return [nodes.literal_block(shown.stdout, shown.stdout, language="text")]


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
