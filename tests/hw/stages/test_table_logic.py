"""Tables as few gates: what they give for every input that can come, and what each output reads."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.hw.stages.table_logic import TableLogic, table_logic


def evaluated(network: TableLogic, point: int) -> list[bool]:
    """Gate by gate, in plain Python."""
    values = [False, *(bool(point >> bit & 1) for bit in range(network.inputs))]
    for a, b in network.gates:
        values.append((values[a >> 1] ^ bool(a & 1)) and (values[b >> 1] ^ bool(b & 1)))
    return [values[literal >> 1] ^ bool(literal & 1) for literal in network.outputs]


def cone(network: TableLogic, output: int) -> set[int]:
    """Input bits that an output reads."""
    seen: set[int] = set()
    waiting = [network.outputs[output] >> 1]
    while waiting:
        signal = waiting.pop()
        if signal in seen:
            continue
        seen.add(signal)
        if signal > network.inputs:
            waiting += [literal >> 1 for literal in network.gates[signal - network.inputs - 1]]
    return {signal - 1 for signal in seen if 1 <= signal <= network.inputs}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_random_tables_hold_for_every_input_that_comes(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    inputs = int(rng.integers(1, 7))
    points = rng.permutation(1 << inputs)[: max(1, round(share * (1 << inputs)))].tolist()
    outputs = (rng.random((3, len(points))) < rng.random()).tolist()
    network = table_logic(inputs, points, outputs, rounds=15)
    first = table_logic(inputs, points, outputs, rounds=0)
    assert len(network.gates) <= len(first.gates)
    for k, point in enumerate(points):
        wanted = [column[k] for column in outputs]
        assert evaluated(network, point) == wanted == evaluated(first, point)
    assert network.values(points) == [sum(one << k for k, one in enumerate(c)) for c in outputs]
    assert table_logic(inputs, points, outputs, rounds=15) == network


def test_an_output_reads_no_bit_that_it_may_not() -> None:
    rng = np.random.default_rng(0)
    points = list(range(32))
    upper = rng.random(8) < 0.5  # of the upper three bits
    outputs = [upper[np.arange(32) >> 2].tolist(), *(rng.random((3, 32)) < 0.5).tolist()]
    network = table_logic(5, points, outputs, [2, 0, 0, 0], rounds=30)
    assert cone(network, 0) <= {2, 3, 4}
    assert all(evaluated(network, p) == [column[p] for column in outputs] for p in points)


def test_what_needs_no_gate_gets_none() -> None:
    points = [0, 1, 2]  # not both bits at once
    columns = [[False] * 3, [True] * 3, [False, True, False], [True, False, True]]
    network = table_logic(2, points, columns)
    assert network.gates == ()
    assert network.outputs[:2] == (0, 1)


def test_an_exclusive_or_of_what_never_comes_together_is_one_gate() -> None:
    assert len(table_logic(2, [0, 1, 2], [[False, True, True]]).gates) == 1
    assert len(table_logic(2, [0, 1, 2, 3], [[False, True, True, False]]).gates) == 3
