"""Prefix codes of words: a kept weight takes as many planes as its codeword has bits, and no more.

An XOR code spends encoded bits on care bits alone, and a don't-care costs nothing. So words may have codewords of
unequal length although every block takes the same number of encoded bits: plane j is a care bit only where the
codeword has a bit j. Skewed values then cost their entropy, at a fixed rate, and every weight is decoded by itself,
by a small table of its own planes.

A codeword stands for a class of words: those whose magnitudes share their first bits. The class is followed by the
sign and by the rest of the magnitude as it is. The word 0 is a class of its own, which nothing follows. The
magnitude of a float are the bits below its sign. A negative integer's are inverted (``inverted``: an exclusive-or in
hardware, but -1 falls together with 0 and -2 with 1) or negated (``negated``: an adder, worth it where most values are
tiny).
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words

MAX_LENGTH = 15
MAGNITUDES = ("plain", "inverted", "negated")
_CLASS_BITS = 10  # of the stored table besides the prefix: length, tail
# A class must save this share of a bit for every word: a bigger table costs gates, one for every weight of a block.
_LEAST_GAIN = 0.002
_HALVINGS = 2

Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PrefixCode:
    """A canonical prefix code over classes of words.

    Parameters
    ----------
    n_w : int
        Bits of a word: sign, then magnitude.
    magnitude : {"plain", "inverted", "negated"}
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
        if self.magnitude == "inverted":
            return magnitude ^ (low * sign)
        if self.magnitude == "negated":
            return np.where(sign == 1, -magnitude & low, magnitude)
        return magnitude

    def rank_of(self, words: Words) -> NDArray[np.int64]:
        """Return the class of each word, -1 where it has none."""
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
        planes = (self.first_codes[rank] << (self.tail_planes + 1)) | (sign << self.tail_planes) | tail
        return planes.astype(np.uint64), rank

    def words_of(self, planes: NDArray[np.uint64], word: np.dtype) -> Words:
        """Decode planes of any shape, one weight by itself; codewords that stand for nothing read as the word 0."""
        if not self.lengths.size:
            return np.zeros(planes.shape, word)
        bits = planes.astype(np.int64)
        code = bits >> (self.tail_planes + 1)
        sign = bits >> self.tail_planes & 1
        at = np.searchsorted(self.first_codes, code, side="right") - 1
        beyond = code >= self.first_codes[-1] + (1 << (self.depth - int(self.lengths[-1])))
        tails = np.maximum(self.tails[at], 0)
        magnitude = self.prefixes[at] << tails | bits & ((1 << tails) - 1)
        whole = sign << (self.n_w - 1) | self._turned(magnitude, sign)
        return np.where((self.tails[at] < 0) | beyond, 0, whole).astype(word)

    def care_groups(self, rank: NDArray[np.int64]) -> list[tuple[int, int, NDArray[np.bool_]]]:
        """Return planes with the same care bits: (first, end, care), planes counted from the codeword's first bit.

        Parameters
        ----------
        rank : ndarray of int64
            Class of each word, -1 where it has none: nothing is a care bit there.
        """
        if not self.lengths.size:
            return []
        length = np.where(rank >= 0, self.lengths[rank], 0)
        tail = np.where(rank >= 0, self.tails[rank], -1)
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


def _best_classes(
    magnitudes: NDArray[np.int64], counts: NDArray[np.int64], total: int, bits: int, patch_bits: float
) -> tuple[Classes, Classes, Classes]:
    """Split the magnitudes into classes of least cost; return (tails, prefixes, how many words).

    Bottom-up over the binary tree of prefixes: a node is a class, or what its two halves are, or has no codeword. A
    class costs its words' information and tails, and its line of the table.
    """
    levels = []
    keys, count = magnitudes, counts
    below: NDArray[np.float64] | None = None
    for tail in range(bits + 1):
        leaf = count * (np.log2(total / count) + tail)
        leaf += _CLASS_BITS + bits - tail + _LEAST_GAIN * total
        patched = count * patch_bits
        alone = np.minimum(leaf, patched)
        split = np.full(keys.size, np.inf) if below is None else below
        levels.append((keys, count, split < alone, leaf <= patched))
        best = np.minimum(alone, split)
        parents, first = np.unique(keys >> 1, return_index=True)
        below, count, keys = np.add.reduceat(best, first), np.add.reduceat(count, first), parents
    tails: list[int] = []
    prefixes: list[int] = []
    sizes: list[int] = []
    open_keys = levels[-1][0]  # the root
    for tail in range(bits, -1, -1):
        keys, count, split, is_class = levels[tail]
        here = np.isin(keys, open_keys)
        chosen = here & ~split & is_class
        tails += [tail] * int(chosen.sum())
        prefixes += keys[chosen].tolist()
        sizes += count[chosen].tolist()
        wider = keys[here & split]
        open_keys = np.concatenate([wider << 1, wider << 1 | 1])
    return np.array(tails, np.int64), np.array(prefixes, np.int64), np.array(sizes, np.int64)


