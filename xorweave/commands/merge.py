"""``xorweave merge``: the parts of a model into one container."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def merge(
    parts: Annotated[list[Path], typer.Argument(help="What encode --shard wrote, every part, in any order")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The container to write (.safetensors)")],
    force: Annotated[bool, typer.Option("--force", help="Replace an output of another kind")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Put the parts together that encode --shard wrote: byte for byte what one run writes."""
    from xorweave.commands.encode import report
    from xorweave.golden.files.outputs import check_output
    from xorweave.golden.files.sharding import merge_shards
    from xorweave.library.stored import Encoded

    check_output(out, inputs=parts, force=force)
    merged = Encoded(merge_shards(parts))
    merged.save(out, force=force)
    report(merged, title=f"{len(parts)} parts -> {out.name}", as_json=as_json)
