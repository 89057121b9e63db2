import networkx as nx
import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.generators import paired_structure
from xorweave.hw.xor.network import balanced_trees
from xorweave.hw.xor.paired import paired_network

SIZES = {"n_in": 32, "n_out": 300, "n_s": 3}


def test_the_network_makes_the_matrix_with_about_one_gate_a_sum_and_an_output() -> None:
    code = Code.from_family("paired", **SIZES, pool=240, run=4)
    network = paired_network(code)
    assert np.array_equal(network.matrix(), code.generator)
    # a run of four sums costs 2 + 1 + 1 + 1 gates, an output one
    assert network.xor2 <= 240 // 4 * 5 + 300
    assert network.depth <= 4 + 2
    assert network.xor2 < balanced_trees(code.generator).xor2 / 3


def test_outputs_are_edges_of_a_graph_with_even_degrees_and_without_short_rings() -> None:
    added, edges = paired_structure(**SIZES, seed=0, pool=240, run=4)
    graph = nx.Graph(edges)
    assert len(added) == 240
    assert graph.number_of_edges() == len(edges) == 300  # no output twice
    degrees = [degree for _vertex, degree in graph.degree]
    assert max(degrees) - min(degrees) <= 2
    assert nx.girth(graph) >= 7


@pytest.mark.parametrize("family", ["paired", "graph"])
def test_the_first_outputs_of_a_code_take_no_more_than_their_own_sums(family: str) -> None:
    whole = Code.from_family(family, **SIZES, pool=240)
    part = Code.from_spec(f"family={family},n_in=32,n_out=100,n_s=3,pool=240,of=300")
    assert np.array_equal(part.generator, whole.generator[:100])
    network = paired_network(part)
    assert np.array_equal(network.matrix(), part.generator)
    assert network.xor2 < paired_network(whole).xor2 - 200  # of 300 outputs


def test_rows_are_the_sums_that_the_edges_join() -> None:
    code = Code.from_family("paired", n_in=4, n_out=20, n_s=2, seed=3, pool=14, run=3)
    added, edges = paired_structure(n_in=4, n_out=20, n_s=2, seed=3, pool=14, run=3)
    sums = []
    for j, columns in enumerate(added):
        row = np.zeros(12, int) if j % 3 == 0 else sums[-1].copy()
        for column in columns:
            row[column] += 1
        sums.append(row)
    for row, (a, b) in zip(code.generator, edges, strict=True):
        assert np.array_equal(row, (sums[a] + sums[b]) % 2)


def test_frozen_check_value() -> None:
    assert Code.from_spec("family=paired,n_in=32,n_out=300,n_s=3,seed=0").check_value == "f5a013f4"


def test_other_families_are_refused() -> None:
    with pytest.raises(InputError, match=r"^the code must be of the family paired or graph, not uniform$"):
        paired_network(Code.uniform(n_in=4, n_out=8, n_s=1))
