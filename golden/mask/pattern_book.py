"""Prefix codes of mask patterns: m neighbouring mask bits take as many planes as their codeword has bits.

A mask of density p has an entropy of h(p) bits a position, but a bit of it cannot take less than one. m bits together
can: their pattern gets a codeword, short where it has few ones, and plane j of it is a care bit only where the
codeword has a bit j. An XOR code then stores the planes in as many bits as there are care bits, at a fixed rate: the
mask costs its entropy and one percent or two, all of it comes out right, and nothing is searched for.

Only the likely patterns have codewords of their own. The last codeword is an escape: the pattern follows as it is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words

MAX_PATTERN = 16  # mask bits of a pattern
MAX_DEPTH = 15  # bits of a codeword
MOST_CODEWORDS = 512  # in a table in hardware, for every pattern of a block
_TABLE_BITS = 16  # planes of so many bits are looked up in a table

Codewords = NDArray[np.int64]


@lru_cache(maxsize=MAX_PATTERN)
def patterns_in_order(m: int) -> Codewords:
    """Return all patterns of m bits, fewest ones first, of as many ones the lowest number first: shape (2^m,)."""
    every = np.arange(1 << m)
    order = every[np.lexsort((every, np.bitwise_count(every)))]
    order.setflags(write=False)
    return order


@dataclass(frozen=True)
class PatternBook:
    """A canonical, complete prefix code of patterns; a `ValueCoder` of words of m mask bits.

    Parameters
    ----------
    m : int
        Mask bits of a pattern, 2 to 16. Bit i belongs to the i-th position.
    counts : tuple of int
        How many codewords there are of 1, 2, ... bits. They belong to the patterns in the order of
        `patterns_in_order`; the last codeword is the escape, unless every pattern has one.
    inverted : bool
        For masks of more ones than zeros: codewords belong to the inverted patterns in that order.

    Raises
    ------
    InputError
        Sizes are out of range, or the codewords are not a complete prefix code (Kraft's sum is not 1).
    """

    m: int
    counts: tuple[int, ...]
    inverted: bool = False

    def __post_init__(self) -> None:
        depth = len(self.counts)
        if not 2 <= self.m <= MAX_PATTERN or not 1 <= depth <= MAX_DEPTH:
            raise InputError(
                f"a pattern book must have patterns of 2 to {MAX_PATTERN} bits and codewords of 1 to {MAX_DEPTH}, "
                f"not {self.m} and {depth}"
            )
        if min(self.counts) < 0 or not self.counts[-1]:
            raise InputError("the codewords of each length must be counted up to the longest")
        if self.codewords > min(MOST_CODEWORDS, 1 << self.m):
            raise InputError(
                f"a pattern book must have at most {min(MOST_CODEWORDS, 1 << self.m)} codewords, not {self.codewords}"
            )
        if sum(count << (depth - length) for length, count in enumerate(self.counts, 1)) != 1 << depth:
            raise InputError("the codewords of a pattern book must be a complete prefix code")

    kind = "book"

    @property
    def n_w(self) -> int:
        """Bits of a pattern."""
        return self.m

    @property
    def depth(self) -> int:
        """Bits of the longest codeword."""
        return len(self.counts)

    @property
    def codewords(self) -> int:
        """Codewords, the escape among them."""
        return sum(self.counts)

    @property
    def escapes(self) -> bool:
        """Whether the last codeword is an escape."""
        return self.codewords < 1 << self.m

    @property
    def raw_planes(self) -> int:
        """Planes of a pattern that follows the escape as it is."""
        return self.m if self.escapes else 0

    @property
    def planes(self) -> int:
        """Planes of a pattern: codeword, then the pattern itself if there is an escape, its highest bit first."""
        return self.depth + self.raw_planes

    @cached_property
    def lengths(self) -> Codewords:
        """Bits of each codeword, never falling: shape (codewords,)."""
        return np.repeat(np.arange(1, self.depth + 1), self.counts)

    @cached_property
    def first_codes(self) -> Codewords:
        """Each codeword, its first bit at bit depth - 1 and zeros below its last: shape (codewords,)."""
        steps = 1 << (self.depth - self.lengths)
        return np.cumsum(steps) - steps

    @cached_property
    def patterns(self) -> Codewords:
        """The pattern of each codeword but the escape."""
        listed = patterns_in_order(self.m)[: self.codewords - self.escapes]
        return listed ^ ((1 << self.m) - 1) if self.inverted else listed

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Planes of each group that shares its care bits: (first, end). Those of the first are care bits everywhere."""
        ends = [length for length, count in enumerate(self.counts, 1) if count]
        spans = list(itertools.pairwise([0, *ends]))
        return [*spans, (self.depth, self.planes)] if self.escapes else spans

    @cached_property
    def _rank_of_every_pattern(self) -> Codewords:
        rank = np.full(1 << self.m, self.codewords - 1)
        rank[self.patterns] = np.arange(self.patterns.size)
        return rank

    @cached_property
    def bits_of_every_pattern(self) -> Codewords:
        """Bits that each pattern takes, shape (2^m,)."""
        bits = self.lengths[self._rank_of_every_pattern]
        return bits + self.m * (self._rank_of_every_pattern >= self.patterns.size)

    def targets(
        self, words: Words, kept: NDArray[np.bool_]
    ) -> tuple[NDArray[np.unsignedinteger], list[NDArray[np.bool_]]]:
        """Return plane words, and the care bits of each span, of patterns; see `ValueCoder`."""
        rank = self._rank_of_every_pattern
        planes = self.first_codes[rank] << self.raw_planes
        if self.escapes:
            planes |= np.arange(1 << self.m)
        ends = [end for _, end in self.spans]
        # escaped patterns alone reach into the planes behind the codewords
        reached = self.bits_of_every_pattern
        care = [(reached >= end)[words] & kept for end in ends]
        return planes.astype(np.min_scalar_type((1 << self.planes) - 1))[words], care

    def words_of(self, planes: NDArray[np.unsignedinteger], word: np.dtype) -> Words:
        """Decode plane words of any shape."""
        if self.planes <= _TABLE_BITS and planes.size > 1 << self.planes:
            return self._word_of_every_plane_word.astype(word)[planes]
        bits = planes.astype(np.int64)
        rank = np.searchsorted(self.first_codes, bits >> self.raw_planes, side="right") - 1
        raw = bits & ((1 << self.raw_planes) - 1)
        known = np.append(self.patterns, 0) if self.escapes else self.patterns
        return np.where(rank < self.patterns.size, known[rank], raw).astype(word)

    @cached_property
    def _word_of_every_plane_word(self) -> NDArray[np.uint32]:
        return self.words_of(np.arange(1 << self.planes, dtype=np.uint64), np.dtype(np.uint32))


def patterns_of(mask: NDArray[np.bool_], m: int) -> Words:
    """Return the patterns of a mask, shape (ceil(length / m),); what lies beyond its end is 0."""
    rows = np.zeros((-(-mask.size // m), m), np.uint8)
    rows.reshape(-1)[: mask.size] = mask
    joined = np.packbits(rows, axis=1, bitorder="little")
    if m <= 8:
        return joined[:, 0]
    return joined.view("<u2").astype(np.uint16)[:, 0]


@lru_cache(maxsize=MAX_PATTERN)
def _bits_of_every_pattern(m: int) -> NDArray[np.bool_]:
    return (np.arange(1 << m)[:, None] >> np.arange(m) & 1).astype(bool)


def bits_of(patterns: Words, m: int) -> NDArray[np.bool_]:
    """Return the mask bits of patterns, shape (m * patterns,): undoes `patterns_of`."""
    return _bits_of_every_pattern(m)[patterns].reshape(-1)
