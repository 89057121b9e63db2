"""``xorweave decode``: a container back into tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def decode(
    src: Annotated[Path, typer.Argument(help="A container written by encode")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The tensors to write (.safetensors)")],
    dequantize: Annotated[
        bool, typer.Option("--dequantize", help="Turn quantised tensors into float32 with their scales")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind")] = False,
) -> None:
    """Decode a container: bit for bit the weights that were encoded, pruned ones zero."""
    import xorweave
    from xorweave.golden.files.outputs import check_output

    check_output(out, inputs=[src], force=force)
    xorweave.open(src).write_decoded(out, dequantized=dequantize)
