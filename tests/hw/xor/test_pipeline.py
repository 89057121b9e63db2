"""Pipeline cuts, clocked: registers where the cut says, outputs one matrix product per clock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.hw.xor.pipeline import PipelineCut, pipeline_cut

shapes = st.tuples(st.integers(1, 10), st.integers(1, 12))
matrices = arrays(np.uint8, shapes, elements=st.integers(0, 1))


def clocked(cut: PipelineCut, words: np.ndarray) -> tuple[np.ndarray, int]:
    """Run the pipeline clock by clock; also count the registers made on the way."""
    network = cut.network
    registers: dict[tuple[int, int], int] = {}  # (signal, stage it is registered into): value
    outputs = []

    def read(signal: int, stage: int) -> int:
        return now[signal, stage] if cut.stage_of[signal] == stage else registers.get((signal, stage), 0)

    for word in [*words, *np.zeros((cut.stages - 1, network.inputs), np.uint8)]:
        now = {(i, 0): int(word[i]) for i in range(network.inputs)}

        wanted = set()
        for signal, (a, b) in enumerate(network.gates, network.inputs):
            stage = cut.stage_of[signal]
            wanted |= {(a, stage), (b, stage)}
            now[signal, stage] = read(a, stage) ^ read(b, stage)
        last = cut.stages - 1
        wanted |= {(s, last) for s in network.outputs if s is not None}
        outputs.append([0 if s is None else read(s, last) for s in network.outputs])
        following = {}
        for signal, stage in wanted:
            for into in range(cut.stage_of[signal] + 1, stage + 1):
                following[signal, into] = read(signal, into - 1)
        registers = following
    return np.array(outputs[cut.stages - 1 :], np.uint8), len(registers)


@settings(deadline=None)
@given(matrices, st.integers(1, 5), st.booleans())
def test_a_clocked_pipeline_multiplies_by_the_matrix(matrix: np.ndarray, depth: int, shared: bool) -> None:
    network = greedy_pairs(matrix) if shared else balanced_trees(matrix)
    cut = pipeline_cut(network, max_depth=depth)
    words = np.random.default_rng(0).integers(0, 2, (5, network.inputs), dtype=np.uint8)
    outputs, registers = clocked(cut, words)
    assert np.array_equal(outputs, words.astype(int) @ matrix.T.astype(int) % 2)
    assert registers == cut.registers
    assert cut.stage_depth <= depth
    assert cut.stages == max(1, -(-network.depth // depth))


def test_the_cut_waits_where_the_network_is_narrow() -> None:
    # eight inputs to one output: after two levels two signals are left, so a cut there takes two registers
    assert pipeline_cut(balanced_trees(np.ones((1, 8), np.uint8)), max_depth=2).registers == 2
    # a late gate of a chain reads an input directly: the input waits in one register, no sum does twice
    chain = XorNetwork(4, ((0, 1), (4, 2), (5, 3)), (6,))
    assert pipeline_cut(chain, max_depth=2).registers == 2


def test_a_stage_without_gates_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the depth of a stage must be at least 1, not 0$"):
        pipeline_cut(balanced_trees([[1, 1]]), max_depth=0)
