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
    from xorweave.commands.encode import report
    from xorweave.golden.files.container import read_container

    report(read_container(src), src, as_json=as_json, title=src.name)
