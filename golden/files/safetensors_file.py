"""Safetensors files as NumPy arrays, with their text metadata; what NumPy has no type for is held in raw bits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.whole_file import whole_file

# What NumPy has no type for is held in the bytes as they are: BF16 in uint16, the 8-bit floats in uint8, and F4 in
# uint8, two numbers in a byte, so that its last side is half as long as the file says.
_NUMPY = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "uint16", "I64": "int64", "U64": "uint64",
    "I32": "int32", "U32": "uint32", "I16": "int16", "U16": "uint16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
    "C64": "complex64", "F8_E4M3": "uint8", "F8_E5M2": "uint8", "F8_E8M0": "uint8", "F8_E4M3FNUZ": "uint8",
    "F8_E5M2FNUZ": "uint8", "F4": "uint8",
}  # fmt: skip
_HELD_RAW = ("BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4")
_OF_NUMPY = {numpy: name for name, numpy in _NUMPY.items() if name not in _HELD_RAW}


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array and the safetensors dtype it stands for (``BF16`` is held in uint16, 8-bit floats in uint8)."""

    values: NDArray
    dtype: str

    @classmethod
    def of(cls, values: NDArray) -> Tensor:
        """Wrap an array whose dtype safetensors knows under its own name.

        Raises
        ------
        InputError
            Safetensors has no such dtype (wide complex numbers, objects, text, dates).
        """
        name = _OF_NUMPY.get(values.dtype.newbyteorder("=").name)
        if name is None:
            raise InputError(f"tensors must hold integers, floats or booleans, not {values.dtype}")
        return cls(values, name)

    @property
    def stored_shape(self) -> list[int]:
        """The shape as the file says it: of F4, two numbers in a byte."""
        shape = list(self.values.shape)
        return [*shape[:-1], 2 * shape[-1]] if self.dtype == "F4" else shape


def tensor_from_bytes(where: str, dtype: str, shape: tuple[int, ...], data: NDArray[np.uint8]) -> Tensor:
    """Read a tensor from the bytes of a safetensors file.

    Raises
    ------
    InputError
        NumPy cannot hold its dtype or shape; the line begins with `where`.
    """
    if dtype not in _NUMPY:
        raise InputError(f"{where} has dtype {dtype}, which is not supported")
    try:
        return Tensor(_view(data, 0, data.size, dtype, list(shape)), dtype)
    except ValueError:
        raise InputError(f"{where} must have a shape that an array can have, not {shape!s:.60}") from None


def entries_of(header: bytes) -> dict[str, dict[str, Any]]:
    """Read the JSON of a header.

    Raises
    ------
    ValueError
        A name is there twice, of which other readers take either; or it is no JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise ValueError(f"{name!r:.80} stands twice in its header")
            found[name] = value
        return found

    return json.loads(header, object_pairs_hook=unique)


def _view(data: NDArray[np.uint8], start: int, size: int, kind: str, shape: list[int]) -> NDArray:
    """View `size` bytes at `start` as an array; copied only where they do not lie as the type wants them."""
    if kind == "F4":
        shape = [*shape[:-1], shape[-1] // 2]
    dtype = np.dtype(_NUMPY[kind]).newbyteorder("<")
    array = data[start : start + size].view(dtype).reshape(shape)
    return array if array.flags.aligned else array.copy()


def for_loaders(metadata: dict[str, str]) -> dict[str, str]:
    """Return metadata as loaders want it: those of Hugging Face refuse a file that does not say its ``format``."""
    return metadata if "format" in metadata else {**metadata, "format": "pt"}


def check_file(path: Path) -> None:
    """Refuse what is no ordinary file before it is opened: a pipe would wait for ever, a device never end.

    Raises
    ------
    InputError
        Nothing is there, or it is a folder, a pipe or a device.
    """
    try:
        there, whole, folder = path.exists(), path.is_file(), path.is_dir()
    except (OSError, ValueError) as error:  # a name too long, or with a zero in it
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not there:
        raise InputError(f"there is no file {path}")
    if not whole:
        raise InputError(f"{path} must be a file, not a {'folder' if folder else 'pipe or device'}")


def write_safetensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> int:
    """Write a safetensors file in one step: it appears whole under its name or not at all.

    The same tensors and metadata give the same bytes: the library's own writer puts metadata in another order each
    time. Tensors lie in their order, those of wide elements before others, so that every one is aligned.

    Returns
    -------
    int
        Bytes of the header, its length among them.

    Raises
    ------
    InputError
        The file cannot be written there, or a tensor has the name that the format keeps for its metadata.
    """
    if "__metadata__" in tensors:
        raise InputError("a tensor may not be named '__metadata__' in a safetensors file")
    ordered = sorted(tensors.items(), key=lambda item: -item[1].values.dtype.itemsize)
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, tensor in ordered:
        end = at + tensor.values.nbytes
        header[name] = {"dtype": tensor.dtype, "shape": tensor.stored_shape, "data_offsets": [at, end]}
        at = end
    try:
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        text += b" " * (-len(text) % 8)
        with whole_file(path) as partial, partial.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for _, tensor in ordered:
                values = np.ascontiguousarray(tensor.values)
                little = values.astype(values.dtype.newbyteorder("<"), copy=False)
                file.write(little.reshape(-1).view(np.uint8).data)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{path} cannot be written: {str(error).splitlines()[0]}") from None
    return 8 + len(text)
