"""Choosing a prefix book, and rates for its groups, for words under a mask whose search is done."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.group_rates import Beside, choose_rates
from xorweave.golden.code.code import Code
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes

_WINDOWS = (64, 96, 128, 192, 256, 384, 512)  # longest windows of the densest group, tried
# Share of the bits that a gate equivalent of the decoder, for one weight a cycle, must save.
GATE_PRICE = 0.0003
_PLANE = 3.0  # gate equivalents of a plane's XOR network, about
_CLASS_BITS = (0.002, 0.02, 0.05)  # bits a word that a class must save: books of many classes and of few
# Books are compared by the first part of a long scan. Rates are not judged by it: they follow the density closer than
# that of any part follows the whole's.
_SAMPLE = 1 << 17
_BOOKS = 5  # code books for which all rates are judged


@dataclass(frozen=True)
class CodedValues:
    """A value coder and the codes of its groups.

    Attributes
    ----------
    values : ValueCoder
    n_out : int
    sizes : tuple of (int, int)
        N_in and N_s of each group.
    expected_bits : float
        Payload, patches and, of a book, its table, foretold; those of a mask beside them, too.
    beside : tuple of (int, int)
        The same sizes of the groups of a mask that is encoded beside the values.
    """

    values: ValueCoder
    n_out: int
    sizes: tuple[tuple[int, int], ...]
    expected_bits: float
    beside: tuple[tuple[int, int], ...] = ()

    def codes(self, seed: int) -> list[Code]:
        """Make the codes of the groups."""
        return [usual_graph(n_in, self.n_out, n_s, seed) for n_in, n_s in self.sizes]


def windows_of(max_k: int | None) -> list[int]:
    """Return the longest windows of the densest group that are tried: the one asked for, or all."""
    return [max_k] if max_k else list(_WINDOWS)


def book_gates(book: PrefixCode) -> float:
    """Estimate the gate equivalents of word table and XOR networks for one weight a cycle."""
    return word_gates(book) + _PLANE * book.planes


def table_bits(book: PrefixCode) -> int:
    """Return the bits that the stored code book takes, some four bytes a class."""
    return 8 * (3 + 4 * book.lengths.size)


def choose_book(
    words: Words,
    kept: NDArray[np.bool_],
    number_format: NumberFormat,
    *,
    max_k: int | None = None,
    n_out: int | None = None,
    beside: Beside | None = None,
    quick: bool = False,
    gates: float = GATE_PRICE,
) -> CodedValues | None:
    """Choose book and rates of fewest expected bits; None where no book pays. See `Chooser`."""
    n, n_w = words.size, number_format.n_w
    patch_bits = math.log2(max(2, n / 64)) + 1.5 + n_w
    stored, counts = np.unique(words[kept], return_counts=True)
    magnitudes = ("plain",) if number_format.is_float else ("prefix-inverted", "negated")
    books = (
        book
        for magnitude in magnitudes
        for class_bits in (_CLASS_BITS[:1] if quick else _CLASS_BITS)
        for book in make_prefix_codes(
            stored, n_w, magnitude=magnitude, patch_bits=patch_bits, class_bits=class_bits, counts=counts
        )
    )

    def rated(book: PrefixCode, lane: float, patched: int, seen: int, fine: bool = False) -> CodedValues:
        rank = np.full(seen, -1, np.int64)
        rank[kept[:seen]] = book.rank_of(words[:seen][kept[:seen]])
        groups = book.care_groups(rank)
        cost, outputs, sizes = choose_rates(
            groups,
            seen,
            n_w,
            windows_of(max_k),
            n_out=n_out,
            fine=fine,
            gate_price=gates,
            beside=beside and beside.first(seen),
        )
        cost = cost * n / max(1, seen) + table_bits(book) + patch_bits * patched
        return CodedValues(
            book,
            outputs,
            tuple(sizes[: len(groups)]),
            cost * (1 + gates * lane),
            tuple(sizes[len(groups) :]),
        )

    tried = 1 if quick else _BOOKS
    likely = [
        row for row in _likely_books(books, stored, counts, patch_bits, gates, tried) if row[0].lengths.size
    ]
    if len(likely) > 1:
        costs = [rated(*row, min(n, _SAMPLE)).expected_bits for row in likely]
        likely = [likely[costs.index(min(costs))]]
    best = rated(*likely[0], n, fine=n_out is None and not quick) if likely else None
    return best if best is not None and math.isfinite(best.expected_bits) else None


def _likely_books(
    books: Iterable[PrefixCode],
    stored: Words,
    counts: NDArray[np.int64],
    patch_bits: float,
    price: float,
    most: int,
) -> list[tuple[PrefixCode, float, int]]:
    """Return so many books of fewest bits, by their codewords alone, each with its gates and the words that it patches.

    `stored` are the words and `counts` how often each occurs.
    """
    told: list[tuple[float, int, PrefixCode, int]] = []
    for book in books:
        rank = book.rank_of(stored)
        has = rank >= 0
        coded = int(counts[has] @ (book.lengths + book.tails + 1)[rank[has]]) if book.lengths.size else 0
        patched = int(counts[~has & (stored != 0)].sum())
        told.append((coded + patch_bits * patched, len(told), book, patched))
    found: list[tuple[float, int, PrefixCode, float, int]] = []
    for bits, number, book, patched in sorted(told, key=lambda row: row[:2]):
        # gates only ever add to it, and counting them takes as long as all else
        if len(found) >= most and bits + table_bits(book) > sorted(row[0] for row in found)[most - 1]:
            continue
        gates = book_gates(book)
        found.append((bits * (1 + price * gates) + table_bits(book), number, book, gates, patched))
    return [
        (book, gates, patched) for _, _, book, gates, patched in sorted(found, key=lambda row: row[:2])[:most]
    ]
