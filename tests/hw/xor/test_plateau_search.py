"""The plateau search: true to matrix, depth and seed; and a matrix with a long published history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.hw.xor.plateau_search import plateau_search

shapes = st.tuples(st.integers(0, 10), st.integers(1, 10))
matrices = arrays(np.uint8, shapes, elements=st.integers(0, 1))


@settings(deadline=None)
@given(matrices, st.integers(0, 2), st.integers(0, 3))
def test_the_search_keeps_the_matrix_and_never_grows(matrix: np.ndarray, climb: int, seed: int) -> None:
    start = greedy_pairs(matrix)
    found = plateau_search(start, moves=200, climb=climb, seed=seed)
    assert np.array_equal(found.matrix(), matrix)
    assert found.xor2 <= start.xor2
    assert found == plateau_search(start, moves=200, climb=climb, seed=seed)


@settings(deadline=None)
@given(matrices, st.integers(0, 2), st.integers(0, 3))
def test_the_search_keeps_to_the_depth(matrix: np.ndarray, slack: int, seed: int) -> None:
    start = balanced_trees(matrix)
    limit = start.depth + slack
    found = plateau_search(start, moves=200, depth_limit=limit, climb=1, seed=seed)
    assert np.array_equal(found.matrix(), matrix)
    assert found.depth <= limit


def mixcolumns() -> np.ndarray:
    """AES MixColumns (FIPS 197, section 5.1.3) on bits, by running it on the 32 unit vectors."""

    def double(byte: int) -> int:
        return (byte << 1) ^ (0x11B if byte & 0x80 else 0)

    matrix = np.zeros((32, 32), np.uint8)
    for column in range(32):
        state = [(1 << column) >> 8 * i & 0xFF for i in range(4)]
        for i in range(4):
            a, b, c, d = (state[(i + k) % 4] for k in range(4))
            value = double(a) ^ double(b) ^ b ^ c ^ d
            matrix[8 * i : 8 * i + 8, column] = [value >> bit & 1 for bit in range(8)]
    return matrix


def test_mixcolumns_takes_no_more_gates_than_the_published_randomised_heuristics() -> None:
    # 94: Tan and Peyrin, TCHES 2020(1); plain greedy pairs stay above 100
    matrix = mixcolumns()
    start = greedy_pairs(matrix)
    found = plateau_search(start, moves=30_000, seed=1)
    assert np.array_equal(found.matrix(), matrix)
    assert start.xor2 > 100
    assert found.xor2 <= 94


def test_a_wide_network_is_searched_too() -> None:
    # more than 64 inputs: fingerprints, not masks, stand for the sums
    matrix = (np.random.default_rng(2).random((30, 90)) < 0.1).astype(np.uint8)
    found = plateau_search(greedy_pairs(matrix), moves=300)
    assert np.array_equal(found.matrix(), matrix)


@pytest.mark.parametrize("network", [XorNetwork(3, (), (0, None, 2)), XorNetwork(2, ((0, 1),), (2, 2))])
def test_a_network_without_anything_to_gain_is_left_alone(network: XorNetwork) -> None:
    assert plateau_search(network, moves=50) == network
