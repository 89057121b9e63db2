"""The order of cells against the sentence that defines it, weight by weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellOrder

SIZES = st.integers(1, 70)


@st.composite
def orders(draw):
    rows, columns = draw(SIZES), draw(SIZES)
    if draw(st.booleans()):
        return CellOrder(rows, columns, draw(st.integers(1, 5)))
    return CellOrder(rows, columns, -(-rows // 8) * draw(st.integers(1, 4)), rotating=False)


@settings(max_examples=60, deadline=None)
@given(orders(), st.integers(0, 5))
def test_every_weight_has_one_place(order, padding):
    matrix = np.arange(1, order.rows * order.columns + 1).reshape(order.rows, order.columns)
    length = order.positions + padding
    arranged = order.arrange(matrix, length)
    assert arranged.shape == (order.lanes, length)
    assert np.array_equal(np.sort(arranged[arranged > 0]), matrix.reshape(-1))
    assert np.array_equal(order.restore(arranged), matrix)
    flat = np.flatnonzero(arranged)
    rows, columns = order.locate(flat, length)
    assert np.array_equal(matrix[rows, columns], arranged.reshape(-1)[flat])


@settings(max_examples=30, deadline=None)
@given(orders())
def test_a_cell_is_eight_rows_times_four_columns(order):
    """The 32 lanes of a word, lane by lane, at every position: what integer dot products rely on."""
    row_group, column_group = order.cells()
    columns = np.append(order.placed_columns(), [0])
    for word in range(order.words):
        for position in range(order.positions):
            if column_group[word, position] >= order.column_groups:
                continue
            for bit in range(32):
                flat = np.array([(word * 32 + bit) * order.positions + position])
                row, column = (int(v[0]) for v in order.locate(flat, order.positions))
                assert row == row_group[word, position] * 8 + bit % 8
                assert column == columns[column_group[word, position] * 4 + bit // 8]


def test_walking_words_meet_all_rows():
    order = CellOrder(512, 400, 4)
    row_group, _column_group = order.cells()
    for word in range(order.words):
        assert set(row_group[word].tolist()) == set(range(order.row_groups))
    # and no two words are ever at the same rows
    assert all(len(set(at)) == order.words for at in row_group.T.tolist())


def test_placed_vectors_meet_their_columns():
    order = CellOrder(3, 10, 1)
    placed = order.place(np.arange(1, 11))
    columns = order.placed_columns()
    assert [int(v) for v in placed] == [c + 1 if c < 10 else 0 for c in columns.tolist()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 1), "rows must be at least 1, not 0"),
        ((4, 4, 0), "words must be at least 1, not 0"),
        ((20, 4, 4, False), "words must be a multiple of the 3 row groups, not 4"),
    ],
)
def test_bad_sizes_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        CellOrder(*arguments)
