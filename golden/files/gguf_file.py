"""GGUF, the model files of llama.cpp, dequantised (needs the extra `gguf`).

The directory is read here, every count held against the bytes that are there: the package's own reader makes an object
of every element of an array and runs on behind the end of a file. The package gives the number types and dequantises.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice
from xorweave.golden.files.safetensors_file import Tensor, check_file

# GGUF's types of metadata: the number that stands for each, and how a scalar lies there
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# number types that need no dequantising -> safetensors dtype and NumPy type
_KINDS = {
    "F32": ("F32", "<f4"), "F16": ("F16", "<f2"), "F64": ("F64", "<f8"), "BF16": ("BF16", "<u2"),
    "I8": ("I8", "i1"), "I16": ("I16", "<i2"), "I32": ("I32", "<i4"), "I64": ("I64", "<i8"),
}  # fmt: skip
_VERSIONS = (2, 3)
_MOST_SIDES = 8
_DEEPEST = 4  # arrays within arrays
# A safetensors header holds 100 MB at most, and metadata lies there.
_MOST_METADATA = 1 << 25
_BLOCKS_TOGETHER = 1 << 14


@dataclass
class _Cursor:
    """Takes values off the front of a file, and nothing from behind its end; texts behind `limit` are passed over."""

    data: NDArray[np.uint8]
    position: int = 0
    limit: int = 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= self.data.size - self.position:
            raise ValueError("it claims more than its bytes hold")
        found = self.data[self.position : self.position + size].tobytes()
        self.position += size
        return found

    def number(self, kind: str) -> Any:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]

    def text(self) -> str:
        return self.take(self.number("Q")).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Any:
        """Return a value of the metadata: a scalar, a text, or an array as NumPy's or as a list."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY or depth == _DEEPEST:
            raise ValueError(f"its metadata has the type {kind}, which is not known")
        inner, count = self.number("I"), self.number("Q")
        if inner in _SCALARS:
            dtype = np.dtype(f"<{_SCALARS[inner]}")
            return np.frombuffer(self.take(count * dtype.itemsize), dtype)
        found = []
        for _ in range(count):  # each takes 8 bytes at least, or the file ends
            value = self.value(inner, depth + 1)
            if self.position <= self.limit:
                found.append(value)
        return found


def read_gguf(path: Path) -> tuple[dict[str, Tensor], dict[str, str], dict[str, str]]:
    """Read the tensors and the metadata of a GGUF file of version 2 or 3.

    Returns
    -------
    (dict of str to Tensor, dict of str to str, dict of str to str)
        Tensors in the file's order, the last of GGUF's sides first; quantised ones become F32. Metadata: texts as they
        are, all else as JSON. And what is left out (number types that the package does not dequantise, metadata
        beyond 32 MiB), with the reason.

    Raises
    ------
    InputError
        The package `gguf` is missing, or the file is damaged, is no such file or claims more than it holds.
    """
    package = _package()
    check_file(path)
    try:
        data = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.zeros(0, np.uint8)
        cursor = _Cursor(data)
        if cursor.take(4) != b"GGUF":
            raise ValueError("it does not begin like one")
        version = cursor.number("I")
        if version not in _VERSIONS:
            order = ", or its bytes are in the order of other machines" if not version & 0xFFFF else ""
            raise ValueError(f"its version must be {_VERSIONS[0]} or {_VERSIONS[1]}, not {version}{order}")
        tensor_count, entries = cursor.number("Q"), cursor.number("Q")
        values, left_out = _metadata(cursor, entries)
        return *_tensors(cursor, tensor_count, values, left_out, package), left_out
    except (ValueError, OverflowError, struct.error, OSError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path} must be a GGUF file: {reason}") from None


def _package() -> Any:
    try:
        import gguf
    except ImportError:
        raise InputError(f"reading GGUF needs the package gguf: {install_advice('gguf')}") from None
    return gguf


