"""Choosing the pattern book of a mask, and the codes of its planes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.choose.book_choice import GATE_PRICE
from xorweave.golden.choose.group_rates import Beside
from xorweave.golden.code.code import Code
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.mask.pattern_book import PatternBook, patterns_in_order, patterns_of

_SIZES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14)  # mask bits of a pattern, tried
_DEPTH = 12  # longest codeword
_SAMPLE = 1 << 20  # positions of a long mask that are looked at
_CODEWORDS = 112  # most codewords
_OPEN = 48  # most prefixes of one length that are continued
# What a plane wastes, as N_in is a whole number of encoded bits: some of them a block, of so many weights about, and so
# many in a small tensor.
_PLANE_WASTE, _BLOCK, _SMALL_BLOCK, _BLOCKS = 0.3, 700, 256, 128
_CODEWORD_GATES = 3.0  # gate equivalents of a codeword in the table, about
_WRONG = 3  # mask bits that are wrong where one bit of a codeword is
_PATCH = 12  # bits of a patch beside its word, about


@njit(cache=True, nogil=True)
def _likely_lengths(before, m, depth, most_open, waste, codeword, best, taken):  # type: ignore[no-untyped-def]
    # best[l, k, o]: least bits where codewords of l bits and more are still to be given, k patterns have one and o
    # prefixes of l bits are free; taken: how many of those o become codewords, all of them where the last is the
    # escape. before[k]: how often the first k patterns occur, before[-1] all of them.
    patterns = before.size - 1
    listed = best.shape[1] - 1
    total = before[patterns]
    for length in range(depth, 0, -1):
        for k in range(listed, -1, -1):
            for free in range(1, most_open + 1):
                cheapest = np.inf
                choice = -1
                # a plane for each bit of the codewords; those of an escaped pattern are planes, too
                if k + free == patterns:
                    cheapest = length * (total - before[k]) + codeword * free
                    choice = free
                elif k + free - 1 <= listed and k + free < patterns:
                    escaped = total - before[k + free - 1]
                    cheapest = length * (total - before[k]) + m * escaped + waste * m + codeword * free
                    choice = free
                if length < depth:
                    for count in range(0, free):
                        rest = 2 * (free - count)
                        if rest > most_open or k + count > listed or k + count + rest > patterns + 1:
                            continue
                        bits = length * (before[k + count] - before[k]) + codeword * count
                        bits += best[length + 1, k + count, rest]
                        if bits < cheapest:
                            cheapest = bits
                            choice = count
                best[length, k, free] = cheapest + waste
                taken[length, k, free] = choice


def _book_of_size(
    histogram: NDArray[np.int64], m: int, waste: float, codeword: float, inverted: bool
) -> tuple[float, PatternBook]:
    """Return the bits that patterns take at least, what planes and codewords cost among them, and the book."""
    order = patterns_in_order(m) ^ ((1 << m) - 1 if inverted else 0)
    before = np.concatenate([[0.0], np.cumsum(histogram[order], dtype=np.float64)])
    listed = min(1 << m, _CODEWORDS)
    best = np.full((_DEPTH + 2, listed + 1, _OPEN + 1), np.inf)
    taken = np.full(best.shape, -1, np.int16)
    _likely_lengths(before, m, _DEPTH, _OPEN, waste, codeword, best, taken)
    counts: list[int] = []
    k, free = 0, 2
    while free:
        count = int(taken[len(counts) + 1, k, free])
        counts.append(count)
        k, free = k + count, 2 * (free - count)
    return float(best[1, 0, 2]), PatternBook(m, tuple(counts), inverted)


def choose_pattern_book(kept: NDArray[np.bool_], gates: float = GATE_PRICE) -> tuple[float, PatternBook]:
    """Choose the book that stores a mask in scan order, shape (n,), in the fewest bits, and foretell them.

    What its planes waste, and the price of its gates, is among them; `gates` as of `Chooser`.
    """
    n = kept.size
    found: list[tuple[float, int, PatternBook]] = []
    kept = kept[:_SAMPLE]
    waste = _PLANE_WASTE * kept.size / min(_BLOCK, max(_SMALL_BLOCK, n // _BLOCKS))
    inverted = bool(2 * np.count_nonzero(kept) > kept.size)
    for m in _SIZES:
        patterns = patterns_of(kept, m)
        histogram = np.bincount(patterns, minlength=1 << m)
        codeword = gates * kept.size * _CODEWORD_GATES / m
        bits, book = _book_of_size(histogram, m, waste, codeword, inverted)
        found.append((bits, m, book))
    bits, _, book = min(found, key=lambda row: row[:2])
    return bits * n / max(1, kept.size), book


def beside(kept: NDArray[np.bool_], book: PatternBook, n_w: int) -> Beside:
    """Return the groups of a mask's planes, but the first, whose code is the identity.

    Parameters
    ----------
    kept : ndarray of bool, shape (n,), scan order
    n_w : int
        Bits of a weight, and so of a patch.
    """
    patterns = patterns_of(kept, book.m)
    _, care = book.targets(patterns, np.ones(patterns.size, bool))
    groups = [(first, end, bits) for (first, end), bits in zip(book.spans, care, strict=True)]
    return Beside(groups[1:], patterns.size, book.m, _WRONG * (n_w + _PATCH) - _PATCH)


def mask_codes(book: PatternBook, n_out: int, sizes: Sequence[tuple[int, int]], seed: int = 0) -> list[Code]:
    """Make the codes of a mask's groups whose values have blocks of n_out: the identity, and those of these sizes."""
    outputs = n_out // book.m
    identity = Code.from_family("identity", n_in=outputs, n_out=outputs, n_s=0)
    return [identity, *(usual_graph(n_in, outputs, n_s, seed) for n_in, n_s in sizes)]
