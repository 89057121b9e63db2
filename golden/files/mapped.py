"""A safetensors file as it lies on the disk: names, dtypes, shapes, and bytes that are read when they are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.safetensors_file import Tensor, check_file, entries_of, tensor_from_bytes


@dataclass(frozen=True, eq=False)
class MappedTensor:
    """One entry of the file.

    Attributes
    ----------
    dtype : str
        As safetensors names it.
    shape : tuple of int
    data : ndarray of uint8
        Mapped: reading it touches the pages that are read. Writing to it changes no file.
    """

    dtype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]


def map_safetensors(path: Path) -> tuple[dict[str, MappedTensor], dict[str, str]]:
    """Map a safetensors file, in the order of its bytes, and return its metadata with it.

    What is asked for is read, by whatever thread asks, and a model may be larger than memory. The file must not be cut
    short meanwhile: the system ends a process that reads what is not there any more (SIGBUS).

    Raises
    ------
    InputError
        The file is not there, is no file, is damaged or cut short.
    """
    check_file(path)
    try:
        with safe_open(path, framework="numpy"):
            pass  # the library checks the whole header: sizes, overlaps, holes
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = entries_of(file.read(length))
        bytes_ = np.zeros(0, np.uint8)
        if path.stat().st_size > 8 + length:
            bytes_ = np.asarray(np.memmap(path, np.uint8, "c", offset=8 + length))
    except (SafetensorError, OSError, ValueError, MemoryError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} must be a whole safetensors file: {reason:.200}") from None
    metadata = header.pop("__metadata__", None) or {}
    found = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        found[name] = MappedTensor(entry["dtype"], tuple(entry["shape"]), bytes_[begin:end])
    return found, {str(key): str(value) for key, value in metadata.items()}


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return all tensors of a safetensors file as arrays, in the order of its bytes, and its metadata.

    The arrays are views of the mapped file (`map_safetensors`), copied only where they do not lie as their type wants.

    Raises
    ------
    InputError
        The file is not there, is damaged or cut short, or holds a dtype that has no whole bytes.
    """
    found, metadata = map_safetensors(path)
    tensors = {
        name: tensor_from_bytes(f"{path}: tensor {name}", entry.dtype, entry.shape, entry.data)
        for name, entry in found.items()
    }
    return tensors, metadata
