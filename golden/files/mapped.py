"""A safetensors file as it lies on the disk: names, dtypes, shapes, and bytes that are read when they are used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.safetensors_file import check_file, entries_of


@dataclass(frozen=True, eq=False)
class MappedTensor:
    """One entry of the file.

    Attributes
    ----------
    dtype : str
        As safetensors names it.
    shape : tuple of int
    data : ndarray of uint8
        Mapped: reading it touches the pages that are read.
    """

    dtype: str
    shape: tuple[int, ...]
    data: NDArray[np.uint8]


def map_safetensors(path: Path) -> tuple[dict[str, MappedTensor], dict[str, str]]:
    """Map a safetensors file, in the order of its bytes, and return its metadata with it.

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
        bytes_ = (
            np.memmap(path, np.uint8, "r", offset=8 + length) if path.stat().st_size > 8 + length else None
        )
    except (SafetensorError, OSError, ValueError, MemoryError, RecursionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} must be a whole safetensors file: {reason:.200}") from None
    metadata = header.pop("__metadata__", None) or {}
    found = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        data = np.zeros(0, np.uint8) if bytes_ is None else bytes_[begin:end]
        found[name] = MappedTensor(entry["dtype"], tuple(entry["shape"]), data)
    return found, {str(key): str(value) for key, value in metadata.items()}
