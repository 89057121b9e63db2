"""Choosing a prefix book, and rates for its groups, for words under a mask whose search is done."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.group_rates import choose_rates
from xorweave.golden.code.code import Code
from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes

_TAPS = 2
MOST_K, _LEAST_K = 512, 96  # longest and shortest window
_GATE = 0.0001  # share of the bits that a gate equivalent a weight must save
_PLANE = 6.0  # gate equivalents of a plane, about: a chain's XORs and its share of the registers
_CLASS_BITS = (0.002, 0.02)  # bits a word that a class must save: books of many classes and of few
_BOOKS = 5  # code books for which all rates are judged


def group_code(n_in: int, n_out: int, n_s: int, seed: int) -> Code:
    """Return the code of a group: chains of ten outputs with two fresh taps each.

    Against dense rows that costs about a percent of the bits and saves most of the gates.
    """
    return Code.from_family(
        "chain", n_in=n_in, n_out=n_out, n_s=n_s, seed=seed, taps=min(_TAPS, n_in * (n_s + 1))
    )


@dataclass(frozen=True)
class BookChoice:
    """A book and the codes of its groups.

    Attributes
    ----------
    book : PrefixCode
    n_out : int
    widths : tuple of int
        N_in of each group.
    max_k : int
        Longest window of any group.
    expected_bits : float
        Payload, patches and the book's table, foretold.
    """

    book: PrefixCode
    n_out: int
    widths: tuple[int, ...]
    max_k: int
    expected_bits: float

    def codes(self, seed: int) -> list[Code]:
        """Make the codes of the groups."""
        return [group_code(n_in, self.n_out, max(1, self.max_k // n_in - 1), seed) for n_in in self.widths]


def settle_block(
    truth: Words, under: NDArray[np.bool_], number_format: NumberFormat, *, max_k: int | None = None
) -> int | None:
    """Settle the block of words whose mask is known only about; None where no book pays. See `choose_book`."""
    found = choose_book(truth, under, number_format, max_k=max_k)
    if found is None:
        return None
    rank = np.full(truth.size, -1, np.int64)
    rank[under] = found.book.rank_of(truth[under])
    groups = found.book.care_groups(rank)
    return choose_rates(groups, truth.size, number_format.n_w, max_k or window_for, smooth=True)[1]


def window_for(n_out: int) -> int:
    """Return the longest window that pays for a block: history costs gates for every bit, a block shares them.

    At 256 outputs a window of 96 costs 0.6 % more bits than one of 170, and saves a fifth of the decoder's gates.
    """
    return min(MOST_K, max(_LEAST_K, n_out - 192))


def book_gates(book: PrefixCode) -> float:
    """Estimate the gate equivalents of planes and word table for one weight a cycle."""
    return word_gates(book) + _PLANE * book.planes


def table_bits(book: PrefixCode) -> int:
    """Return the bits that the stored code book takes, some four bytes a class."""
    return 8 * (3 + 4 * book.lengths.size)


def choose_book(
    truth: Words,
    under: NDArray[np.bool_],
    number_format: NumberFormat,
    *,
    max_k: int | None = None,
    n_out: int | None = None,
) -> BookChoice | None:
    """Choose book and rates of fewest expected bits; None where no book pays.

    Parameters
    ----------
    truth : ndarray of unsigned words, shape (length,), scan order
        What each position must read as.
    under : ndarray of bool, same shape
        The mask as its decoder gives it, false ones included.
    max_k : int, optional
        Longest window of any group; by default as the block warrants (`window_for`).
    n_out : int, optional
        The block, where it is settled already.
    """
    n, n_w = truth.size, number_format.n_w
    patch_bits = math.log2(max(2, n / 64)) + 1.5 + n_w
    stored = truth[under]
    candidates: list[tuple[float, int, PrefixCode]] = []
    magnitudes = ("plain",) if number_format.is_float else ("prefix-inverted", "negated")
    books = (
        book
        for magnitude in magnitudes
        for class_bits in _CLASS_BITS
        for book in make_prefix_codes(
            stored, n_w, magnitude=magnitude, patch_bits=patch_bits, class_bits=class_bits
        )
    )
    for book in books:
        rank = book.rank_of(stored)
        per_class = np.bincount(rank[rank >= 0], minlength=book.lengths.size)
        told = per_class @ (book.lengths + book.tails + 1) + patch_bits * int(
            ((rank < 0) & (stored != 0)).sum()
        )
        told *= 1 + _GATE * book_gates(book)
        candidates.append((float(told) + table_bits(book), len(candidates), book))
    best: BookChoice | None = None
    for _, _, book in sorted(candidates)[:_BOOKS]:
        if not book.lengths.size:
            continue
        rank = np.full(n, -1, np.int64)
        rank[under] = book.rank_of(stored)
        cost, outputs, widths = choose_rates(book.care_groups(rank), n, n_w, max_k or window_for, n_out=n_out)
        cost += table_bits(book) + patch_bits * int((under & (rank < 0) & (truth != 0)).sum())
        cost *= 1 + _GATE * book_gates(book)
        if math.isfinite(cost) and (best is None or cost < best.expected_bits):
            best = BookChoice(book, outputs, tuple(widths), max_k or window_for(outputs), cost)
    return best
