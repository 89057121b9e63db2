"""The hash of the filters: two XOR networks with one layer of AND gates between them.

A hash unit in hardware should cost gates, not multipliers. A linear map alone (an XOR network) is not enough:
keys are positions, often evenly spread, and a linear map lets whole families of keys collide together. One
layer of Keccak's chi (y_i = x_i ^ (~x_(i+1) & x_(i+2))) between two random maps breaks the families up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.bit_source import BitSource
from xorweave.golden.base.errors import InputError

MIDDLE_BITS = 61
MAX_HASH_BITS = 128


@dataclass(frozen=True)
class KeyHash:
    """Hash of a key of `key_bits` bits to `hash_bits` bits.

    Parameters
    ----------
    key_bits : int
        1 to 32.
    hash_bits : int
        1 to 128.
    seed : int

    Raises
    ------
    InputError
        A size is out of range.
    """

    key_bits: int
    hash_bits: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.key_bits <= 32:
            raise InputError(f"key_bits must be between 1 and 32, not {self.key_bits}")
        if not 1 <= self.hash_bits <= MAX_HASH_BITS:
            raise InputError(f"hash_bits must be between 1 and {MAX_HASH_BITS}, not {self.hash_bits}")

    @cached_property
    def first(self) -> NDArray[np.uint8]:
        """The map before the AND layer, shape (61, key_bits), and behind it a column of constants."""
        source = BitSource(f"bloomier-first;{self.key_bits};{self.seed}")
        return source.bits(MIDDLE_BITS * (self.key_bits + 1)).reshape(MIDDLE_BITS, self.key_bits + 1)

    @cached_property
    def second(self) -> NDArray[np.uint8]:
        """The map behind the AND layer, shape (hash_bits, 61)."""
        source = BitSource(f"bloomier-second;{self.key_bits};{self.hash_bits};{self.seed}")
        return source.bits(self.hash_bits * MIDDLE_BITS).reshape(self.hash_bits, MIDDLE_BITS)

    @cached_property
    def _tables(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64], np.uint64]:
        constant = np.uint64(sum(int(bit) << i for i, bit in enumerate(self.first[:, -1])))
        return _byte_tables(self.first[:, :-1])[..., 0].copy(), _byte_tables(self.second), constant

    def ring(self, keys: NDArray[np.integer]) -> NDArray[np.uint64]:
        """Return the 61 bits behind the AND layer, uint64 of shape (n,), for keys of shape (n,)."""
        first, _, constant = self._tables
        rings = np.empty(keys.size, np.uint64)
        _ring(np.ascontiguousarray(keys, np.uint32), first, constant, rings)
        return rings

    def spread(self, rings: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return what the second map makes of such bits, shape (n, 2): bits 0 .. 63 and 64 .. 127."""
        hashes = np.empty((rings.size, 2), np.uint64)
        _spread(rings, self._tables[1], hashes)
        return hashes

    def __call__(self, keys: NDArray[np.integer]) -> NDArray[np.uint64]:
        """Hash keys, shape (n,); returns uint64, shape (n, 2): bits 0 .. 63 and 64 .. 127 of each hash."""
        return self.spread(self.ring(keys))


def _byte_tables(matrix: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Tabulate a map over GF(2) byte by byte: shape (bytes of the argument, 256, 2) of 128-bit results."""
    columns = matrix.shape[1]
    tables = np.zeros(((columns + 7) // 8, 256, 2), np.uint64)
    for column in range(columns):
        image = [0, 0]
        for row in np.flatnonzero(matrix[:, column]).tolist():
            image[row // 64] |= 1 << (row % 64)
        chosen = (np.arange(256) >> (column % 8)) & 1 == 1
        tables[column // 8, chosen] ^= np.array(image, np.uint64)
    return tables


@njit(cache=True)
def _ring(keys, first, constant, rings):  # type: ignore[no-untyped-def]
    ring = np.uint64(MIDDLE_BITS)
    everything = (np.uint64(1) << ring) - np.uint64(1)
    byte = np.uint64(255)
    for i in range(keys.size):
        rest = np.uint64(keys[i])
        x = constant
        for table in range(first.shape[0]):
            x ^= first[table, rest & byte]
            rest >>= np.uint64(8)
        next_one = ((x >> np.uint64(1)) | (x << (ring - np.uint64(1)))) & everything
        next_two = ((x >> np.uint64(2)) | (x << (ring - np.uint64(2)))) & everything
        rings[i] = x ^ (~next_one & next_two)


@njit(cache=True)
def _spread(rings, second, hashes):  # type: ignore[no-untyped-def]
    byte = np.uint64(255)
    for i in range(rings.size):
        rest = rings[i]
        low = np.uint64(0)
        high = np.uint64(0)
        for table in range(second.shape[0]):
            low ^= second[table, rest & byte, 0]
            high ^= second[table, rest & byte, 1]
            rest >>= np.uint64(8)
        hashes[i, 0] = low
        hashes[i, 1] = high
