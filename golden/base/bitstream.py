"""Fields of fixed width packed one after another into bytes, least significant bit first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def pack_fields(values: NDArray[np.integer], width: int) -> NDArray[np.uint8]:
    """Spread non-negative values into bits: shape (count,) to uint8 of 0 and 1, shape (count * width,)."""
    shifts = np.arange(width, dtype=np.uint64)
    return ((values.astype(np.uint64)[:, None] >> shifts) & np.uint64(1)).astype(np.uint8).reshape(-1)


def unpack_fields(bits: NDArray[np.uint8], width: int) -> NDArray[np.uint64]:
    """Gather bits, shape (count * width,), into values: the inverse of `pack_fields`."""
    weights = np.uint64(1) << np.arange(width, dtype=np.uint64)
    return (bits.reshape(-1, width).astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)


def to_bytes(bits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack bits into bytes, the last one padded with zeros."""
    return np.packbits(bits, bitorder="little")


def from_bytes(data: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Unpack the first `count` bits of the bytes."""
    return np.unpackbits(data, count=count, bitorder="little")
