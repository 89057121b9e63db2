"""The SpMV engine in simulation: every cycle equal to the golden trace, whatever stalls; cycles as the model says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from tests.sim.given_up import given_up
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_on_lanes, encode_planned, rank_lane_plans
from xorweave.golden.code.code import Code
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.trace import trace_spmv
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.engines import spmv_engine
from xorweave.hw.engines.activation_ring import ActivationRing
from xorweave.hw.xor.group import XorGroup
from xorweave.sim.spmv_run import SpmvSimulator, cycle_model, engine_config, simulate_spmv

INT8 = number_format("int8")


def _product(weights: np.ndarray, mask: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    sparse = scipy.sparse.csr_array(np.where(mask, weights, 0).astype(np.int32))
    return (sparse @ vectors.reshape(-1, weights.shape[1]).T.astype(np.int32)).T


def _random(shape: tuple[int, int], density: float, batch: int, seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, shape).astype(np.int8)
    return weights, rng.random(shape) < density, rng.integers(-128, 128, (batch, shape[1])).astype(np.int8)


def test_two_passes_batch_and_every_mask_in_the_same_cycles(tmp_path: Path) -> None:
    shape, lanes = (45, 23), 6
    weights, mask, vectors = _random(shape, 0.35, 2, 0)
    layout = LaneLayout.fitting(*shape, lanes, interleave=4)
    assert layout.passes == 2 and layout.padded_rows - shape[0] > 0
    plan = rank_lane_plans(mask, layout, 8, max_k=24)[0]
    assert plan.code.family == "paired" and plan.layout.lead > 0
    first = encode_planned(weights, INT8, mask, plan)
    config = engine_config(first, batch=2, load_words=3, result_words=2, inversion_port=True)
    simulator = SpmvSimulator(config, tmp_path)
    cycles = set()
    for seed in range(3):
        weights, mask, vectors = _random(shape, (0.35, 0.1, 0.0)[seed], 2, seed)
        matrix = encode_planned(weights, INT8, mask, plan)
        assert matrix.patches.positions.size == 0
        free = simulator.run(matrix, vectors)
        assert free.mismatches == 0 and free.stall_cycles == 0
        assert np.array_equal(free.results, _product(weights, mask, vectors))
        assert free.cycles == free.model_cycles
        cycles.add(free.cycles)
        for stalls in (10, 60, (0, 60), (0, 95), (60, 0)):
            run = simulator.run(matrix, vectors, stalls=stalls, seed=seed)
            assert run.mismatches == 0 and run.cycles > free.cycles
        for when in (5, free.cycles // 2, free.cycles - 3):
            with given_up(simulator.model, when):
                again = simulator.run(matrix, vectors)
            assert (again.mismatches, again.cycles) == (0, free.cycles)
    assert len(cycles) == 1
    matrix = encode_planned(weights, INT8, mask, plan)
    for width in (0.4, 1.0, 2.5, 3.75, 4.5, 20.0):
        run = simulator.run(matrix, vectors, bytes_per_cycle=width)
        assert run.mismatches == 0
        assert run.cycles == run.model_cycles

    # two products one after the other: the second vector is loaded while the first results leave
    other = np.roll(vectors, 5, axis=1)
    given = [simulator.stimulus(matrix, x) for x in (vectors, other)]
    wanted = [simulator.expected(trace_spmv(matrix, x)) for x in (vectors, other)]

    def joined(parts: list[dict[str, list[np.ndarray]]]) -> dict[str, list[np.ndarray]]:
        both = {name: zip(parts[0][name], parts[1][name], strict=True) for name in parts[0]}
        return {name: [np.concatenate(pins) for pins in pairs] for name, pairs in both.items()}

    for stalls in (0, 30):
        held = {"inversion": matrix.raw.inversion}
        result = simulator.model.run(
            joined(given), joined(wanted), stalls=stalls, seed=1, most_cycles=10_000, held=held
        )
        assert result.mismatches == 0
        if not stalls:
            model = cycle_model(config)
            assert result.cycles == model.cycles + matrix.scan.blocks + model.load_beats


def test_corrections_single_rows_and_more_lanes_than_columns(tmp_path: Path) -> None:
    shape = (17, 5)
    weights, mask, vectors = _random(shape, 0.45, 1, 4)
    layout = LaneLayout.fitting(*shape, 7, interleave=1)
    # three bits kept of seven, and one encoded bit for them: most words are left to correct
    plan = replace(rank_lane_plans(mask, layout, 8, max_k=12)[0], code=Code.uniform(n_in=1, n_out=7, n_s=2))
    matrix = encode_planned(weights, INT8, mask, plan)
    assert matrix.patches.positions.size > mask.sum() / 3
    simulator = SpmvSimulator(engine_config(matrix, output_register=True), tmp_path)
    for stalls in (0, 40):
        run = simulator.run(matrix, vectors, stalls=stalls, seed=1)
        assert run.mismatches == 0
        assert np.array_equal(run.results, _product(weights, mask, vectors))
        assert (run.cycles == run.model_cycles) == (stalls == 0)


def test_int4_by_the_plain_function() -> None:
    rng = np.random.default_rng(6)
    weights = rng.integers(-8, 8, (9, 12)).astype(np.int8)
    mask = rng.random(weights.shape) < 0.3
    vector = rng.integers(-128, 128, 12).astype(np.int8)
    run = simulate_spmv(weights, mask, vector, lanes=4, dtype="int4", max_k=12, stalls=25)
    assert run.mismatches == 0
    assert np.array_equal(run.results, _product(weights, mask, vector))
    assert run.macs_used == mask.sum() and run.slots == run.blocks * 4
    with pytest.raises(InputError, match="must be a matrix of at least 1 by 1"):
        simulate_spmv(weights[:0], mask[:0], vector)
    with pytest.raises(InputError, match="int8 and int4 weights, not 'fp16'"):
        simulate_spmv(weights, mask, vector, dtype="fp16")
    with pytest.raises(InputError, match=r"the weights' shape \(9, 12\), not \(3, 12\)"):
        simulate_spmv(weights, mask[:3], vector)


@pytest.fixture(scope="module")
def small() -> tuple[EncodedTensor, np.ndarray]:
    weights, mask, vectors = _random((8, 8), 0.4, 1, 7)
    layout = LaneLayout.fitting(8, 8, 4, interleave=2)
    return encode_on_lanes(weights, INT8, mask, layout, max_k=8), vectors


def test_lanes_that_read_each_others_tap_are_caught(
    small: tuple[EncodedTensor, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Swapped(ActivationRing):
        def __init__(self, layout: LaneLayout, width: int, words: int) -> None:
            super().__init__(layout, width, words)
            wrong = replace(layout)
            wrong.__dict__["taps"] = layout.taps[[1, 0, 2, 3]]
            self.layout = wrong

    matrix, vectors = small
    monkeypatch.setattr(spmv_engine, "ActivationRing", Swapped)
    run = SpmvSimulator(engine_config(matrix)).run(matrix, vectors)
    assert run.mismatches > 0
    # the decoder is right: only sums and results differ
    assert any("summed" in line for line in run.messages)
    assert not any("taken" in line for line in run.messages)


def test_a_flipped_tap_of_the_code_is_caught(small: tuple[EncodedTensor, np.ndarray]) -> None:
    matrix, vectors = small
    code = matrix.code
    generator = code.generator.copy()
    generator[2, 0] ^= 1
    wrong = Code(n_in=code.n_in, n_out=code.n_out, n_s=code.n_s, generator=generator)
    right = engine_config(matrix)
    group = XorGroup(right.decoder.n_w, wrong)
    simulator = SpmvSimulator(replace(right, decoder=replace(right.decoder, groups=(group,))))
    simulator.config = replace(right, trace=True)
    run = simulator.run(matrix, vectors)
    assert any("taken" in line for line in run.messages)


def test_the_engine_refuses_what_is_not_its_own(small: tuple[EncodedTensor, np.ndarray]) -> None:
    matrix, vectors = small
    simulator = object.__new__(SpmvSimulator)
    simulator.config = engine_config(matrix)
    other = encode_on_lanes(
        np.ones((4, 8), np.int8), INT8, np.ones((4, 8), bool), LaneLayout.fitting(4, 8, 4), max_k=8
    )
    with pytest.raises(InputError, match="the layout and the code that the engine was made for"):
        simulator.run(other, vectors)
    with pytest.raises(InputError, match="takes 1 vectors at once, not 2"):
        simulator.run(matrix, np.concatenate([vectors, vectors]))
