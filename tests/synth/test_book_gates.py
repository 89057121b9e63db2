from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.prefix_code import make_prefix_codes
from xorweave.hw.stages.prefix_word import PrefixWord
from xorweave.synth.codec_gates import gates_of


@pytest.mark.parametrize("depth", [2, 4])
def test_the_estimate_is_near_what_synthesis_counts(depth: int) -> None:
    """Of books that the fit may have seen or not: the words are drawn anew."""
    drawn = np.round(np.random.default_rng(11).laplace(size=20_000) * 20).clip(-127, 127)
    words = drawn.astype(np.int8).view(np.uint8)
    books = make_prefix_codes(words, 8, magnitude="prefix-inverted", patch_bits=20)
    book = next(book for book in books if book.depth == depth)
    assert word_gates(book) == pytest.approx(
        gates_of(PrefixWord(book, gated=True)),
        rel=0.3,
        abs=2.5,  # of some hundred for a weight
    )
