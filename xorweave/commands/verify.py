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
    from xorweave.commands.console import meter, print_json
    from xorweave.golden.base.errors import InputError
    from xorweave.golden.files.container import read_container

    container = read_container(src)
    weights = 0
    with meter() as show, show.task(src.name) as advance:
        for count, name in enumerate(container.encoded, 1):
            container.verify(name)
            weights += container.encoded[name].n
            advance(count / len(container.encoded))
        for name in container.plain:
            container.plain[name]
    unchecked = [name for name in container.encoded if container.encoded[name].checksum is None]
    if unchecked:
        raise InputError(
            f"{src} was decoded, but has version 1, which stores no checksums: encode again to have them"
        )
    if as_json:
        print_json({"tensors": len(container.encoded), "weights": weights, "carried": len(container.plain)})
        return
    print(
        f"{src.name}: {len(container.encoded)} encoded tensors, {weights:,} weights, "
        f"{len(container.plain)} carried: every checksum is right"
    )