def _metadata(cursor: _Cursor, entries: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the metadata; what is more than a safetensors file could carry is left out."""
    values: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    cursor.limit = cursor.position + _MOST_METADATA
    for _ in range(entries):
        key = cursor.text()
        value = cursor.value(cursor.number("I"))
        if key in values or key in left_out:
            raise ValueError(f"it holds the metadata {key!r:.60} twice")
        if cursor.position > cursor.limit:
            left_out[key] = f"metadata beyond {_MOST_METADATA >> 20} MiB"
        else:
            values[key] = value
    return values, left_out


def _tensors(
    cursor: _Cursor, count: int, values: dict[str, Any], left_out: dict[str, str], package: Any
) -> tuple[dict[str, Tensor], dict[str, str]]:
    places: dict[str, tuple[tuple[int, ...], int, int]] = {}
    for _ in range(count):
        name, rank = cursor.text(), cursor.number("I")
        if name in places:
            raise ValueError(f"it holds the tensor {name!r:.60} twice")
        if rank > _MOST_SIDES:
            raise ValueError(f"the tensor {name!r:.60} has {rank} sides")
        sides = tuple(cursor.number("Q") for _ in range(rank))[::-1]
        places[name] = (sides, cursor.number("I"), cursor.number("Q"))
    alignment = values.get("general.alignment", 32)
    if type(alignment) is not int or not 1 <= alignment <= 1 << 20:
        raise ValueError(f"its alignment must be a number of bytes, not {alignment!r:.40}")
    start = -(-cursor.position // alignment) * alignment
    tensors: dict[str, Tensor] = {}
    room = cursor.data.size
    for name, (sides, kind, offset) in places.items():
        length, number_type = _length(name, sides, kind, package)
        room -= length
        if length > cursor.data.size - start - offset or room < 0:
            raise ValueError(f"the tensor {name!r:.60} claims shape {sides}, more than its bytes hold")
        held = cursor.data[start + offset : start + offset + length]
        found = _tensor(held, sides, number_type, package)
        if isinstance(found, str):
            left_out[name] = found
        else:
            tensors[name] = found
    if not tensors and left_out:
        raise ValueError(f"it must hold a tensor that can be read: {next(iter(left_out.values()))}")
    return tensors, {key: _as_text(value) for key, value in values.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=lambda array: array.tolist())


def _length(name: str, sides: tuple[int, ...], kind: int, package: Any) -> tuple[int, Any]:
    """Return the bytes of a tensor, and its number type; (0, reason) where that is not known."""
    try:
        number_type = package.GGMLQuantizationType(kind)
        weights, size = package.GGML_QUANT_SIZES[number_type]
    except (ValueError, KeyError):
        return 0, f"its number type {kind} is not known"
    if sides and sides[-1] % weights:
        raise ValueError(f"the rows of the tensor {name!r:.60} must be whole blocks of {weights} weights")
    return math.prod(sides) // weights * size, number_type


def _tensor(held: NDArray[np.uint8], sides: tuple[int, ...], number_type: Any, package: Any) -> Tensor | str:
    """Return a tensor from its bytes, or why it cannot be read."""
    if isinstance(number_type, str):
        return number_type
    if number_type.name in _KINDS:
        dtype, numpy = _KINDS[number_type.name]
        kept = np.frombuffer(held.tobytes(), numpy).astype(np.dtype(numpy).newbyteorder("="))
        return Tensor(kept.reshape(sides), dtype)
    weights, size = package.GGML_QUANT_SIZES[number_type]
    made = np.empty(math.prod(sides), np.float32)
    blocks = held.reshape(-1, size)
    try:
        # some at once: what the package makes on the way is many times larger than they are
        for at in range(0, len(blocks), _BLOCKS_TOGETHER):
            part = blocks[at : at + _BLOCKS_TOGETHER]
            with np.errstate(all="ignore"):
                floats = package.dequantize(part.reshape(1, -1), number_type)
            made[at * weights : (at + len(part)) * weights] = floats.reshape(-1)
    except NotImplementedError:
        return f"numbers of type {number_type.name} are not dequantised by the package gguf"
    return Tensor(made.reshape(sides), "F32")
