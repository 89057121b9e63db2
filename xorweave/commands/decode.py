"""``xorweave decode``: a container back into tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def decode(
    src: Annotated[Path, typer.Argument(help="A container written by encode, or its folder")],
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", help="The tensors to write (.safetensors); of a folder: a folder of files"
        ),
    ],
    dequantize: Annotated[
        bool, typer.Option("--dequantize", help="Turn quantised tensors into float32 with their scales")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(help="Tensors decoded at once; default: as many as there are cores")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind")] = False,
) -> None:
    """Decode a container: bit for bit the weights that were encoded, pruned ones zero."""
    import xorweave
    from xorweave.commands.console import meter
    from xorweave.golden.files.outputs import check_output, check_output_folder
    from xorweave.library.workers import cores

    opened = xorweave.open(src)
    if opened.is_sharded:
        check_output_folder(out, inputs=[src])
    else:
        check_output(out, inputs=[src], force=force)
    with meter() as show, show.task(src.name) as advance:
        opened.write_decoded(
            out, dequantized=dequantize, jobs=cores() if jobs is None else jobs, progress=advance
        )
