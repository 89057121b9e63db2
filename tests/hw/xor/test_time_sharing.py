"""Sharing through time, clocked against the code's own definition."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.synthesis import optimize
from xorweave.hw.xor.time_sharing import FLIP_FLOP_GATE_EQUIVALENTS, TimeSharedNetwork, time_shared


def clocked(shared: TimeSharedNetwork, symbols: np.ndarray) -> np.ndarray:
    """Run the network block by block with its registers, all cleared at the start."""
    columns = shared.n_in * (shared.n_s + 1)
    past: list[np.ndarray] = []  # all signals of the blocks before, the newest first
    outputs = []
    for t in range(len(symbols)):
        inputs = np.zeros(shared.network.inputs, np.uint8)
        for age in range(min(t, shared.n_s) + 1):
            inputs[age * shared.n_in : (age + 1) * shared.n_in] = symbols[t - age]
        for copy, (signal, delay) in enumerate(shared.copies):
            if delay <= len(past):
                inputs[columns + copy] = past[delay - 1][signal]
        every = XorNetwork(shared.network.inputs, shared.network.gates, tuple(range(shared.network.signals)))
        signals = every.evaluate(inputs)
        past.insert(0, signals)
        outputs.append([0 if s is None else signals[s] for s in shared.network.outputs])
    return np.array(outputs, np.uint8)


def by_definition(code: Code, symbols: np.ndarray) -> np.ndarray:
    padded = np.vstack([np.zeros((code.n_s, code.n_in), np.uint8), symbols]).astype(int)
    windows = [padded[t : t + code.n_s + 1][::-1].ravel() for t in range(len(symbols))]
    return np.array(windows) @ code.generator.T.astype(int) % 2


def shifting_code() -> Code:
    """Heavy sums of a block that come back one and two blocks later: made for sharing."""
    heavy = np.random.default_rng(1).integers(0, 2, (3, 32), dtype=np.uint8)
    rows = []
    for i, row in enumerate(heavy):
        for age in range(3):
            rows.append(np.zeros((3, 32), np.uint8))
            rows[-1][age] = row
            rows[-1][0, i] ^= 1 if age else 0
    return Code(n_in=32, n_out=9, n_s=2, generator=np.array(rows).reshape(9, 96))


@pytest.mark.parametrize("optimised", [False, True])
def test_a_shared_sum_pays_where_it_is_long(optimised: bool) -> None:
    code = shifting_code()
    network = optimize(code.generator) if optimised else balanced_trees(code.generator)
    plain = TimeSharedNetwork(code.n_in, code.n_s, network, ())
    shared = time_shared(code, network)
    assert shared.copies
    assert shared.gate_equivalents < plain.gate_equivalents - FLIP_FLOP_GATE_EQUIVALENTS
    assert np.array_equal(shared.matrix(), code.generator)
    symbols = np.random.default_rng(2).integers(0, 2, (40, code.n_in), dtype=np.uint8)
    assert np.array_equal(clocked(shared, symbols), by_definition(code, symbols))


@pytest.mark.parametrize("family", ["uniform", "sparse", "chain"])
def test_no_random_code_gets_dearer(family: str) -> None:
    code = Code.from_family(family, n_in=8, n_out=40, n_s=2)
    network = optimize(code.generator, effort=0)
    shared = time_shared(code, network)
    assert (
        shared.gate_equivalents
        <= TimeSharedNetwork(code.n_in, code.n_s, network.pruned(), ()).gate_equivalents
    )
    assert np.array_equal(shared.matrix(), code.generator)


def test_only_the_registers_in_use_are_counted() -> None:
    # bit 0 is read two blocks old, bit 1 never later than at once
    network = XorNetwork(6, ((0, 4), (6, 1)), (7,))
    assert TimeSharedNetwork(2, 2, network, ()).registers == 2


def test_a_copy_must_not_feed_itself_nor_outlive_the_code() -> None:
    with pytest.raises(InputError, match="must not depend on itself"):
        TimeSharedNetwork(1, 1, XorNetwork(3, ((0, 2),), (3,)), ((3, 1),)).matrix()
    with pytest.raises(InputError, match="must not reach back more than 1 blocks"):
        TimeSharedNetwork(1, 1, XorNetwork(3, (), (2,)), ((1, 1),)).matrix()


def test_a_network_of_another_code_is_refused() -> None:
    code = Code.uniform(n_in=2, n_out=3, n_s=1)
    with pytest.raises(InputError, match=r"^the network must have 4 inputs and 3 outputs, not 4 and 1$"):
        time_shared(code, XorNetwork(4, (), (0,)))
