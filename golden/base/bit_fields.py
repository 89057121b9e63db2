"""Streams of bit fields: fixed-width fields written and read as arrays, least significant bit first."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError


def width_for(largest: int) -> int:
    """Return the least number of bits that holds every integer 0 .. largest (at least 1)."""
    return max(1, int(largest).bit_length())


class BitWriter:
    """Collects fields; `bytes()` of the result is the stream."""

    def __init__(self) -> None:
        self._chunks: list[NDArray[np.uint8]] = []
        self.bits = 0

    def fields(self, values: NDArray, width: int) -> int:
        """Append every value as a field of `width` bits; return the number of bits appended."""
        values = np.ascontiguousarray(values).reshape(-1)
        if width == 0 or values.size == 0:
            return 0
        as_bytes = values.astype("<u8").view(np.uint8).reshape(-1, 8)
        chunk = np.unpackbits(as_bytes, axis=1, bitorder="little", count=width).reshape(-1)
        return self.raw(chunk)

    def field(self, value: int, width: int) -> int:
        """Append one field."""
        return self.fields(np.array([value], np.uint64), width)

    def raw(self, bits: NDArray[np.uint8]) -> int:
        """Append single bits (0 or 1)."""
        self._chunks.append(bits)
        self.bits += bits.size
        return int(bits.size)

    def stream(self) -> bytes:
        """Return everything written, padded with zeros to whole bytes."""
        if not self._chunks:
            return b""
        return np.packbits(np.concatenate(self._chunks), bitorder="little").tobytes()


class BitReader:
    """Reads fields in the order they were written.

    Raises
    ------
    InputError
        From every method, when the stream ends before the field does.
    """

    def __init__(self, stream: bytes) -> None:
        self._bits = np.unpackbits(np.frombuffer(stream, np.uint8), bitorder="little")
        self.position = 0

    def raw(self, count: int) -> NDArray[np.uint8]:
        """Read single bits.

        Raises
        ------
        InputError
            The stream ends before.
        """
        if self.position + count > self._bits.size:
            raise InputError(
                f"the stream must hold at least {self.position + count} bits, not {self._bits.size}"
            )
        self.position += count
        return self._bits[self.position - count : self.position]

    def fields(self, count: int, width: int) -> NDArray[np.uint64]:
        """Read `count` fields of `width` bits."""
        if count == 0 or width == 0:
            return np.zeros(count, np.uint64)
        block = self.raw(count * width).reshape(count, width)
        padded = np.zeros((count, 8 * math.ceil(width / 8)), np.uint8)
        padded[:, :width] = block
        packed = np.packbits(padded, axis=1, bitorder="little")
        full = np.zeros((count, 8), np.uint8)
        full[:, : packed.shape[1]] = packed
        return full.view("<u8").reshape(-1)

    def field(self, width: int) -> int:
        """Read one field."""
        return int(self.fields(1, width)[0])

    def rest(self) -> NDArray[np.uint8]:
        """Return all bits not read yet, without reading them."""
        return self._bits[self.position :]
