"""Prefix codes of words: a kept weight takes as many planes as its codeword has bits, and no more.

An XOR code spends encoded bits on care bits alone, and a don't-care costs nothing. So words may have codewords of
unequal length although every block takes the same number of encoded bits: plane j is a care bit only where the
codeword has a bit j. Skewed values then cost their entropy, at a fixed rate, and every weight is decoded by itself,
by a table of its own planes.

The head of a word (all of it, or its top bits: of a float sign and exponent) has a codeword; the tail follows as it
is. The word 0 is a symbol of its own, without a tail.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.errors import InputError
from xorweave.golden.number_format import Words

MAX_HEAD_BITS = 32
MAX_DEPTH = 16


@dataclass(frozen=True, eq=False)
class PrefixCode:
    """A canonical prefix code over the heads of words.

    Parameters
    ----------
    n_w : int
        Bits of a word.
    head_bits : int
        Top bits of a word that the codeword stands for, 1 to n_w.
    symbols : ndarray of int64
        Heads that have a codeword, all different; 2^head_bits stands for the word 0. Shorter codewords first.
    lengths : ndarray of int64, same shape
        Bits of the codewords, 1 to 16, never falling.

    Raises
    ------
    InputError
        Sizes are out of range, symbols repeat, or there is no prefix code of these lengths (Kraft).
    """

    n_w: int
    head_bits: int
    symbols: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not 1 <= self.head_bits <= min(self.n_w, MAX_HEAD_BITS):
            raise InputError(f"head_bits must be between 1 and {self.n_w}, not {self.head_bits}")
        if self.symbols.shape != self.lengths.shape or self.symbols.ndim != 1:
            raise InputError("every symbol must have one length")
        if self.symbols.size == 0:
            return
        if np.unique(self.symbols).size != self.symbols.size:
            raise InputError("the symbols of a prefix code must be different")
        if self.symbols.min() < 0 or self.symbols.max() > 1 << self.head_bits:
            raise InputError(f"symbols must be between 0 and {1 << self.head_bits}")
        if (np.diff(self.lengths) < 0).any() or self.lengths[0] < 1 or self.lengths[-1] > MAX_DEPTH:
            raise InputError(f"lengths must rise from at least 1 to at most {MAX_DEPTH}")
        if int((1 << (self.depth - self.lengths)).sum()) > 1 << self.depth:
            raise InputError("there is no prefix code of these lengths")

    @property
    def depth(self) -> int:
        """Bits of the longest codeword: planes that codewords take."""
        return int(self.lengths[-1]) if self.lengths.size else 0

    @property
    def tail_bits(self) -> int:
        """Planes of the tail."""
        return self.n_w - self.head_bits

    @property
    def planes(self) -> int:
        """Planes of a weight: of codeword and tail."""
        return self.depth + self.tail_bits

    @property
    def zero(self) -> int:
        """The symbol of the word 0."""
        return 1 << self.head_bits

    @cached_property
    def first_codes(self) -> NDArray[np.int64]:
        """Codeword of each symbol, its first bit at bit depth - 1 and zeros below its last."""
        steps = 1 << (self.depth - self.lengths)
        return np.cumsum(steps) - steps

    def symbol_of(self, words: Words) -> NDArray[np.int64]:
        """Return the symbol of each word, whether it has a codeword or not."""
        return np.where(words == 0, self.zero, words.astype(np.int64) >> self.tail_bits)

    @cached_property
    def _rank(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.symbols)
        return self.symbols[order], order

    def rank_of(self, words: Words) -> NDArray[np.int64]:
        """Return the place of each word's symbol in `symbols`, -1 where it has no codeword."""
        wanted = self.symbol_of(words)
        if self.symbols.size == 0:
            return np.full(wanted.shape, -1, np.int64)
        sorted_symbols, order = self._rank
        at = np.minimum(np.searchsorted(sorted_symbols, wanted), sorted_symbols.size - 1)
        return np.where(sorted_symbols[at] == wanted, order[at], -1)

    def bits_of(self, words: Words) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return (planes, codeword lengths) of words of any shape.

        Planes: codeword from bit ``tail_bits + depth - 1`` down, tail in the low bits, anything in don't-cares.
        A length of 0 means that the word has no codeword.
        """
        rank = self.rank_of(words)
        known = rank >= 0
        if self.symbols.size == 0:
            return np.zeros(words.shape, np.uint64), np.zeros(words.shape, np.int64)
        code = np.where(known, self.first_codes[rank], 0).astype(np.uint64)
        tail = words.astype(np.uint64) & np.uint64((1 << self.tail_bits) - 1)
        return code << np.uint64(self.tail_bits) | tail, np.where(known, self.lengths[rank], 0)

    def words_of(self, planes: NDArray[np.uint64], word: np.dtype) -> Words:
        """Decode planes of any shape, one weight by itself; codewords that stand for nothing read as the word 0."""
        if self.symbols.size == 0:
            return np.zeros(planes.shape, word)
        code = (planes >> np.uint64(self.tail_bits)).astype(np.int64)
        at = np.searchsorted(self.first_codes, code, side="right") - 1
        found = self.symbols[at]
        beyond = code >= self.first_codes[-1] + (1 << (self.depth - int(self.lengths[-1])))
        tail = planes & np.uint64((1 << self.tail_bits) - 1)
        whole = found.astype(np.uint64) << np.uint64(self.tail_bits) | tail
        return np.where((found == self.zero) | beyond, np.uint64(0), whole).astype(word)

    @property
    def groups(self) -> list[tuple[int, int]]:
        """Runs of codeword bits that the same symbols have: (first, end) in bits from the codeword's start."""
        ends = np.unique(self.lengths).tolist()
        return list(itertools.pairwise([0, *ends]))


