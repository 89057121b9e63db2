"""The network type against straightforward linear algebra and networkx."""

from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.network import XorNetwork, balanced_trees

shapes = st.tuples(st.integers(0, 9), st.integers(1, 12))
matrices = arrays(np.uint8, shapes, elements=st.integers(0, 1))


@settings(deadline=None)
@given(matrices)
def test_balanced_trees_compute_the_matrix(matrix: np.ndarray) -> None:
    network = balanced_trees(matrix)
    assert np.array_equal(network.matrix(), matrix)
    weights = matrix.sum(axis=1, dtype=int)
    assert network.xor2 == sum(max(0, w - 1) for w in weights)
    assert network.depth == max((math.ceil(math.log2(w)) for w in weights if w), default=0)


@settings(deadline=None)
@given(matrices, st.data())
def test_evaluate_is_the_matrix_product_in_each_bit(matrix: np.ndarray, data: st.DataObject) -> None:
    words = data.draw(arrays(np.uint16, (matrix.shape[1], 3)))
    result = balanced_trees(matrix).evaluate(words)
    assert result.dtype == np.uint16 and result.shape == (matrix.shape[0], 3)
    for bit in range(16):
        plane = (words >> bit & 1).astype(int)
        assert np.array_equal(result >> bit & 1, matrix.astype(int) @ plane % 2)


def test_graph_has_the_depth_and_the_gates_of_the_network() -> None:
    network = XorNetwork(3, ((0, 1), (3, 2), (4, 0)), (5, 3, 0, None))
    graph = network.graph()
    assert nx.is_directed_acyclic_graph(graph)
    assert sum(kind == "xor" for _, kind in graph.nodes(data="kind")) == network.xor2 == 3
    assert nx.dag_longest_path_length(graph) == network.depth + 1 == 4  # one edge to the output node
    assert graph.in_degree(("output", 3)) == 0
    assert network.fanout == (3, 1, 1, 2, 1, 1)


def test_pruned_drops_dead_and_double_gates() -> None:
    network = XorNetwork(3, ((0, 1), (1, 0), (3, 2), (4, 2), (0, 2)), (5, 6, None))
    smaller = network.pruned()
    assert smaller.xor2 == 2
    assert np.array_equal(smaller.matrix(), network.matrix())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ((2, ((0, 2),), (2,)), "signal 2 must be the XOR of two different earlier signals, not 0, 2"),
        ((2, ((1, 1),), (2,)), "signal 2 must be the XOR of two different earlier signals, not 1, 1"),
        ((2, ((0, 1),), (3,)), "output 0 must be a signal in 0 .. 2 or None, not 3"),
        ((2, ((0, 1, 1),), (2,)), "the gates must be pairs of signals"),
        ((2, ((0, 1.0),), (2,)), "the gates must be pairs of signals"),
        ((0, (), ()), "the number of inputs must be at least 1, not 0"),
    ],
)
def test_a_broken_network_is_refused(network: tuple, message: str) -> None:
    with pytest.raises(InputError) as error:
        XorNetwork(*network)
    assert str(error.value) == message


def test_a_matrix_of_other_values_is_refused() -> None:
    with pytest.raises(InputError, match="the matrix must hold only 0 and 1"):
        balanced_trees([[0, 2]])
    with pytest.raises(InputError, match="must have two dimensions and at least one column"):
        balanced_trees([1, 0])


def _pruned_slowly(network: XorNetwork) -> XorNetwork:
    """Each pair once, and what no output needs left out, gate by gate."""
    made: dict[tuple[int, int], int] = {}
    name: list[int | None] = list(range(network.inputs))
    for a, b in ((name[a], name[b]) for a, b in network.gates):
        if a is None or b is None or a == b:
            name.append(None if a == b else b if a is None else a)
        else:
            name.append(made.setdefault((min(a, b), max(a, b)), network.inputs + len(made)))
    roots = [None if s is None else name[s] for s in network.outputs]
    needed = {s for s in roots if s is not None}
    for pair, signal in reversed(made.items()):
        needed |= set(pair) if signal in needed else set()
    order = [*range(network.inputs), *(s for s in made.values() if s in needed)]
    number = {signal: at for at, signal in enumerate(order)}
    gates = tuple((number[a], number[b]) for (a, b), signal in made.items() if signal in needed)
    return XorNetwork(network.inputs, gates, tuple(None if s is None else number[s] for s in roots))


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(0, 60), st.data())
def test_pruned_is_what_going_gate_by_gate_gives(inputs: int, gates: int, data: st.DataObject) -> None:
    source = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    # many pairs made twice, many sums that are nothing
    pairs = [
        tuple(source.choice(min(signals, inputs + 6), 2, replace=False).tolist())
        for signals in range(inputs, inputs + gates)
    ]
    signals = inputs + len(pairs)
    outputs = [s if s < signals else None for s in source.integers(0, signals + 1, 5).tolist()]
    network = XorNetwork(inputs, tuple(pairs), tuple(outputs))
    found, slowly = network.pruned(), _pruned_slowly(network)
    assert (found.gates, found.outputs) == (slowly.gates, slowly.outputs)
    assert np.array_equal(found.matrix(), network.matrix())


def test_a_pair_made_twice_and_added_to_itself_is_nothing() -> None:
    # signals 3 and 4 are the same sum, so 5 is 0, 6 is input 2 and 7 is 0 again
    network = XorNetwork(3, ((0, 1), (1, 0), (3, 4), (5, 2), (6, 2)), (5, 6, 7, 4))
    pruned = network.pruned()
    assert np.array_equal(pruned.matrix(), network.matrix())
    assert pruned.gates == ((0, 1),)
    assert pruned.outputs == (None, 2, None, 3)
