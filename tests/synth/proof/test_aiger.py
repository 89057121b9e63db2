"""Graphs must mean what they meant: checked by simulation of every input, and by ABC's own reader."""

import itertools
from pathlib import Path

import pytest

from xorweave.golden.base.errors import ToolError
from xorweave.synth.proof.aiger import Circuit, Graph, read_aiger, simulate


def values_of(path: Path, n: int) -> list[list[int]]:
    """Return every output of a combinational AIGER file for every input, by simulation."""
    head, _, rest = path.read_bytes().partition(b"\n")
    inputs, registers, outputs = (int(x) for x in head.split()[2:5])
    assert (inputs, registers) == (n, 0)
    named = head + b"\n" + rest + b"".join(b"i%d a%d\n" % (k, k) for k in range(n))
    named += b"".join(b"o%d y%d\n" % (k, k) for k in range(outputs))
    path.with_suffix(".named").write_bytes(named)
    circuit = read_aiger(path.with_suffix(".named"))
    rows = list(itertools.product([0, 1], repeat=n))
    columns = [sum(row[k] << t for t, row in enumerate(rows)) for k in range(n)]
    ones = (1 << len(rows)) - 1
    nodes = simulate(circuit, range(len(circuit.gates)), columns, [], ones)
    found = [nodes[literal >> 1] ^ (ones if literal & 1 else 0) for literal in circuit.outputs.values()]
    return [[value >> t & 1 for value in found] for t in range(len(rows))]


def test_every_operation_is_what_it_says(tmp_path: Path) -> None:
    graph = Graph()
    a, b, c = (graph.add_input() for _ in range(3))
    outputs = [
        graph.both(a, b ^ 1),
        graph.either(a, c),
        graph.xor(graph.xor(a, b), c),
        graph.choose(a, b, c),
        graph.choose(a, b, b ^ 1),
        graph.xor(graph.both(a, b), graph.xor(c, graph.both(b, a) ^ 1)),
    ]
    graph.write(tmp_path / "x.aig", outputs)
    for (x, y, z), row in zip(
        itertools.product([0, 1], repeat=3), values_of(tmp_path / "x.aig", 3), strict=True
    ):
        assert row == [x & ~y & 1, x | z, x ^ y ^ z, y if x else z, 1 ^ x ^ y, 1 ^ z]


def test_sums_of_the_same_terms_are_one_literal_however_they_are_built() -> None:
    graph = Graph()
    a, b, c, d = (graph.add_input() for _ in range(4))

    def by_hand(x: int, y: int) -> int:
        """Sum of products, as a mapped netlist may have it."""
        return graph.both(graph.both(x, y ^ 1) ^ 1, graph.both(x ^ 1, y) ^ 1) ^ 1

    left = graph.xor(graph.xor(a, b), graph.xor(c, d))
    right = by_hand(by_hand(d, a), by_hand(c ^ 1, b))
    assert left == right ^ 1
    assert graph.xor(left, right) == 1
    assert graph.xor(by_hand(a, b), b) == a
    assert left != graph.xor(graph.xor(a, b), c)


def test_registers_are_written(tmp_path: Path) -> None:
    graph = Graph()
    a, q = graph.add_input(), graph.add_input()
    graph.write(tmp_path / "r.aig", [q], [(q, graph.xor(a, q))])
    circuit = read_aiger(tmp_path / "r.aig")
    assert (len(circuit.inputs), len(circuit.registers)) == (1, 1)
    ones = 3
    nodes = simulate(circuit, range(len(circuit.gates)), [1], [3], ones)
    (after,) = circuit.nexts
    assert nodes[after >> 1] ^ (ones if after & 1 else 0) == 2


def test_cone_has_what_roots_need() -> None:
    circuit = Circuit(("a", "b"), (), (), {"y": 8}, [(2, 4), (2, 5), (6, 9)])
    assert circuit.cone([10]) == [0, 1, 2]
    assert circuit.cone([8, 3]) == [1]


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"aag 1 1 0 0 0\n")
    with pytest.raises(ToolError, match="binary AIGER"):
        read_aiger(tmp_path / "a")
