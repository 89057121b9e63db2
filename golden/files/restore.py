"""The tensors of a container as they were encoded, or as floats again."""

from __future__ import annotations

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import Container
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.values.quantize import dequantize


def restore_tensors(container: Container, *, dequantized: bool = False) -> dict[str, Tensor]:
    """Decode every tensor, checksums checked, and put the carried ones beside them.

    Parameters
    ----------
    dequantized : bool
        Quantised tensors become float32 with their scales, which then are left out.

    Raises
    ------
    InputError
        What is stored is damaged, or a scale does not fit its tensor.
    """
    tensors = dict(container.plain)
    for name, encoded in container.encoded.items():
        values = container.decode(name)
        scale_name = container.scales.get(name)
        scale = container.plain.get(scale_name) if scale_name is not None else None
        if not dequantized or scale is None or encoded.number_format.name not in ("int8", "int4"):
            tensors[name] = Tensor(values, encoded.number_format.safetensors)
            continue
        if scale.dtype != "F32" or scale.values.size not in (1, *values.shape[:1]):
            raise InputError(
                f"{scale_name} must hold one float32, or one for each of {len(values) if values.shape else 1} rows"
            )
        tensors[name] = Tensor(dequantize(values, scale.values), "F32")
        del tensors[str(scale_name)]
    return tensors
