"""Greedy pairs replayed by hand: every shared gate joins a pair that no other pair beats."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.pairs import greedy_pairs, share_pairs

shapes = st.tuples(st.integers(0, 14), st.integers(1, 14))
matrices = arrays(np.uint8, shapes, elements=st.integers(0, 1))


@settings(deadline=None)
@given(matrices, st.integers(0, 3))
def test_every_shared_gate_joins_a_commonest_pair(matrix: np.ndarray, seed: int) -> None:
    rows = [set(map(int, np.flatnonzero(row))) for row in matrix]
    inputs = matrix.shape[1]
    gates, results = share_pairs([sorted(row) for row in rows], levels=[0] * inputs, seed=seed)
    for new, (a, b) in enumerate(gates, inputs):
        counts = Counter(pair for row in rows for pair in combinations(sorted(row), 2))
        assert counts[min(a, b), max(a, b)] == max(counts.values())
        for row in rows:
            if max(counts.values()) == 1 and {a, b} <= row:
                row.difference_update((a, b))
                row.add(new)
                break  # a pair of one row only: the gate is that row's own
            if max(counts.values()) > 1 and {a, b} <= row:
                row.difference_update((a, b))
                row.add(new)
    assert [row or {-1} for row in rows] == [{result} for result in results]


@settings(deadline=None)
@given(matrices, st.integers(0, 4), st.integers(0, 3))
def test_the_network_computes_the_matrix_within_the_depth(matrix: np.ndarray, slack: int, seed: int) -> None:
    least = (int(matrix.sum(axis=1, dtype=int).max(initial=1)) - 1).bit_length()
    network = greedy_pairs(matrix, depth_limit=least + slack, seed=seed)
    assert np.array_equal(network.matrix(), matrix)
    assert network.depth <= least + slack


def test_nothing_cancels() -> None:
    matrix = np.random.default_rng(5).integers(0, 2, (40, 30), dtype=np.uint8)
    network = greedy_pairs(matrix)
    forms = [1 << i for i in range(network.inputs)]
    for a, b in network.gates:
        assert forms[a] & forms[b] == 0
        forms.append(forms[a] | forms[b])


def test_levels_of_the_signals_count() -> None:
    # signal 0 is there late: whatever is added to it is added last
    gates, results = share_pairs([[0, 1, 2, 3]], levels=[2, 0, 0, 0], depth_limit=3)
    level = [2, 0, 0, 0]
    for a, b in gates:
        level.append(1 + max(level[a], level[b]))
    assert level[results[0]] == 3


def test_a_limit_below_the_tree_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the depth limit must be at least 3 for this matrix, not 2$"):
        greedy_pairs(np.ones((2, 5), np.uint8), depth_limit=2)
