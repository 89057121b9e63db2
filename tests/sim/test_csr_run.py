"""The CSR engine in simulation: right under every stall, and slowed by what must slow it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from tests.sim.given_up import given_up
from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.csr_lanes import items_of
from xorweave.hw.engines.csr_engine import CsrConfig
from xorweave.sim.csr_run import CsrSimulator, simulate_csr


def _product(weights: np.ndarray, mask: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    sparse = scipy.sparse.csr_array(np.where(mask, weights, 0).astype(np.int32))
    return (sparse @ vectors.T.astype(np.int32)).T


def test_right_and_slowed_by_conflicts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape, lanes, banks = (40, 13), 5, 4
    config = CsrConfig(cols=13, lanes=lanes, banks=banks, batch=2, load_words=2, result_words=2)
    simulator = CsrSimulator(config, tmp_path)
    weights = rng.integers(-128, 128, shape).astype(np.int8)
    vectors = rng.integers(-128, 128, (2, 13)).astype(np.int8)
    cycles = set()
    for density in (0.5, 0.2, 0.0):
        mask = rng.random(shape) < density
        mask[3] = False
        for stalls in (0, 50):
            run = simulator.run(weights, mask, vectors, stalls=stalls, seed=3)
            assert run.mismatches == 0
            assert np.array_equal(run.results, _product(weights, mask, vectors))
            with given_up(simulator.model, max(6, run.cycles // 2)):
                again = simulator.run(weights, mask, vectors, stalls=stalls, seed=3)
            assert again.mismatches == 0 and np.array_equal(again.results, run.results)
            if not stalls:
                assert (again.cycles, again.conflict_cycles) == (run.cycles, run.conflict_cycles)
                cycles.add(run.cycles)
                # a lane takes one item a cycle, a bank serves one
                assert run.cycles >= max(run.fullest_lane, mask.sum() / banks)
                assert run.macs_used == 2 * mask.sum() <= run.slots or not mask.any()
    assert len(cycles) == 3

    # every lane at the same bank all the time: one item a cycle in all
    mask = np.zeros(shape, bool)
    mask[:, [0, 4, 8]] = True
    run = simulator.run(weights, mask, vectors)
    assert run.mismatches == 0
    assert 120 <= run.cycles <= 120 + config.load_beats + 10
    assert run.conflict_cycles > 0
    # and none where lanes never meet: one row, one lane
    mask = np.zeros(shape, bool)
    mask[7] = True
    run = simulator.run(weights, mask, vectors)
    assert run.mismatches == run.conflict_cycles == 0
    assert run.imbalance == pytest.approx(lanes - 1)
    assert len(items_of(weights, mask, lanes)[0].rows) == 1
    # rows of one weight while results are not taken: queues fill up, and the lanes wait
    mask = np.zeros(shape, bool)
    mask[np.arange(40), np.arange(40) % 13] = True
    for stalls in (0, (0, 80)):
        run = simulator.run(weights, mask, vectors, stalls=stalls, seed=3)
        assert run.mismatches == 0 and np.array_equal(run.results, _product(weights, mask, vectors))


def test_bad_input() -> None:
    with pytest.raises(InputError, match="banks must be a power of two, not 3"):
        CsrConfig(cols=4, lanes=2, banks=3)
    with pytest.raises(InputError, match="at most the banks, 2, not 4"):
        CsrConfig(cols=4, lanes=2, banks=2, load_words=4)
    with pytest.raises(InputError, match="result_words must be between 1 and 2, not 3"):
        CsrConfig(cols=4, lanes=2, banks=2, result_words=3)
    weights = np.ones((3, 4), np.int8)
    with pytest.raises(InputError, match=r"shape \(4,\) or \(batch, 4\), not \(5,\)"):
        simulate_csr(weights, weights > 0, np.ones(5, np.int8), lanes=2)
    with pytest.raises(InputError, match="lie between -8 and 7"):
        simulate_csr(weights * 9, weights > 0, np.ones(4, np.int8), lanes=2, dtype="int4")