def limited_lengths(counts: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """Return the codeword lengths of least total under a limit (package-merge; Larmore and Hirschberg 1990).

    Parameters
    ----------
    counts : ndarray of int, shape (symbols,)
        How often each symbol occurs, never rising.
    longest : int
        No codeword is longer.

    Raises
    ------
    InputError
        So many symbols have no codewords of this length.
    """
    size = counts.size
    if size > 1 << longest:
        raise InputError(f"{size} symbols must have codewords of more than {longest} bits")
    if size <= 1:
        return np.ones(size, np.int64)
    # a package is (weight, how often each symbol is in it); from the least weights up
    single = [(int(c), np.eye(1, size, i, dtype=np.int64)[0]) for i, c in enumerate(counts)][::-1]
    level = single
    for _ in range(longest - 1):
        pairs = [
            (level[i][0] + level[i + 1][0], level[i][1] + level[i + 1][1])
            for i in range(0, len(level) - 1, 2)
        ]
        level = list(heapq.merge(single, pairs, key=lambda package: package[0]))
    lengths = np.zeros(size, np.int64)
    for _, members in level[: 2 * size - 2]:
        lengths += members
    return lengths


def make_prefix_code(
    words: Words, n_w: int, head_bits: int, *, longest: int, patch_bits: float
) -> PrefixCode:
    """Make the prefix code of least total for these words.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (n,)
        What is to be stored, zeros among them.
    n_w, head_bits : int
    longest : int
        Bits of the longest codeword.
    patch_bits : float
        What a word without a codeword costs: symbols whose codewords and table entries would cost more get none.
    """
    blank = PrefixCode(n_w, head_bits, np.zeros(0, np.int64), np.zeros(0, np.int64))
    symbols, counts = np.unique(blank.symbol_of(words), return_counts=True)
    order = np.lexsort((symbols, -counts))
    symbols, counts = symbols[order], counts[order]
    own = np.log2(max(1, words.size) / np.maximum(counts, 1))
    worth = (counts * own + head_bits < counts * patch_bits) & (own < longest + 1)
    worth[1 << longest :] = False
    symbols, counts = symbols[worth].astype(np.int64), counts[worth]
    lengths = limited_lengths(counts, longest)
    order = np.lexsort((symbols, lengths))
    return PrefixCode(n_w, head_bits, symbols[order], lengths[order])
