"""The one call: exact on every tiny matrix, true to matrix, limit and seed on all others."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.xor import synthesis as xor_synthesis
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.hw.xor.synthesis import optimize

shapes = st.tuples(st.integers(0, 12), st.integers(1, 12))
matrices = arrays(np.uint8, shapes, elements=st.integers(0, 1))


def reachable_sets(inputs: int) -> dict[int, int]:
    """All sets of sums that some straight-line program makes, as masks over the forms, with their gates."""
    start = sum(1 << (1 << i) for i in range(inputs))
    known = {start: 0}
    front = [start]
    while front:
        following = []
        for state in front:
            forms = [f for f in range(1, 1 << inputs) if state >> f & 1]
            for a, b in combinations(forms, 2):
                bigger = state | 1 << (a ^ b)
                if bigger not in known:
                    known[bigger] = known[state] + 1
                    following.append(bigger)
        front = following
    return known


@pytest.mark.parametrize(("inputs", "most_rows"), [(2, 3), (3, 7), (4, 3)])
def test_every_tiny_matrix_gets_its_exact_optimum(inputs: int, most_rows: int) -> None:
    known = reachable_sets(inputs)
    forms = [f for f in range(1, 1 << inputs) if f.bit_count() > 1]
    for count in range(1, min(most_rows, len(forms)) + 1):
        for rows in combinations(forms, count):
            wanted = sum(1 << f for f in rows)
            optimum = min(gates for state, gates in known.items() if state & wanted == wanted)
            matrix = np.array([[f >> i & 1 for i in range(inputs)] for f in rows], np.uint8)
            assert optimize(matrix).xor2 == optimum, rows


@given(matrices, st.integers(0, 3), st.sampled_from([0, 1]), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_matrix_depth_and_seed_are_kept(matrix: np.ndarray, slack: int, effort: int, seed: int) -> None:
    least = (int(matrix.sum(axis=1, dtype=int).max(initial=1)) - 1).bit_length()
    free = optimize(matrix, effort=effort, seed=seed)
    bound = optimize(matrix, effort=effort, depth_limit=least + slack, seed=seed)
    for network in (free, bound):
        assert np.array_equal(network.matrix(), matrix)
        assert (
            network.xor2 <= greedy_pairs(matrix, depth_limit=network.depth + 9, seed=seed).xor2
            or network is bound
        )
    assert bound.depth <= least + slack
    assert free == optimize(matrix, effort=effort, seed=seed)


def test_the_papers_decoder_shrinks_at_no_more_depth() -> None:
    matrix = Code.uniform(n_in=8, n_out=80, n_s=2).generator
    pairs = greedy_pairs(matrix)
    bound = optimize(matrix, depth_limit=pairs.depth)
    assert bound.xor2 < 0.95 * pairs.xor2
    assert bound.depth <= pairs.depth
    assert optimize(matrix).xor2 < 0.85 * pairs.xor2


def test_a_chain_costs_its_taps() -> None:
    # 8 runs of 10: 5 XORs for the six taps of a start, one for each of the nine outputs that follow
    code = Code.from_family("chain", n_in=16, n_out=80, n_s=3, taps=1, run=10)
    assert optimize(code.generator).xor2 <= 8 * (5 + 9)


def test_windows_keep_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xor_synthesis, "_WINDOW", 25)
    matrix = np.random.default_rng(3).integers(0, 2, (40, 20), dtype=np.uint8)
    start = greedy_pairs(matrix)
    found = xor_synthesis._searched_by_windows(start, 300, np.random.default_rng(1))
    assert np.array_equal(found.matrix(), matrix)
    assert found.xor2 <= start.xor2


def test_bad_requests_are_refused() -> None:
    with pytest.raises(InputError, match=r"^the effort must be one of 0, 1, 2, 3, not 7$"):
        optimize([[1, 1]], effort=7)
    with pytest.raises(InputError, match=r"^the depth limit must be at least 2 for this matrix, not 1$"):
        optimize([[1, 1, 1]], depth_limit=1)
