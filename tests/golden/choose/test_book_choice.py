"""What a book is taken for: bits first, gates where bits are about the same."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose import book_choice
from xorweave.golden.choose.book_choice import (
    GATE_PRICE,
    _likely_books,
    book_gates,
    choose_book,
    table_bits,
    usual_graph,
    windows_of,
)
from xorweave.golden.choose.group_rates import choose_rates
from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes


@pytest.mark.parametrize("lengths", [[1, 1], [1, 2, 2], [2, 2, 2, 3, 3], [1, 2, 3, 4, 5, 5]])
def test_a_plane_is_reckoned_at_three_gates_a_weight(lengths: list[int]) -> None:
    """A graph's XORs of an output, with the word table on top; registers are in the price of the rates."""
    sizes = np.array(lengths)
    book = PrefixCode(8, "inverted", sizes, np.full(sizes.size, 2), np.arange(sizes.size))
    assert book_gates(book) == pytest.approx(word_gates(book) + 3 * book.planes)


@pytest.mark.parametrize(("n_in", "n_s", "pool"), [(8, 3, 40), (1, 1, 19), (2, 0, 19)])
def test_groups_have_graphs_of_five_sums_for_each_encoded_bit(n_in: int, n_s: int, pool: int) -> None:
    """And never fewer than three times the square root of the outputs."""
    code = usual_graph(n_in, 40, n_s, 3)
    assert code.family == "graph"
    assert (code.parameters["seed"], code.parameters["pool"]) == (3, pool)


def _normal_words(n: int, density: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    levels = np.clip(np.round(rng.normal(size=n) * 40), -127, 127).astype(np.int8)
    kept = rng.random(n) < density
    return levels.view(np.uint8) * kept, kept


@pytest.mark.parametrize("price", [0.0, 0.004])
def test_likely_books_are_those_of_fewest_bits_by_a_plain_count(price: float) -> None:
    words, kept = _normal_words(3000)
    patch_bits = 17.0
    books = [
        book
        for magnitude in ("prefix-inverted", "negated")
        for book in make_prefix_codes(words[kept], 8, magnitude=magnitude, patch_bits=patch_bits)
    ]

    def told(book: PrefixCode) -> float:
        bits = 0.0
        for word in words[kept]:
            rank = int(book.rank_of(np.array([word], np.uint8))[0])
            if rank >= 0:
                bits += int(book.lengths[rank]) + int(book.tails[rank]) + 1
            elif word:
                bits += patch_bits
        return bits * (1 + price * book_gates(book)) + table_bits(book)

    found = _likely_books(books, *np.unique(words[kept], return_counts=True), patch_bits, price, 5)
    wanted = sorted(range(len(books)), key=lambda number: told(books[number]))[: len(found)]
    assert len(found) == 5
    assert [told(book) for book, _, _ in found] == [told(books[number]) for number in wanted]
    for book, gates, patched in found:
        assert gates == book_gates(book)
        assert patched == np.count_nonzero((book.rank_of(words[kept]) < 0) & (words[kept] != 0))


def test_books_of_counted_words_are_those_of_the_words() -> None:
    words, kept = _normal_words(3000)
    stored, counts = np.unique(words[kept], return_counts=True)
    how = {"magnitude": "prefix-inverted", "patch_bits": 17.0, "class_bits": 0.02}
    plain, counted = (
        make_prefix_codes(words[kept], 8, **how),
        make_prefix_codes(stored, 8, **how, counts=counts),
    )
    assert len(plain) > 3
    for one, other in zip(plain, counted, strict=True):
        assert (one.lengths == other.lengths).all()
        assert (one.tails == other.tails).all()
        assert (one.prefixes == other.prefixes).all()


def test_books_of_long_scans_are_compared_by_a_part_and_rated_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    words, kept = _normal_words(40000)
    whole = choose_book(words, kept, number_format("int8"))
    monkeypatch.setattr(book_choice, "_SAMPLE", 10000)
    part = choose_book(words, kept, number_format("int8"))
    assert part is not None
    assert whole is not None
    assert part.expected_bits == pytest.approx(whole.expected_bits, rel=0.005)
    words[10000:][kept[10000:]] = 77  # beyond what books are compared by
    seen = choose_book(words, kept, number_format("int8"))
    assert seen is not None
    book = seen.values
    assert isinstance(book, PrefixCode)
    assert (book.rank_of(np.array([77], np.uint8)) >= 0).all()
    care = [
        (first, end, bits)
        for (first, end), bits in zip(book.spans, book.targets(words, kept)[1], strict=True)
    ]
    sizes = choose_rates(care, 40000, 8, windows_of(None), fine=True, gate_price=GATE_PRICE)[1:]
    assert (seen.n_out, list(seen.sizes)) == sizes


def test_expected_bits_are_codewords_patches_and_book() -> None:
    """Words that are in no class are patched: 4,000 weights, log2(4000 / 64) + 1.5 + 8 bits each."""
    rng = np.random.default_rng(2)
    kept = rng.random(4000) < 0.3
    words = np.clip(np.rint(rng.laplace(0, 3, 4000)), -15, 15).astype(np.int8).view(np.uint8) * kept
    far = np.flatnonzero(kept)[::200]
    words[far] = rng.integers(100, 120, far.size)
    coded = choose_book(words, kept, number_format("int8"))
    assert coded is not None
    book = coded.values
    assert isinstance(book, PrefixCode)
    rank = book.rank_of(words[kept])
    patched = int(((rank < 0) & (words[kept] != 0)).sum())
    assert 0 < patched <= far.size
    codewords = int((book.lengths + book.tails + 1)[rank[rank >= 0]].sum())
    spent = coded.expected_bits / (1 + GATE_PRICE * book_gates(book))
    spent -= table_bits(book) + patched * (np.log2(4000 / 64) + 1.5 + 8)
    assert codewords <= spent <= 1.3 * codewords
