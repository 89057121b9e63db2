"""Rounding to words that are cheap in a book: bounded, never dearer than rounding to the nearest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.values.cheaper_words import BITS_A_SQUARED_STEP, cheaper_words
from xorweave.golden.values.prefix_code import make_prefix_codes


def total(words: NDArray[np.int8], real: NDArray[np.float64], dtype: str) -> float:
    """Bits of the best book, and what the error is worth."""
    form = FORMATS[dtype]
    stored, patch = form.to_words(words), float(np.log2(max(2, words.size))) + form.n_w
    bits = []
    for book in make_prefix_codes(stored, form.n_w, magnitude="negated", patch_bits=patch, class_bits=0.02):
        rank = book.rank_of(stored)
        bits.append(np.where(rank >= 0, (book.lengths + book.tails + 1)[rank], patch).sum())
    return min(bits) + BITS_A_SQUARED_STEP * float(((words - real) ** 2).sum())


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 300), st.sampled_from([("int8", 127), ("int4", 7)]), st.floats(0.3, 1), st.integers(0, 9)
)
def test_no_word_is_zero_or_more_than_a_step_away(
    n: int, form: tuple[str, int], share: float, seed: int
) -> None:
    dtype, highest = form
    real = np.random.default_rng(seed).uniform(-highest * share, highest * share, n)
    real[seed // 2 % n] = (0.0, highest + 0.5)[seed % 2]
    words = cheaper_words(real, dtype, highest=highest, zeros=seed)
    assert words.dtype == np.int8 and (words != 0).all()
    assert np.abs(words.astype(int)).max() <= highest
    assert (np.abs(words - real) <= 1).all()
    assert (np.sign(words) == np.where(real < 0, -1, 1)).all()


@pytest.mark.parametrize("scale", [2.0, 8.0, 30.0])
def test_it_is_cheaper_than_the_nearest(scale: float) -> None:
    real = np.random.default_rng(1).laplace(0, scale, 3000)
    real = np.clip(real, -127, 127)
    nearest = np.where(np.rint(real) == 0, np.where(real < 0, -1, 1), np.rint(real)).astype(np.int8)
    words = cheaper_words(real, "int8", highest=127)
    assert total(words, real, "int8") <= total(nearest, real, "int8") + 1e-9
    assert (words != nearest).any()
    # what moved did so for fewer bits: at a coarse grid the entropy falls
    if scale == 2.0:
        shares = [np.unique(each, return_counts=True)[1] / real.size for each in (nearest, words)]
        assert -(shares[1] * np.log2(shares[1])).sum() < -(shares[0] * np.log2(shares[0])).sum() - 0.05


def test_against_every_choice_between_two_neighbours() -> None:
    """Nine numbers, 2^9 roundings: with the book of the one found, none is cheaper."""
    real = np.array([1.4, 1.5, 1.6, 2.5, -1.5, -2.4, 5.5, 6.5, 2.2])
    found = cheaper_words(real, "int4", highest=7)
    form, stored = FORMATS["int4"], FORMATS["int4"].to_words(found)
    books = make_prefix_codes(
        stored, 4, magnitude="negated", patch_bits=np.log2(real.size) + 4, class_bits=0.02
    )
    spent = []
    low = np.floor(np.abs(real)).astype(int)
    for book in books:
        bits = np.where(book.rank_of(stored) >= 0, (book.lengths + book.tails + 1)[book.rank_of(stored)], 99)
        every = np.array([[(number >> i & 1) for i in range(9)] for number in range(512)])
        words = ((low + every) * np.sign(real)).astype(np.int8)
        rank = book.rank_of(form.to_words(words))
        costs = np.where(rank >= 0, (book.lengths + book.tails + 1)[rank], 99).sum(axis=1)
        costs = costs + BITS_A_SQUARED_STEP * ((words - real) ** 2).sum(axis=1)
        spent.append((bits.sum() + BITS_A_SQUARED_STEP * ((found - real) ** 2).sum(), costs.min()))
    assert min(own for own, _ in spent) <= min(best for _, best in spent) + 1e-9
