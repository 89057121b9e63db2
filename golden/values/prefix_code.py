"""Prefix codes of words: a kept weight takes as many planes as its codeword has bits, and no more.

An XOR code spends encoded bits on care bits alone, and a don't-care costs nothing. So words may have codewords of
unequal length although every block takes the same number of encoded bits: plane j is a care bit only where the
codeword has a bit j. Skewed values then cost their entropy, at a fixed rate, and every weight is decoded by itself,
by a small table of its own planes.

A codeword stands for a class of words: those whose magnitudes share their first bits. The class is followed by the
sign and by the rest of the magnitude as it is. The word 0 is a class of its own, which nothing follows. The
magnitude of a float are the bits below its sign. A negative integer's are inverted (``inverted``: an exclusive-or in
hardware, but -1 falls together with 0 and -2 with 1) or negated (``negated``: an adder, worth it where most values are
tiny). ``prefix-inverted`` inverts only the bits that the class stands for and lets the tail follow as it is in the
word: the same classes and lengths as ``inverted``, for fewer gates.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words

MAX_LENGTH = 15
MAGNITUDES = ("plain", "inverted", "negated", "prefix-inverted")  # stored by number
_CLASS_BITS = 10  # of the stored table besides the prefix: length, tail
_TABLE_BITS = (
    16  # words and planes of so many bits are looked up in a table, if there are more of them than entries
)
_DEEPEST = 8  # bits of the longest codeword tried
_MOST_PREFIXES = 512  # prefixes of one length among which classes are looked for

Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PrefixCode:
    """A canonical prefix code over classes of words.

    Parameters
    ----------
    n_w : int
        Bits of a word: sign, then magnitude.
    magnitude : {"plain", "inverted", "negated", "prefix-inverted"}
        What becomes of the bits below the sign where the sign is 1.
    lengths : ndarray of int64, shape (classes,)
        Bits of the codewords, 1 to 15, never falling.
    tails : ndarray of int64, same shape
        Low bits of the magnitude that follow the codeword as they are, 0 to n_w - 1; -1 for the class of the word 0,
        which has no sign either.
    prefixes : ndarray of int64, same shape
        The magnitude's bits above the tail.

    Raises
    ------
    InputError
        Sizes are out of range, classes overlap, or there is no prefix code of these lengths (Kraft).
    """

    n_w: int
    magnitude: str
    lengths: Classes
    tails: Classes
    prefixes: Classes

    def __post_init__(self) -> None:
        lengths, tails, prefixes = self.lengths, self.tails, self.prefixes
        if self.magnitude not in MAGNITUDES:
            raise InputError(f"the magnitude must be one of {', '.join(MAGNITUDES)}, not {self.magnitude!r}")
        if not lengths.shape == tails.shape == prefixes.shape or lengths.ndim != 1:
            raise InputError("every class must have one length, one tail and one prefix")
        if not lengths.size:
            return
        if (np.diff(lengths) < 0).any() or lengths[0] < 1 or lengths[-1] > MAX_LENGTH:
            raise InputError(f"lengths must rise from at least 1 to at most {MAX_LENGTH}")
        if int((1 << (self.depth - lengths)).sum()) > 1 << self.depth:
            raise InputError("there is no prefix code of these lengths")
        if tails.min() < -1 or tails.max() > self.n_w - 1 or (tails < 0).sum() > 1:
            raise InputError(f"tails must be between 0 and {self.n_w - 1}, and -1 for the word 0 alone")
        starts, sizes, _ = self._intervals
        if (prefixes[tails < 0] != 0).any() or (prefixes < 0).any():
            raise InputError("prefixes must not be negative, and 0 for the word 0")
        ends = starts + sizes
        if (starts[1:] < ends[:-1]).any() or (ends > 1 << (self.n_w - 1)).any():
            raise InputError("classes must not overlap, and must lie among the magnitudes")

    @property
    def depth(self) -> int:
        """Bits of the longest codeword."""
        return int(self.lengths[-1]) if self.lengths.size else 0

    @property
    def tail_planes(self) -> int:
        """Planes of the longest tail."""
        return max(0, int(self.tails.max())) if self.tails.size else 0

    @property
    def planes(self) -> int:
        """Planes of a weight: codeword, sign, tail. None where there is no class, or the word 0 alone."""
        return self.depth + 1 + self.tail_planes if self.lengths.size else 0

    @property
    def kind(self) -> str:
        return "prefix"

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Planes of each group that shares its care bits: (first, end)."""
        return [(first, end) for first, end, _ in self.care_groups(np.zeros(0, np.int64))]

    def targets(
        self, words: Words, kept: NDArray[np.bool_]
    ) -> tuple[NDArray[np.unsignedinteger], list[NDArray[np.bool_]]]:
        """Return plane words and the care bits of each span, for words in scan order; see `ValueCoder`."""
        # of millions of words both, so no wider than they need be
        planes = np.zeros(words.size, np.min_scalar_type((1 << self.planes) - 1))
        rank = np.full(words.size, -1, np.min_scalar_type(-1 - self.lengths.size))
        planes[kept], rank[kept] = self.bits_of(words[kept])
        return planes, [care for _, _, care in self.care_groups(rank)]

    @cached_property
    def first_codes(self) -> Classes:
        """Codeword of each class, its first bit at bit depth - 1 and zeros below its last."""
        steps = 1 << (self.depth - self.lengths)
        return np.cumsum(steps) - steps

    @cached_property
    def _intervals(self) -> tuple[Classes, Classes, Classes]:
        """First magnitude and size of each class but the word 0's, and which class it is; rising."""
        which = np.flatnonzero(self.tails >= 0)
        starts = self.prefixes[which] << self.tails[which]
        order = np.argsort(starts)
        return starts[order], 1 << self.tails[which][order], which[order]

    def _magnitudes(self, words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (magnitude, sign) of each word."""
        low = np.int64((1 << (self.n_w - 1)) - 1)
        whole = words.astype(np.int64)
        sign = whole >> (self.n_w - 1)
        magnitude = whole & low
        return self._turned(magnitude, sign), sign

    def _turned(self, magnitude: NDArray[np.int64], sign: NDArray[np.int64]) -> NDArray[np.int64]:
        """Map the bits below the sign to the magnitude, or back: each map is its own inverse."""
        low = np.int64((1 << (self.n_w - 1)) - 1)
        if self.magnitude in ("inverted", "prefix-inverted"):
            return magnitude ^ (low * sign)
        if self.magnitude == "negated":
            return np.where(sign == 1, -magnitude & low, magnitude)
        return magnitude

    def rank_of(self, words: Words) -> NDArray[np.int64]:
        """Return the class of each word, -1 where it has none."""
        if self.n_w <= _TABLE_BITS and words.size > 1 << self.n_w:
            return self._rank_of_every_word[words]
        rank = np.full(words.shape, -1, np.int64)
        starts, sizes, which = self._intervals
        if which.size:
            magnitude, _ = self._magnitudes(words)
            at = np.maximum(np.searchsorted(starts, magnitude, side="right") - 1, 0)
            inside = (magnitude >= starts[at]) & (magnitude < starts[at] + sizes[at])
            rank = np.where(inside, which[at], -1)
        zero = np.flatnonzero(self.tails < 0)
        rank[words == 0] = zero[0] if zero.size else -1
        return rank

    @cached_property
    def _rank_of_every_word(self) -> NDArray[np.int64]:
        every = np.arange(1 << self.n_w, dtype=np.uint32)
        return np.concatenate([self.rank_of(half) for half in np.split(every, 2)])

    def bits_of(self, words: Words) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return (planes, class) of words of any shape.

        Planes: codeword from the highest bit down, sign, tail in the low bits; anything in don't-cares. A class of
        -1 means that the word has no codeword.
        """
        rank = self.rank_of(words)
        if not self.lengths.size:
            return np.zeros(words.shape, np.uint64), rank
        magnitude, sign = self._magnitudes(words)
        tail = magnitude & ((1 << self.tail_planes) - 1)
        if self.magnitude == "prefix-inverted":
            tail = words.astype(np.int64) & ((1 << self.tail_planes) - 1)
        planes = (self.first_codes[rank] << (self.tail_planes + 1)) | (sign << self.tail_planes) | tail
        return planes.astype(np.uint64), rank

    def words_of(self, planes: NDArray[np.uint64], word: np.dtype) -> Words:
        """Decode planes of any shape, one weight by itself; codewords that stand for nothing read as the word 0."""
        if not self.lengths.size:
            return np.zeros(planes.shape, word)
        if self.planes <= _TABLE_BITS and planes.size > 1 << self.planes:
            return self._word_of_every_plane_word.astype(word)[planes]
        bits = planes.astype(np.int64)
        code = bits >> (self.tail_planes + 1)
        sign = bits >> self.tail_planes & 1
        at = np.searchsorted(self.first_codes, code, side="right") - 1
        beyond = code >= self.first_codes[-1] + (1 << (self.depth - int(self.lengths[-1])))
        tails = np.maximum(self.tails[at], 0)
        tail = bits & ((1 << tails) - 1)
        if self.magnitude == "prefix-inverted":
            tail ^= ((1 << tails) - 1) * sign  # what follows turns it back
        magnitude = self.prefixes[at] << tails | tail
        whole = sign << (self.n_w - 1) | self._turned(magnitude, sign)
        return np.where((self.tails[at] < 0) | beyond, 0, whole).astype(word)

    @cached_property
    def _word_of_every_plane_word(self) -> NDArray[np.uint32]:
        return self.words_of(np.arange(1 << self.planes, dtype=np.uint64), np.dtype(np.uint32))

    def care_groups(self, rank: NDArray[np.int64]) -> list[tuple[int, int, NDArray[np.bool_]]]:
        """Return planes with the same care bits: (first, end, care), planes counted from the codeword's first bit.

        Parameters
        ----------
        rank : ndarray of int64
            Class of each word, -1 where it has none: nothing is a care bit there.
        """
        if not self.lengths.size:
            return []
        # narrow numbers: each is compared once for every group; -1 is the last of a table
        length = np.append(self.lengths, 0).astype(np.int8)[rank]
        tail = np.append(self.tails, -1).astype(np.int8)[rank]
        groups = [
            (first, end, length >= end)
            for first, end in itertools.pairwise([0, *np.unique(self.lengths).tolist()])
        ]
        if self.tails.max() < 0:
            return groups
        groups.append((self.depth, self.depth + 1, tail >= 0))
        steps = sorted({int(t) for t in self.tails if t > 0} | {0}, reverse=True)
        for high, low in itertools.pairwise(steps):
            groups.append((self.planes - high, self.planes - low, tail >= high))
        return groups


def make_prefix_codes(
    words: Words,
    n_w: int,
    *,
    magnitude: str,
    patch_bits: float,
    class_bits: float = 0.002,
    counts: NDArray[np.int64] | None = None,
) -> list[PrefixCode]:
    """Make the codes of least total for these words, one for each length that codewords may have.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (n,)
        What is to be stored, zeros among them.
    n_w : int
    magnitude : {"plain", "inverted", "negated", "prefix-inverted"}
    patch_bits : float
        What a word without a codeword costs.
    class_bits : float
        Bits a word that a class must save: every class costs gates, for every weight of a block.
    counts : ndarray of int64, shape (n,), optional
        How often each of the words is to be stored; once by default.

    Returns
    -------
    list of PrefixCode
        Shorter limits first, and of each limit the code of one tail plane less behind it; the one without classes if
        there is no word.
    """
    nothing = np.zeros(0, np.int64)
    blank = PrefixCode(n_w, magnitude, nothing, nothing, nothing)
    if words.size == 0:
        return [blank]
    often = np.ones(words.size, np.int64) if counts is None else counts
    zeros = int(often[words == 0].sum())
    magnitudes, which = np.unique(blank._magnitudes(words[words != 0])[0], return_inverse=True)
    of_magnitude = np.bincount(which, often[words != 0], magnitudes.size).astype(np.int64)
    tree = _PrefixTree(magnitudes, of_magnitude, n_w - 1, patch_bits, class_bits * int(often.sum()))
    found: dict[tuple[tuple[int, int, int], ...], PrefixCode] = {}
    for depth in range(1, _DEEPEST + 1):
        most = n_w - 1
        for _ in range(2):
            # the word 0 first of its length: where that is the least, its codeword is zeros, which a mask can make
            rows = sorted(
                tree.classes(depth, zeros, most),
                key=lambda row: (row[0], row[1] >= 0, row[2] << max(row[1], 0)),
            )
            if not rows:
                break
            lengths, tails, prefixes = np.array(rows, np.int64).T
            found.setdefault(tuple(rows), PrefixCode(n_w, magnitude, lengths, tails, prefixes))
            most = int(tails.max()) - 1
            if most < 0:
                break
    return list(found.values()) or [blank]


class _PrefixTree:
    """The binary tree of the magnitudes' prefixes, in which the classes of least total are looked for.

    Codewords of at most `depth` bits share 2^depth slots, one of l bits taking 2^(depth - l) of them. From the leaves
    up, every prefix gets the least cost for every number of slots: as a class, or divided among its two halves, or
    without a codeword, patched. So classes and lengths are chosen together.
    """

    def __init__(
        self,
        magnitudes: NDArray[np.int64],
        counts: NDArray[np.int64],
        bits: int,
        patch_bits: float,
        class_bits: float,
    ) -> None:
        self.bits, self.patch_bits, self.class_bits = bits, patch_bits, class_bits
        self.levels: list[tuple[int, NDArray, NDArray, NDArray, NDArray]] = []
        tail, keys = 0, magnitudes
        lower: NDArray[np.int64] | None = None
        while keys.size:
            if keys.size <= _MOST_PREFIXES or tail == bits:
                first = np.full(keys.size, -1) if lower is None else np.searchsorted(lower >> 1, keys)
                second = np.full(keys.size, -1)
                if lower is not None:
                    after = np.searchsorted(lower >> 1, keys, side="right") - 1
                    second = np.where(after > first, after, -1)
                self.levels.append((tail, keys, counts, first, second))
                lower = keys
            if tail == bits:
                break
            keys, start = np.unique(keys >> 1, return_index=True)
            counts = np.add.reduceat(counts, start)
            tail += 1

    def classes(self, depth: int, zeros: int, most: int) -> list[tuple[int, int, int]]:
        """Return (length, tail, prefix) of the classes, the word 0's among them, no tail longer than `most`."""
        slots = 1 << depth
        below = np.zeros((1, slots + 1))
        choices = []
        for tail, keys, counts, first, second in self.levels:
            best = np.empty((keys.size, slots + 1))
            choice = np.empty((keys.size, slots + 1), np.int16)
            line = _CLASS_BITS + self.bits - tail + self.class_bits if tail <= most else np.inf
            _least_costs(
                below,
                first,
                second,
                counts.astype(np.float64),
                tail,
                line,
                self.patch_bits,
                depth,
                best,
                choice,
            )
            choices.append(choice)
            below = best
        root = below[0]
        rows = []
        left = slots
        if zeros:
            totals = [zeros * length + root[slots - (slots >> length)] for length in range(1, depth + 1)]
            length = 1 + int(np.argmin(totals))
            rows.append((length, -1, 0))
            left -= slots >> length
        open_nodes = [(len(self.levels) - 1, 0, left)] if self.levels else []
        while open_nodes:
            level, node, share = open_nodes.pop()
            tail, keys, _, first, second = self.levels[level]
            how = int(choices[level][node, share])
            if how == _CLASS:
                rows.append((max(1, depth + 1 - share.bit_length()), tail, int(keys[node])))
            elif how >= 0:
                open_nodes.append((level - 1, int(first[node]), how))
                if second[node] >= 0:
                    open_nodes.append((level - 1, int(second[node]), share - how))
        return rows


_PATCHED, _CLASS = -2, -1


@njit(cache=True, nogil=True)
def _least_costs(below, first, second, counts, tail, line, patch_bits, depth, best, choice):  # type: ignore[no-untyped-def]
    """Fill best[v, s], the least cost of prefix v with s slots, and how: a kind, or the slots of its first half.

    below: the same of the prefixes one bit longer; first, second: v's halves among them, -1 for none; line: what a
    class costs besides its words.
    """
    for v in range(counts.size):
        for s in range(best.shape[1]):
            cost = counts[v] * patch_bits
            how = _PATCHED
            if s > 0:
                halvings = 0
                while 2 << halvings <= s:
                    halvings += 1
                alone = counts[v] * (max(1, depth - halvings) + 1 + tail) + line
                if alone < cost:
                    cost, how = alone, _CLASS
            if first[v] >= 0 and second[v] < 0 and below[first[v], s] < cost:
                cost, how = below[first[v], s], s
            elif first[v] >= 0 and second[v] >= 0:
                for share in range(s + 1):
                    divided = below[first[v], share] + below[second[v], s - share]
                    if divided < cost:
                        cost, how = divided, share
            best[v, s] = cost
            choice[v, s] = how
