"""The engines as kinds of `mutants`: their Verilog, and what the tests of tests/sim play with it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_planned, rank_lane_plans
from xorweave.golden.code.code import Code
from xorweave.golden.network.integer_network import IntegerLayer
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.scan import Scan
from xorweave.golden.spmv.scan_trace import trace_scan
from xorweave.golden.spmv.trace import trace_spmv
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.engines.csr_engine import CsrConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.sim.csr_run import CsrSimulator
from xorweave.sim.network_run import NetworkSimulator
from xorweave.sim.scan_run import ScanSimulator, scan_engine_config
from xorweave.sim.spmv_run import SpmvSimulator, cycle_model, engine_config
from xorweave.sim.stream_model import StreamModel

INT8 = number_format("int8")
STALLS = (
    0,
    20,
    (70, 0),
    (0, 70),
    (0, 95),
)  # the last: an engine that has a pass of results in store must wait, too
MOST_CYCLES = 20_000


@dataclass(frozen=True)
class EngineBench:
    """An engine that is played under stalls, every record of every stream compared.

    Attributes
    ----------
    model : StreamModel
    fixed : int
        Characters of its Verilog that are not changed: a decoder in front is another kind.
    right : callable
        Whether a model does what it should.
    """

    model: StreamModel
    fixed: int
    right: Callable[[StreamModel], bool]

    @property
    def verilog(self) -> str:
        """The text that is changed."""
        return (self.model.folder / "top.v").read_text()


def _given_up(model: StreamModel, reset_after: int) -> StreamModel:
    """Return a model whose runs are reset after so many cycles and begun again."""
    model = copy(model)
    model.run = partial(model.run, reset_after=reset_after)  # type: ignore[method-assign]
    return model


def _random(shape: tuple[int, int], density: float, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    weights = rng.integers(-128, 128, shape).astype(np.int8)
    vectors = rng.integers(-128, 128, (batch, shape[1])).astype(np.int8)
    vectors[:, 2] = -128
    return weights, rng.random(shape) < density, vectors


def _scan(order: Scan, shape: tuple[int, int], folder: Path) -> EngineBench:
    """Two products one after the other on an engine of three lanes, which do not divide a block."""
    weights, mask, vectors = _random(shape, 0.4, 2)  # of a length that leaves a tail of two weights
    mask[[0, 3, 5]] = False
    code = Code.uniform(n_in=4, n_out=10, n_s=1)
    tensor = encode_tensor(weights, INT8, code, mask=mask, scan=order)
    decoder = config_for(tensor)
    simulator = ScanSimulator(scan_engine_config(tensor, lanes=3, batch=2), decoder, folder)
    products = [vectors, np.roll(vectors, 1, axis=1)]
    traces = [trace_scan(tensor, some, 3) for some in products]
    given, wanted = simulator.stimulus(tensor, products), simulator.expected(traces)
    cycles = simulator.model.run(given, wanted, most_cycles=MOST_CYCLES).cycles

    def right(model: StreamModel) -> bool:
        for stalls in STALLS:
            for reset_after in (0, cycles // 2):
                run = model.run(
                    given, wanted, stalls=stalls, most_cycles=MOST_CYCLES, reset_after=reset_after
                )
                if run.mismatches or (not stalls and run.cycles != cycles):
                    return False
        return True

    return EngineBench(simulator.model, len(decoder_verilog(decoder)), right)


def _spmv(folder: Path) -> EngineBench:
    """Two passes, padded rows, corrections, an output register; two products one after the other."""
    weights, mask, vectors = _random((45, 23), 0.45, 2)
    layout = LaneLayout.fitting(45, 23, 6, interleave=4)
    plan = replace(
        rank_lane_plans(mask, layout, 8, max_k=12)[0], code=Code.uniform(n_in=2, n_out=6, n_s=2, seed=3)
    )
    matrix = encode_planned(weights, INT8, mask, plan)
    config = engine_config(matrix, batch=2, load_words=3, result_words=2, output_register=True)
    simulator = SpmvSimulator(config, folder)
    products = [vectors, np.roll(vectors, 5, axis=1)]

    def joined(parts: list[dict[str, list[np.ndarray]]]) -> dict[str, list[np.ndarray]]:
        return {
            name: [np.concatenate(pins) for pins in zip(*(part[name] for part in parts), strict=True)]
            for name in parts[0]
        }

    given = joined([simulator.stimulus(matrix, some) for some in products])
    wanted = joined([simulator.expected(trace_spmv(matrix, some)) for some in products])
    cycles = cycle_model(config).cycles + plan.layout.blocks + cycle_model(config).load_beats

    def right(model: StreamModel) -> bool:
        for stalls in STALLS:
            for reset_after in (0, cycles // 2):
                run = model.run(
                    given, wanted, stalls=stalls, most_cycles=MOST_CYCLES, reset_after=reset_after
                )
                if run.mismatches or (not stalls and run.cycles != cycles):
                    return False
        return True

    return EngineBench(simulator.model, 0, right)


def _network(folder: Path) -> EngineBench:
    """Layers of several passes and turns, one as wide as the lanes, one narrower; three batches."""
    rng = np.random.default_rng(3)
    layers = []
    for number, (rows, cols, multiplier, shift) in enumerate(
        ((37, 21, 30000, 20), (8, 37, 20000, 21), (5, 8, 65535, 22), (11, 5, 0, 0))
    ):
        weights = rng.integers(-127, 128, (rows, cols)).astype(np.int8) * (rng.random((rows, cols)) < 0.4)
        bias = rng.integers(-3000, 3000, rows).astype(np.int32)
        layers.append(IntegerLayer(f"fc{number}", weights.astype(np.int8), bias, multiplier, shift))
    simulator = NetworkSimulator(layers, lanes=8, batch=2, interleave=3, folder=folder)
    inputs = rng.integers(0, 128, (5, 21)).astype(np.int8)
    cycles = simulator.run(inputs).cycles

    def right(model: StreamModel) -> bool:
        for reset_after in (0, cycles // 3):
            simulator.model = _given_up(model, reset_after)
            for stalls in STALLS:
                run = simulator.run(inputs, stalls=stalls)
                if run.mismatches or (not stalls and (run.cycles != cycles or run.stall_cycles)):
                    return False
        return True

    return EngineBench(simulator.model, 0, right)


def _csr(folder: Path) -> EngineBench:
    """Lanes that meet at banks, rows without weights, one lane alone, rows so short that queues of results fill."""
    config = CsrConfig(cols=13, lanes=5, banks=4, batch=2, load_words=2, result_words=2)
    simulator = CsrSimulator(config, folder)
    weights, mask, vectors = _random((40, 13), 0.5, 2)
    crowded, alone, short = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    mask[3], crowded[:, [0, 4, 8]], alone[7] = False, True, True
    short[np.arange(40), np.arange(40) % 13] = True
    masks = (mask, crowded, alone, short)
    shown = [simulator.run(weights, some, vectors) for some in masks]

    def right(model: StreamModel) -> bool:
        for (some, run), reset_after in product(zip(masks, shown, strict=True), (0, 20)):
            simulator.model = _given_up(model, reset_after)
            for stalls in STALLS:
                now = simulator.run(weights, some, vectors, stalls=stalls)
                if now.mismatches or not np.array_equal(now.results, run.results):
                    return False
                same = (now.cycles, now.conflict_cycles) == (run.cycles, run.conflict_cycles)
                if not stalls and not same:
                    return False
        return True

    return EngineBench(simulator.model, 0, right)


ENGINES: dict[str, Callable[[Path], EngineBench]] = {
    "scan-engine, affine": lambda folder: _scan(Interleaver(102, 37, 17), (6, 17), folder),
    "scan-engine, lanes": lambda folder: _scan(  # two passes
        LaneLayout(rows=11, cols=19, lanes=4, interleave=2, start_column=3, lead=2), (11, 19), folder
    ),
    "scan-engine, 21 columns": lambda folder: _scan(  # a pass ends where a cycle of three weights does
        LaneLayout(rows=11, cols=21, lanes=4, interleave=2, start_column=3, lead=2), (11, 21), folder
    ),
    "spmv-engine": _spmv,
    "network-engine": _network,
    "csr-engine": _csr,
}
