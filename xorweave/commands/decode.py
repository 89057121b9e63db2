"""``xorweave decode``: a container back into tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import read_container
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.golden.tensor.tensor_codec import decode_tensor
from xorweave.golden.values.quantize import dequantize


def decode(
    src: Annotated[Path, typer.Argument(help="A container written by encode")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The tensors to write (.safetensors)")],
    dequantize_: Annotated[
        bool, typer.Option("--dequantize", help="Turn quantised tensors into float32 with their scales")
    ] = False,
) -> None:
    """Decode a container: bit for bit the weights that were encoded, pruned ones zero."""
    if out.suffix.lower() != ".safetensors":
        raise InputError(f"the output must be named .safetensors, not {out.name!r}")
    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent} to write into")
    container = read_container(src)
    tensors = dict(container.plain)
    scales, metadata = (_texts(container.info.get(key, "{}")) for key in ("scales", "metadata"))
    for name, encoded in container.encoded.items():
        values = decode_tensor(encoded)
        scale_name = scales.get(name, f"{name}.scale")
        scale = container.plain.get(scale_name)
        quantised = encoded.number_format.name in ("int8", "int4")
        if dequantize_ and scale is not None and quantised:
            if scale.dtype != "F32" or scale.values.size not in (1, values.shape[0]):
                raise InputError(
                    f"{scale_name} must hold one float32, or one for each of {values.shape[0]} rows"
                )
            tensors[name] = Tensor(dequantize(values, scale.values), "F32")
            del tensors[scale_name]
        else:
            tensors[name] = Tensor(values, encoded.number_format.safetensors)
    write_safetensors(out, tensors, metadata)


def _texts(text: str) -> dict[str, str]:
    """Read what encode noted down by name; a file's notes that are none are left."""
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in read.items()} if isinstance(read, dict) else {}
