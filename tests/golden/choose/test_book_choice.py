"""What a book is taken for: bits first, gates where bits are about the same."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.choose.book_choice import book_gates
from xorweave.golden.values.book_gates import word_gates
from xorweave.golden.values.prefix_code import PrefixCode


@pytest.mark.parametrize("lengths", [[1, 1], [1, 2, 2], [2, 2, 2, 3, 3], [1, 2, 3, 4, 5, 5]])
def test_a_plane_is_reckoned_at_six_gates_a_weight(lengths: list[int]) -> None:
    """A chain's XORs of an output and its share of the registers, with the word table on top."""
    sizes = np.array(lengths)
    book = PrefixCode(8, "inverted", sizes, np.full(sizes.size, 2), np.arange(sizes.size))
    assert book_gates(book) == pytest.approx(word_gates(book) + 6 * book.planes)
