"""Which stalls meet which places of the streams in a simulation: counted for every form of decoder and every engine.

    python benchmarks/stall_pairs.py [--seeds 4] [--kinds KIND...]

Writes the package of every form, as `benchmarks/mutants.py` does, and simulates it under random stalls with its scenes,
once a seed; and runs small engines. A pair is an input that pauses or is held up, or the output that is held up, at the
first word of a scene, inside it or at its last word. Counted is what came about in one run or another; the last column
has what never did.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mutants import KINDS

import xorweave as xw
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.network.integer_network import IntegerLayer
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.package import write_design
from xorweave.sim.csr_run import CsrSimulator, csr_config
from xorweave.sim.network_run import NetworkSimulator
from xorweave.sim.scan_run import ScanSimulator, scan_engine_config
from xorweave.sim.simulate import simulate
from xorweave.sim.spmv_run import SpmvSimulator, engine_config
from xorweave.sim.stream_model import StreamModel, StreamRun

Run = Callable[[int], Any]  # one simulation, of a seed
PERCENT = 30  # of the cycles in which a stream hesitates
_SHORT = 8  # times as many runs of an engine: it has one scene, of some hundred cycles
_RNG = np.random.default_rng(0)
_MASK = _RNG.random((24, 20)) < 0.3
_WEIGHTS = _RNG.integers(-127, 128, _MASK.shape).astype(np.int8)
_VECTOR = _RNG.integers(-128, 128, (1, _MASK.shape[1])).astype(np.int8)


def _decoder(kind: str, folder: Path, simulator: str) -> Run:
    if kind == _LENGTHS:
        layers = {
            str(kept): np.where(_RNG.random((20, 24)) < kept, 1.0, 0).astype("f") for kept in (0.1, 0.4)
        }
        xw.decoder(xw.encode(layers, dtype="int8", goal="hardware")).write(folder / "p")
    else:
        write_design(folder / "p", KINDS[kind]())
    return lambda seed: simulate(folder / "p", simulator=simulator, stalls="random", restarts=True, seed=seed)


def _scan(folder: Path) -> Run:
    tensor = xw.encode(np.where(_MASK, _WEIGHTS, np.int8(0)), goal="hardware")["weights"].tensor
    simulator = ScanSimulator(scan_engine_config(tensor, lanes=3), config_for(tensor), folder)
    return lambda seed: simulator.run(tensor, _VECTOR, stalls=PERCENT, seed=seed)


def _lanes(folder: Path) -> Run:
    layout = LaneLayout.fitting(*_MASK.shape, 4, interleave=2)
    matrix = encode_on_lanes(_WEIGHTS, number_format("int8"), _MASK, layout, max_k=16)
    simulator = SpmvSimulator(engine_config(matrix), folder)
    return lambda seed: simulator.run(matrix, _VECTOR, stalls=PERCENT, seed=seed)


def _network(folder: Path) -> Run:
    layers = [
        IntegerLayer("fc0", np.where(_MASK, _WEIGHTS, np.int8(0)), np.zeros(24, np.int32), 20000, 20),
        IntegerLayer("fc1", np.where(_MASK, _WEIGHTS, np.int8(0)).T.copy(), np.zeros(20, np.int32), 0, 0),
    ]
    simulator = NetworkSimulator(layers, lanes=4, folder=folder)
    images = np.abs(np.repeat(_VECTOR, 3, axis=0) // 2)
    return lambda seed: simulator.run(images, stalls=PERCENT, seed=seed)


def _csr(folder: Path) -> Run:
    simulator = CsrSimulator(csr_config(cols=_MASK.shape[1], lanes=3), folder)
    return lambda seed: simulator.run(_WEIGHTS, _MASK, _VECTOR, stalls=PERCENT, seed=seed)


_LENGTHS = "several sparsities"
DECODERS = (*KINDS, _LENGTHS)
ENGINES: dict[str, Callable[[Path], Run]] = {
    "scan engine": _scan,
    "SpMV engine": _lanes,
    "network engine": _network,
    "CSR engine": _csr,
}


def counted(run: Run, seed: int) -> tuple[int, set[str], bool]:
    """Return how many pairs there are, those that were not met, and whether all was right.

    An engine's product may be several runs of its model: a pair is met in any of them.
    """
    seen: list[StreamRun] = []
    plain = StreamModel.run

    def kept(self: StreamModel, *args: Any, **options: Any) -> StreamRun:
        seen.append(plain(self, *args, **options))
        return seen[-1]

    StreamModel.run = kept  # type: ignore[method-assign]
    try:
        result = run(seed)
    finally:
        StreamModel.run = plain  # type: ignore[method-assign]
    runs = seen or [result]
    return (
        max(one.pairs for one in runs),
        set.intersection(*(set(one.unmet) for one in runs)),
        not result.mismatches,
    )


def main() -> int:
    """Print a row for each form; status 1 where a simulation fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--kinds", nargs="*", choices=[*DECODERS, *ENGINES], default=[*DECODERS, *ENGINES])
    parser.add_argument("--simulator", default="verilator", help="of the decoders; engines run in Verilator")
    args = parser.parse_args()
    print("| form | pairs | met, first run | met, all runs | never |\n|---|---|---|---|---|")
    failed = False
    for kind in args.kinds:
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            run = ENGINES[kind](folder) if kind in ENGINES else _decoder(kind, folder, args.simulator)
            runs = [counted(run, seed) for seed in range(args.seeds * (_SHORT if kind in ENGINES else 1))]
        pairs = runs[0][0]
        never = set.intersection(*(unmet for _, unmet, _ in runs))
        met = [pairs - len(unmet) for unmet in (runs[0][1], never)]
        failed |= not all(right for *_, right in runs)
        print(f"| {kind} | {pairs} | {met[0]} | {met[1]} | {', '.join(sorted(never)) or '-'} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
