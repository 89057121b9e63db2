"""``xorweave verify``: every checksum of a container, and everything in it decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    src: Annotated[Path, typer.Argument(help="A container written by encode")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Check every checksum of a container, and decode everything in it."""
    from dataclasses import asdict

    import xorweave
    from xorweave.commands.console import meter, print_json

    with meter() as show, show.task(src.name) as advance:
        found = xorweave.verify(src, progress=advance)
    if as_json:
        print_json(asdict(found))
        return
    print(
        f"{src.name}: {found.tensors} encoded tensors, {found.weights:,} weights, "
        f"{found.carried} carried: every checksum is right"
    )
