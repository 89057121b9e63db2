"""Chains and prefix plans, against brute force over all plans and a spanning tree by networkx."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.xor.chains import (
    chain_network,
    chain_runs,
    difference_network,
    nearest_rows,
    prefix_plan,
    serial_network,
)

shapes = st.tuples(st.integers(0, 12), st.integers(1, 10))
matrices = arrays(np.uint8, shapes, elements=st.integers(0, 1))


def compositions(total: int) -> Iterator[list[int]]:
    if total == 0:
        yield []
    for first in range(1, total + 1):
        for rest in compositions(total - first):
            yield [first, *rest]


def built(levels: list[int], plan: list[int]) -> tuple[int, int]:
    """Gates and depth of a plan, gate by gate."""
    gates = 0
    depth = here = levels[0]
    item = 1
    for group in plan:
        members = levels[item : item + group]
        inside = here
        for level in members[:-1]:
            inside = max(inside, level) + 1
            gates += 1
            depth = max(depth, inside)
        front = sorted(members)
        while len(front) > 1:
            front = sorted([front[1] + 1, *front[2:]])
            gates += 1
        here = max(here, front[0]) + 1
        gates += 1
        depth = max(depth, here)
        item += group
    return gates, depth


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(0, 9))
def test_a_plan_has_the_fewest_gates_of_all_plans_that_fit(levels: list[int], limit: int) -> None:
    fitting = [
        built(levels, plan)[0] for plan in compositions(len(levels) - 1) if built(levels, plan)[1] <= limit
    ]
    plan = prefix_plan(levels, limit)
    if plan is None:
        assert not fitting
    else:
        gates, depth = built(levels, plan)
        assert depth <= limit
        assert gates == min(fitting)


@settings(deadline=None)
@given(matrices, st.integers(0, 4), st.booleans(), st.data())
def test_chain_networks_compute_the_matrix_within_the_depth(
    matrix: np.ndarray, slack: int, given_starts: bool, data: st.DataObject
) -> None:
    starts = None
    if given_starts and len(matrix):
        starts = data.draw(st.lists(st.integers(0, len(matrix) - 1)))
    least = (int(matrix.sum(axis=1, dtype=int).max(initial=1)) - 1).bit_length()
    for limit in (None, least + slack):
        network = chain_network(matrix, starts=starts, depth_limit=limit)
        assert np.array_equal(network.matrix(), matrix)
        assert limit is None or network.depth <= limit
    assert np.array_equal(difference_network(matrix).matrix(), matrix)


@settings(deadline=None)
@given(matrices.filter(lambda m: len(m) > 0))
def test_nearest_rows_are_a_minimum_spanning_tree(matrix: np.ndarray) -> None:
    parents = nearest_rows(matrix)
    weights = matrix.sum(axis=1, dtype=int)
    graph = nx.Graph()
    for row, weight in enumerate(weights):
        graph.add_edge("nothing", row, weight=int(weight) - 1)
        for other in range(row):
            graph.add_edge(row, other, weight=int((matrix[row] ^ matrix[other]).sum()))
    best = nx.minimum_spanning_tree(graph).size("weight")
    ours = sum(
        int(weights[row]) - 1 if parent < 0 else int((matrix[row] ^ matrix[parent]).sum())
        for row, parent in enumerate(parents)
    )
    assert ours == best
    tree = nx.DiGraph((int(parent), row) for row, parent in enumerate(parents))
    assert nx.is_arborescence(tree) and next(nx.topological_sort(tree)) == -1


def test_the_chain_family_is_found_without_being_told() -> None:
    code = Code.from_family("chain", n_in=16, n_out=60, n_s=3, taps=2, run=10)
    told = chain_network(code.generator, starts=chain_runs(code))
    assert chain_runs(code) == [0, 10, 20, 30, 40, 50]
    assert chain_runs(Code.uniform(n_in=4, n_out=8, n_s=1)) is None
    assert chain_network(code.generator).xor2 <= told.xor2 <= 6 * (5 + 9 * 2)


def test_a_prefix_network_trades_gates_for_depth() -> None:
    code = Code.from_family("chain", n_in=16, n_out=64, n_s=3, taps=1, run=32)
    serial = chain_network(code.generator)
    shallow = chain_network(code.generator, depth_limit=12)
    assert serial.depth > 30
    assert serial.xor2 < shallow.xor2 < 2 * serial.xor2


def test_a_limit_below_the_tree_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the depth limit must be at least 3 for this matrix, not 2$"):
        chain_network(np.ones((1, 5), np.uint8), depth_limit=2)


@pytest.mark.parametrize("taps", [1, 2, 4])
def test_a_serial_network_makes_the_matrix_with_about_as_many_gates(taps: int) -> None:
    code = Code.from_family("chain", n_in=25, n_out=250, n_s=4, taps=taps)
    network = serial_network(code)
    assert np.array_equal(network.matrix(), code.generator)
    assert network.xor2 <= 1.1 * difference_network(code.generator).xor2
