"""``xorweave inspect``: the figures of a container."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    src: Annotated[Path, typer.Argument(help="A container written by encode")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Print what a container holds."""
    import xorweave
    from xorweave.commands.encode import report

    report(xorweave.open(src), as_json=as_json, title=src.name)
