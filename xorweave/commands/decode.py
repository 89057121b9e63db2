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
    from xorweave.golden.files.container import read_container
    from xorweave.golden.files.outputs import check_output
    from xorweave.golden.files.restore import restore_tensors
    from xorweave.golden.files.safetensors_file import write_safetensors

    check_output(out, inputs=[src], force=force)
    container = read_container(src)
    write_safetensors(out, restore_tensors(container, dequantized=dequantize), container.metadata)
