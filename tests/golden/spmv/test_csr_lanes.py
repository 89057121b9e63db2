"""Rows dealt to lanes: all of them, in balance; sums as a plain loop makes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.csr_lanes import deal_rows, items_of


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 9))
def test_every_row_once_and_balanced(counts: list[int], lanes: int) -> None:
    dealt = deal_rows(np.array(counts), lanes)
    assert sorted(row for rows in dealt for row in rows) == [i for i, count in enumerate(counts) if count]
    loads = [sum(counts[row] for row in rows) for rows in dealt]
    # no deal can be better than these two bounds; Graham: the greedy one is within 4/3 of the best
    least = max(max(counts), -(-sum(counts) // lanes))
    assert max(loads) <= least + max(counts)
    assert max(loads) - min(loads) <= max(counts)


def test_items_and_their_sums() -> None:
    rng = np.random.default_rng(3)
    weights = rng.integers(-128, 128, (17, 11)).astype(np.int8)
    mask = rng.random(weights.shape) < 0.4
    mask[4] = False
    vectors = rng.integers(-128, 128, (2, 11)).astype(np.int8)
    lanes = items_of(weights, mask, 3)
    product = np.where(mask, weights, 0).astype(int) @ vectors.T.astype(int)
    seen = 0
    for lane in lanes:
        sums = lane.sums(vectors)
        total = np.zeros(2, int)
        row = 0
        for value, column, end, after in zip(lane.values, lane.columns, lane.ends, sums, strict=True):
            total += int(value) * vectors[:, column].astype(int)
            assert (after == total).all()
            if end:
                assert (total == product[lane.rows[row]]).all()
                total, row = np.zeros(2, int), row + 1
            seen += 1
        assert row == lane.rows.size
    assert seen == mask.sum()


def test_bad_input() -> None:
    with pytest.raises(InputError, match="at least 1 lane, not 0"):
        deal_rows(np.ones(3, int), 0)
