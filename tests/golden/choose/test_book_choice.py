"""What a book is taken for: bits first, gates where bits are about the same."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.book_choice import book_gates, choose_book, gate_price, group_code, table_bits
from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.prefix_code import PrefixCode


@pytest.mark.parametrize("lengths", [[1, 1], [1, 2, 2], [2, 2, 2, 3, 3], [1, 2, 3, 4, 5, 5]])
def test_a_plane_is_reckoned_at_three_gates_a_weight(lengths: list[int]) -> None:
    """A graph's XORs of an output, with the word table on top; registers are in the price of the rates."""
    sizes = np.array(lengths)
    book = PrefixCode(8, "inverted", sizes, np.full(sizes.size, 2), np.arange(sizes.size))
    assert book_gates(book) == pytest.approx(word_gates(book) + 3 * book.planes)


@pytest.mark.parametrize(("n_in", "n_s", "pool"), [(8, 3, 40), (1, 1, 19), (2, 0, 19)])
def test_groups_have_graphs_of_five_sums_for_each_encoded_bit(n_in: int, n_s: int, pool: int) -> None:
    """And never fewer than three times the square root of the outputs."""
    code = group_code(n_in, 40, n_s, 3)
    assert code.family == "graph"
    assert (code.parameters["seed"], code.parameters["pool"]) == (3, pool)


@pytest.mark.parametrize(
    ("n", "price"), [(1, 0.004), (1 << 16, 0.004), (1 << 18, 0.0005), (1 << 20, 0.0000625)]
)
def test_gates_cost_large_tensors_fewer_bits(n: int, price: float) -> None:
    assert gate_price(n) == pytest.approx(price)


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
    spent = coded.expected_bits / (1 + gate_price(4000) * book_gates(book))
    spent -= table_bits(book) + patched * (np.log2(4000 / 64) + 1.5 + 8)
    assert codewords <= spent <= 1.3 * codewords