def make_prefix_codes(words: Words, n_w: int, *, magnitude: str, patch_bits: float) -> list[PrefixCode]:
    """Make codes of small total for these words, one for each useful limit of the codewords' length.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (n,)
        What is to be stored, zeros among them.
    n_w : int
    magnitude : {"plain", "inverted", "negated"}
    patch_bits : float
        What a word without a codeword costs.

    Returns
    -------
    list of PrefixCode
        Shorter limits first; the one without classes if there is no word.
    """
    nothing = np.zeros(0, np.int64)
    blank = PrefixCode(n_w, magnitude, nothing, nothing, nothing)
    if words.size == 0:
        return [blank]
    zeros = int((words == 0).sum())
    magnitudes, counts = np.unique(blank._magnitudes(words[words != 0])[0], return_counts=True)
    tails, prefixes, sizes = nothing, nothing, nothing
    if magnitudes.size:
        tails, prefixes, sizes = _best_classes(magnitudes, counts, words.size, n_w - 1, patch_bits)
    codes = []
    for halvings in range(_HALVINGS + 1):
        if halvings:
            # with few classes the whole lengths of codewords fit badly: half the largest class may fit better
            if not tails.size or tails[np.argmax(sizes)] == 0:
                break
            tails, prefixes, sizes = _halve_largest(tails, prefixes, sizes, magnitudes, counts)
        codes += _limited_codes(blank, tails, prefixes, sizes, zeros)
    return codes or [blank]


def _halve_largest(
    tails: Classes,
    prefixes: Classes,
    sizes: Classes,
    magnitudes: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> tuple[Classes, Classes, Classes]:
    """Split the class of most words in two (one of them may be empty, and is left out)."""
    at = int(np.argmax(sizes))
    tail = int(tails[at]) - 1
    keys = magnitudes >> tail
    halves = [int(prefixes[at]) << 1, int(prefixes[at]) << 1 | 1]
    words = [int(counts[keys == key].sum()) for key in halves]
    used = [i for i in (0, 1) if words[i]]
    return (
        np.append(np.delete(tails, at), [tail for _ in used]),
        np.append(np.delete(prefixes, at), [halves[i] for i in used]),
        np.append(np.delete(sizes, at), [words[i] for i in used]),
    )


def _limited_codes(
    blank: PrefixCode, tails: Classes, prefixes: Classes, sizes: Classes, zeros: int
) -> list[PrefixCode]:
    """Return the codes of these classes and the word 0, one for each limit that changes the lengths."""
    if zeros:
        tails, prefixes, sizes = np.append(tails, -1), np.append(prefixes, 0), np.append(sizes, zeros)
    order = np.argsort(-sizes, kind="stable")
    tails, prefixes, sizes = tails[order], prefixes[order], sizes[order]
    codes: list[PrefixCode] = []
    least = max(1, (sizes.size - 1).bit_length())
    for longest in range(least, min(MAX_LENGTH - 1, max(least, sizes.size - 1)) + 1):
        lengths = limited_lengths(sizes, longest)
        if not sizes.size or (codes and lengths.max() <= codes[-1].depth):
            break
        # the word 0 first among its equals: then its codeword is all zeros, and a mask can make it of any other
        by_length = np.lexsort((prefixes << np.maximum(tails, 0), tails >= 0, lengths))
        codes.append(
            PrefixCode(blank.n_w, blank.magnitude, lengths[by_length], tails[by_length], prefixes[by_length])
        )
    return codes
