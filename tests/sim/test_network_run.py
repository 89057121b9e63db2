"""A network through one engine: every layer, whatever stalls, against whole numbers made here."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pytest

from tests.sim.given_up import given_up
from xorweave.golden.base.errors import InputError
from xorweave.golden.network.integer_network import IntegerLayer
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.network_schedule import NetworkSchedule
from xorweave.hw.engines.network_engine import descriptor
from xorweave.sim.network_run import NetworkSimulator
from xorweave.sim.simulators import available

pytestmark = pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")


def _layers() -> list[IntegerLayer]:
    """Layers of several passes and turns, one of as many columns as lanes, one of fewer, one of a single turn."""
    rng = np.random.default_rng(3)
    found = []
    for number, (rows, cols, multiplier, shift) in enumerate(
        ((37, 21, 30000, 20), (8, 37, 20000, 21), (5, 8, 65535, 22), (11, 5, 0, 0))
    ):
        weights = rng.integers(-127, 128, (rows, cols)).astype(np.int8) * (rng.random((rows, cols)) < 0.4)
        bias = rng.integers(-3000, 3000, rows).astype(np.int32)
        found.append(IntegerLayer(f"fc{number}", weights.astype(np.int8), bias, multiplier, shift))
    return found


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> NetworkSimulator:
    return NetworkSimulator(
        _layers(), lanes=8, batch=2, interleave=3, folder=tmp_path_factory.mktemp("engine")
    )


def test_every_layer_in_one_netlist(simulator: NetworkSimulator) -> None:
    inputs = np.random.default_rng(4).integers(0, 128, (5, 21)).astype(np.int8)
    run = simulator.run(inputs)
    assert (run.mismatches, run.stall_cycles, run.passes) == (0, 0, 3), run.messages
    stalled = simulator.run(inputs, stalls=(30, 30), seed=2)
    assert stalled.mismatches == 0 and stalled.cycles > run.cycles, stalled.messages
    for when in (5, run.cycles // 3, run.cycles - 3):
        with given_up(simulator.model, when):
            again = simulator.run(inputs)
        assert (again.mismatches, again.cycles) == (0, run.cycles), again.messages
    values = inputs.astype(object)  # whole numbers without end
    for layer, out in zip(simulator.layers, run.outputs, strict=True):
        values = values @ layer.weights.T.astype(object) + layer.bias.astype(object)
        if layer.multiplier:
            half = 1 << layer.shift
            values = np.minimum((np.maximum(values, 0) * layer.multiplier + half) >> (layer.shift + 1), 127)
            assert len(set(values.reshape(-1).tolist())) > 5
        assert (values == out).all()


def test_cycles_are_those_of_the_schedule(simulator: NetworkSimulator) -> None:
    inputs = np.random.default_rng(5).integers(0, 128, (9, 21)).astype(np.int8)
    idle = []
    for in_flight in (1, 2, 3, 5):
        run = simulator.run(inputs, in_flight=in_flight)
        assert (run.mismatches, run.stall_cycles) == (0, 0), run.messages
        assert run.cycles == run.expected_cycles
        idle.append(run.empty_cycles)
    assert idle == sorted(idle, reverse=True) and idle[-1] < idle[0] / 10
    # the descriptor, three beats of activations; eight cycles behind the last block the first beat of its group, which
    # waits for the last one of the group before, and has another behind it
    assert idle[-1] == 1 + 3 + 8 + 2
    vectors = [np.roll(inputs, k, axis=0)[:, :cols] for k, cols in enumerate((21, 21, 8, 5))]
    vectors[1] = np.random.default_rng(6).integers(-128, 128, (9, 37)).astype(np.int8)
    alone = simulator.run_each(vectors)
    assert (alone.mismatches, alone.cycles, alone.empty_cycles) == (0, alone.expected_cycles, idle[-1])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("loaded & (beats == 6'h0)", "loaded & (beats == 6'h1)"),
        ("(~busy | ends)", "(~busy | ended)"),
        ("1'b0) ? turned : loaded", "1'b0) ? (turned | loaded) : loaded"),
    ],
    ids=["rings swapped a word early", "a pass early", "loaded into the ring in use"],
)
def test_a_wrong_swap_is_seen(simulator: NetworkSimulator, tmp_path: Path, old: str, new: str) -> None:
    text = (simulator.model.folder / "top.v").read_text()
    assert text.count(old) == 1
    broken = copy(simulator)
    broken.model = simulator.model.rebuilt(text.replace(old, new), tmp_path)
    inputs = np.random.default_rng(7).integers(0, 128, (4, 21)).astype(np.int8)
    assert broken.run(inputs).mismatches > 0


def test_a_layer_waits_for_the_one_before(
    simulator: NetworkSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Activations offered before they are there would be taken: what the engine gains is not taken from them."""
    inputs = np.full((2, 21), 100, np.int8)
    honest = simulator.run(inputs)
    monkeypatch.setattr(NetworkSchedule, "needs", [None] * 4)
    assert simulator.run(inputs).cycles < honest.cycles


def test_a_wrong_record_is_seen(simulator: NetworkSimulator) -> None:
    inputs = np.full((2, 21), 100, np.int8)
    right = simulator.fixed[3]["s_axis_scale"]
    wrong = right[0].copy()
    wrong[0, 0] ^= 255  # of a bias of the last layer, which nothing rounds
    simulator.fixed[3]["s_axis_scale"] = [wrong]
    try:
        assert simulator.run(inputs).mismatches > 0
    finally:
        simulator.fixed[3]["s_axis_scale"] = right
    assert simulator.run(inputs).mismatches == 0


def test_what_does_not_fit(simulator: NetworkSimulator, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^the images must be int8 of shape \(n, 21\)"):
        simulator.run(np.zeros((1, 20), np.int8))
    with pytest.raises(InputError, match=r"^a layer must have 8 lanes, 8 to 37 columns"):
        descriptor(simulator.config, LaneLayout(rows=8, cols=38, lanes=8))
    heavy = IntegerLayer("fc", np.full((1, 140_000), 127, np.int8), np.zeros(1, np.int32), 0, 0)
    with pytest.raises(InputError, match="must stay below"):
        NetworkSimulator([heavy], lanes=8, folder=tmp_path)
