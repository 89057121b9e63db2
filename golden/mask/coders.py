"""How a mask is stored: not at all, as a bitmap, by a pattern book, or by a shaped code. All in scan order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.plane_group import PlaneGroup, decode_groups
from xorweave.golden.mask.pattern_book import PatternBook, bits_of
from xorweave.golden.mask.shaped_mask import ShapedMaskCode


@dataclass(frozen=True, eq=False)
class DenseMask:
    """Nothing is stored: every position is kept.

    Parameters
    ----------
    length : int
        Scan positions.
    """

    length: int

    kind = "none"

    @property
    def bits(self) -> int:
        """Stored bits."""
        return 0

    def decode(self) -> NDArray[np.bool_]:
        """Return the mask, shape (length,)."""
        return np.ones(self.length, bool)

    def part(self, begin: int, end: int) -> NDArray[np.bool_]:
        """Return the mask at scan positions begin .. end - 1, and read nothing else."""
        return np.ones(end - begin, bool)

    def ones_before(self, position: int) -> int:
        """Count the kept positions before one."""
        return position


@dataclass(frozen=True, eq=False)
class BitmapMask:
    """One bit a scan position.

    Parameters
    ----------
    kept : ndarray of bool, shape (length,)
    """

    kept: NDArray[np.bool_]

    kind = "bitmap"

    @property
    def bits(self) -> int:
        """Stored bits."""
        return int(self.kept.size)

    def decode(self) -> NDArray[np.bool_]:
        """Return the mask, shape (length,)."""
        return self.kept

    def part(self, begin: int, end: int) -> NDArray[np.bool_]:
        """Return the mask at scan positions begin .. end - 1, and read nothing else."""
        return self.kept[begin:end]

    @property
    def length(self) -> int:
        """Scan positions."""
        return int(self.kept.size)

    def ones_before(self, position: int) -> int:
        """Count the kept positions before one."""
        return int(np.count_nonzero(self.kept[:position]))


@dataclass(frozen=True, eq=False)
class PackedBitmap:
    """A bitmap in bytes, lowest bit first.

    Parameters
    ----------
    data : ndarray of uint8
    length : int
        Scan positions.
    """

    data: NDArray[np.uint8]
    length: int

    kind = "bitmap"

    @property
    def bits(self) -> int:
        """Stored bits."""
        return self.length

    def decode(self) -> NDArray[np.bool_]:
        """Return the mask, shape (length,)."""
        return self.part(0, self.length)

    def part(self, begin: int, end: int) -> NDArray[np.bool_]:
        """Return the mask at scan positions begin .. end - 1, and read nothing else."""
        bits = np.unpackbits(self.data[begin // 8 : -(-end // 8)], bitorder="little")
        return bits[begin % 8 :][: end - begin].view(bool)

    def ones_before(self, position: int) -> int:
        """Count the kept positions before one."""
        whole = position // 8
        rest = int(self.data[whole]) & (1 << position % 8) - 1 if position % 8 else 0
        return int(np.bitwise_count(self.data[:whole]).sum(dtype=np.int64)) + rest.bit_count()


@dataclass(frozen=True, eq=False)
class ShapedMask:
    """Symbols of a shaped code (``xorweave.golden.mask.shaped_mask``), whose blocks are those of the values.

    Parameters
    ----------
    code : ShapedMaskCode
        Its n_out is that of the values' codes.
    symbols : ndarray of uint8 (0 or 1), shape (blocks, n_in)
    length : int
        Scan positions.
    segment_blocks : int
        The history is cleared before every block t with t % segment_blocks == 0, as that of the values is.
    """

    code: ShapedMaskCode
    symbols: NDArray[np.uint8]
    length: int
    segment_blocks: int

    kind = "shaped"

    @property
    def bits(self) -> int:
        """Stored bits."""
        return int(self.symbols.size)

    def decode(self) -> NDArray[np.bool_]:
        """Return the mask that comes out, false ones included, shape (length,)."""
        return self.part(0, self.length)

    def part(self, begin: int, end: int) -> NDArray[np.bool_]:
        """Return the mask at scan positions begin .. end - 1; reads the symbols of their blocks and one window."""
        n_out, period = self.code.n_out, self.segment_blocks
        mask = np.empty(end - begin, bool)
        first, last = begin // n_out, -(-end // n_out)
        for start in range(first // period * period, last, period):
            a, b = max(first, start), min(last, start + period)
            reach = max(start, a - self.code.n_s)
            decoded = self.code.decode(self.symbols[reach:b], (b - reach) * n_out)[(a - reach) * n_out :]
            low, high = max(begin, a * n_out), min(end, b * n_out)
            mask[low - begin : high - begin] = decoded[low - a * n_out : high - a * n_out]
        return mask

    def ones_before(self, position: int) -> int:
        """Count the kept positions before one."""
        return int(np.count_nonzero(self.part(0, position)))


@dataclass(frozen=True, eq=False)
class BookMask:
    """Symbols of the planes of a pattern book, whose blocks are those of the values.

    Parameters
    ----------
    book : PatternBook
    groups : tuple of PlaneGroup
        One for each of its spans; their n_out is that of the values' codes divided by the bits of a pattern. The
        planes of the first are care bits everywhere, so its code is the identity.
    length : int
        Scan positions.
    segment_blocks : int
        The history is cleared before every block t with t % segment_blocks == 0, as that of the values is.
    """

    book: PatternBook
    groups: tuple[PlaneGroup, ...]
    length: int
    segment_blocks: int

    kind = "book"

    @property
    def n_out(self) -> int:
        """Mask bits of a block."""
        return self.groups[0].code.n_out * self.book.m

    @property
    def bits(self) -> int:
        """Stored bits."""
        return sum(int(group.symbols.size) * group.planes for group in self.groups)

    def decode(self) -> NDArray[np.bool_]:
        """Return the mask that comes out, shape (length,)."""
        return self.part(0, self.length)

    def part(self, begin: int, end: int) -> NDArray[np.bool_]:
        """Return the mask at scan positions begin .. end - 1; reads the symbols of their blocks and one window."""
        first, last = begin // self.n_out, -(-end // self.n_out)
        if first >= last:
            return np.zeros(0, bool)
        planes = decode_groups(self.book.planes, self.groups, first, last, self.segment_blocks)
        patterns = self.book.words_of(planes, np.dtype(np.uint16))
        return bits_of(patterns, self.book.m)[begin - first * self.n_out : end - first * self.n_out]

    def ones_before(self, position: int) -> int:
        """Count the kept positions before one."""
        return int(np.count_nonzero(self.part(0, position)))


MaskCoder = DenseMask | BitmapMask | PackedBitmap | BookMask | ShapedMask
