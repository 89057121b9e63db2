from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.values.book_gates import _decisions, classes_by_codeword, word_gates
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes


def subfunctions(tables: list[tuple[bool, ...]]) -> int:
    """Nodes of a reduced diagram, by their definition: the different subfunctions whose first variable matters."""
    nodes = set()
    for table in tables:
        width = len(table)
        while width > 1:
            for start in range(0, len(table), width):
                part = table[start : start + width]
                if part[: width // 2] != part[width // 2 :]:
                    nodes.add(part)
            width //= 2
    return len(nodes)


@given(st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=1, max_size=4))
def test_nodes_are_the_different_subfunctions(tables: list[list[bool]]) -> None:
    assert _decisions([np.array(table) for table in tables]) == subfunctions([tuple(t) for t in tables])


def test_every_codeword_names_its_class() -> None:
    book = PrefixCode(4, "inverted", np.array([1, 2, 4, 4]), np.array([2, -1, 1, 0]), np.array([1, 0, 1, 1]))
    tails, prefixes = classes_by_codeword(book)
    assert tails.tolist() == [2] * 8 + [-1] * 4 + [1, 0, -1, -1]
    assert prefixes.tolist() == [1] * 8 + [0] * 4 + [1, 1, 0, 0]


@pytest.mark.parametrize("magnitude", ["inverted", "prefix-inverted", "negated"])
def test_fewer_classes_take_fewer_gates(magnitude: str) -> None:
    drawn = np.round(np.random.default_rng(1).standard_normal(5000) * 30).clip(-127, 127)
    words = drawn.astype(np.int8).view(np.uint8)
    books = make_prefix_codes(words, 8, magnitude=magnitude, patch_bits=20, class_bits=0)
    most = max(books, key=lambda book: book.lengths.size)
    least = min(books, key=lambda book: book.lengths.size)
    assert word_gates(least) < 0.8 * word_gates(most)


def test_a_tail_that_follows_as_it_is_saves_its_inverters() -> None:
    sizes = np.array([2, 2, 2]), np.array([-1, 5, 5]), np.array([0, 0, 1])
    assert (
        word_gates(PrefixCode(8, "prefix-inverted", *sizes))
        < word_gates(PrefixCode(8, "inverted", *sizes)) - 4
    )


def test_no_classes_take_no_gates() -> None:
    none = np.zeros(0, np.int64)
    assert word_gates(PrefixCode(8, "inverted", none, none, none)) == 0
