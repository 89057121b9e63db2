"""``xorweave verify``: every checksum of a container, and everything in it decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xorweave.commands.console import say


def verify(
    src: Annotated[Path, typer.Argument(help="A container written by encode")],
    jobs: Annotated[
        int | None, typer.Option(help="Tensors decoded at once; default: as many as there are cores")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Check every checksum of a container, and decode everything in it."""
    from dataclasses import asdict

    import xorweave
    from xorweave.commands.console import meter, print_json
    from xorweave.library.workers import cores

    with meter() as show, show.task(src.name) as advance:
        found = xorweave.verify(src, jobs=cores() if jobs is None else jobs, progress=advance)
    if as_json:
        print_json(asdict(found))
        return
    say(
        f"{src.name}: {found.tensors} encoded tensor{'s' if found.tensors != 1 else ''}, {found.weights:,} weights, "
        f"{found.carried} carried: every checksum is right"
    )
