from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.banded import Banded
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.rivals.band import BandDecoder, BandLane, row_cells, row_tables
from xorweave.hw.xor.network import balanced_trees
from xorweave.sim.simulators import available
from xorweave.sim.stream_model import StreamModel, StreamPort, pack_integers

CLUSTERS = 10


def small_filter(window: int, weights: int = 3000) -> Banded:
    random = np.random.default_rng(window)
    keys = np.flatnonzero(random.random(weights) < 0.1)
    labels = random.integers(0, CLUSTERS, keys.size)
    return Banded.build(keys, labels, t=7, window=window, key_bits=(weights - 1).bit_length())


@pytest.mark.parametrize(("window", "weights"), [(16, 3000), (32, 3000), (62, 3000), (62, 100)])
def test_every_answer_equals_the_golden_query_one_a_cycle(window: int, weights: int) -> None:
    table = small_filter(window, weights)
    dut = BandDecoder(table, CLUSTERS)
    keys = np.random.default_rng(1).integers(0, weights, 200)
    answers: list[tuple[int, int]] = []
    cycles = 0

    async def drive(ctx):  # type: ignore[no-untyped-def]
        ctx.set(dut.i.valid, 1)
        for key in keys.tolist():
            ctx.set(dut.i.payload, key)
            await ctx.tick().until(dut.i.ready)
        ctx.set(dut.i.valid, 0)

    async def watch(ctx):  # type: ignore[no-untyped-def]
        nonlocal cycles
        random = np.random.default_rng(2)
        while len(answers) < keys.size:
            # the far side hesitates in the second half only, so the first half shows the rate
            ctx.set(dut.o.ready, len(answers) < 100 or bool(random.random() < 0.6))
            _, _, valid, ready, payload = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            cycles += len(answers) < 100
            if valid and ready:
                answers.append((payload.label, payload.kept))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(watch)
    simulator.run()
    expected = table.query(keys)
    assert answers == [(int(word), int(word < CLUSTERS)) for word in expected]
    assert cycles <= 100 + 6  # five registers and a start


@pytest.mark.skipif(not available("verilator"), reason="needs Verilator, make, g++ and perl")
def test_fifty_thousand_queries_in_verilator() -> None:
    table = small_filter(32, 20_000)
    keys = np.random.default_rng(3).integers(0, 20_000, 50_000)
    expected = [int(word) | (int(word < CLUSTERS) << 7) for word in table.query(keys)]
    model = StreamModel(
        amaranth_verilog(BandDecoder(table, CLUSTERS), "top"),
        [StreamPort("i", (("i__payload", table.key_bits),), "i__valid", "i__ready")],
        [StreamPort("o", (("o__payload", 8),), "o__valid", "o__ready")],
        fast=True,
    )
    run = model.run(
        {"i": [pack_integers(keys.tolist(), table.key_bits)]},
        {"o": [pack_integers(expected, 8)]},
        stalls=20,
        most_cycles=200_000,
    )
    assert (run.passed, run.mismatches) == ({"i": 50_000, "o": 50_000}, 0)


@pytest.mark.parametrize("window", [16, 32, 33, 62])
def test_a_window_lies_in_a_row_of_each_memory(window: int) -> None:
    table = small_filter(window)
    row = row_cells(table)
    memories = row_tables(table)
    assert row == {16: 16, 32: 32, 33: 64, 62: 64}[window]
    keys = np.arange(300)
    for start, word, mask, answer in zip(
        *(part.tolist() for part in table.windows(keys)), table.query(keys).tolist(), strict=True
    ):
        lower, upper = (memories[r % 2, r // 2] for r in (start // row, start // row + 1))
        cells = np.concatenate((lower, upper)).tolist()[start % row :]
        for bit in range(window):
            mask ^= cells[bit] if word >> bit & 1 else 0
        assert mask == answer
    assert memories.sum() == table.table.sum()


def test_networks_must_compute_the_hash() -> None:
    table = small_filter(32)
    first, second = balanced_trees(table.hash.first[:, :-1]), balanced_trees(table.hash.second)
    assert BandLane(table, CLUSTERS, (first, second)).networks[0] is first
    with pytest.raises(InputError, match="the XOR networks must compute the two maps of the filter's hash"):
        BandLane(table, CLUSTERS, (first, balanced_trees(1 - table.hash.second)))
    with pytest.raises(InputError, match="clusters must be between 1 and 127, not 128"):
        BandLane(table, 128)
