"""Simulates the CSR engine on whole layers under Verilator: every accumulator compared, conflicts counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.spmv.csr_lanes import LaneItems, items_of
from xorweave.golden.spmv.sums import check_sums
from xorweave.golden.spmv.trace import check_activations
from xorweave.hw.engines.csr_engine import CsrConfig, CsrEngine
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.sim.engine_run import EngineRun
from xorweave.sim.spmv_run import DEFAULT_LOAD_WORDS, DEFAULT_RESULT_WORDS
from xorweave.sim.stream_model import StreamModel, StreamPort, pack_integers, pack_words, pin_bytes


@dataclass(frozen=True, kw_only=True)
class CsrRun(EngineRun):
    """One product on the CSR engine.

    Attributes
    ----------
    cycles : int
        From the end of reset, activations not yet loaded, to the last result.
    items : int
        Kept weights.
    fullest_lane : int
        Items of the lane with the most: no run can be shorter.
    imbalance : float
        fullest_lane over the mean of all lanes, minus 1.
    conflict_cycles : int
        Lane cycles in which a lane asked a bank and another was served.
    wait_share : float
        conflict_cycles over all lane cycles in which a lane asked.
    mismatches : int
        Accumulators and results that differ from the golden ones or never came.
    macs_used, slots : int
        Products made, and those the lanes could have made between the first and the last.
    bytes_read : float
        Items and activations.
    bytes_per_cycle : float
        What the items need while all lanes are served.
    lanes, banks, batch : int
    results : ndarray of int32, shape (batch, rows)
        As the engine gave them.
    messages : tuple of str
    """

    label: ClassVar[str] = "CSR"

    items: int
    fullest_lane: int
    imbalance: float
    conflict_cycles: int
    wait_share: float
    bytes_per_cycle: float
    banks: int


class CsrSimulator:
    """A CSR engine compiled for simulation, to run any matrix with its number of columns.

    Parameters
    ----------
    config : CsrConfig
        Trace ports are added.
    folder : path, optional
        Keeps the compiled model; a temporary one by default.
    fast : bool
        Compile for speed of simulation.
    """

    def __init__(self, config: CsrConfig, folder: Path | None = None, *, fast: bool = False) -> None:
        self.config = config = CsrConfig(**{**asdict(config), "trace": True})
        engine = CsrEngine(config)
        self._lane_bits = engine.lane_bits

        def port(name: str, width: int, **options: bool) -> StreamPort:
            return StreamPort(
                name, ((f"{name}_tdata", width),), f"{name}_tvalid", f"{name}_tready", **options
            )

        inputs = [port("s_axis_x", config.load_words * config.batch * 8)]
        inputs += [port(f"item{lane}", config.item_bits) for lane in range(config.lanes)]
        width = engine.lane_bits + config.batch * 32
        self._ports = [port(f"result{s}", width, recorded=True) for s in range(config.result_words)]
        traces = [
            StreamPort(f"sum{lane}", ((f"trace_sum{lane}", config.batch * 32),), f"trace_summed{lane}", None)
            for lane in range(config.lanes)
        ]
        self.model = StreamModel(
            amaranth_verilog(engine, "top"),
            inputs,
            [*self._ports, *traces],
            folder,
            counted=("waiting", "working"),
            run_time=("rows",),
            fast=fast,
        )

    def run(
        self,
        weights: NDArray[np.int8],
        mask: NDArray[np.bool_],
        activations: NDArray[np.int8],
        *,
        stalls: int | tuple[int, int] = 0,
        seed: int = 0,
    ) -> CsrRun:
        """Multiply once and compare everything; parameters as in `simulate_csr`."""
        config = self.config
        vectors = check_activations(config.cols, activations)
        if vectors.shape[0] != config.batch:
            raise InputError(f"the engine takes {config.batch} vectors at once, not {vectors.shape[0]}")
        check_sums(np.where(mask, weights, 0), vectors)
        lanes = items_of(weights, mask, config.lanes)
        sums = [lane.sums(vectors) for lane in lanes]
        beats = np.zeros((config.load_beats * config.load_words, config.batch), np.int8)
        beats[: config.cols] = vectors.T
        given = {"s_axis_x": [pack_words(beats.reshape(config.load_beats, -1).view(np.uint8), 8)]}
        given |= {f"item{i}": [self._items(lane)] for i, lane in enumerate(lanes)}
        wanted = {f"sum{i}": [pack_words(values.view(np.uint32), 32)] for i, values in enumerate(sums)}
        record = pin_bytes(self._lane_bits + config.batch * 32)
        for s, port in enumerate(self._ports):
            rows = sum(lane.rows.size for lane in lanes[s :: config.result_words])
            wanted[port.name] = [np.zeros((rows, record), np.uint8)]
        total = sum(lane.rows.size for lane in lanes)
        longest = max(lane.values.size for lane in lanes)
        run = self.model.run(
            given,
            wanted,
            stalls=stalls,
            seed=seed,
            most_cycles=100 * (longest + total) + 10_000,
            held={"rows": total},
        )
        results = np.zeros((config.batch, weights.shape[0]), np.int32)
        wrong = run.mismatches
        arrived = [0] * config.lanes
        for port in self._ports:
            for raw in self.model.recorded(port)[0]:
                word = int.from_bytes(raw.tobytes(), "little")
                lane = word & ((1 << self._lane_bits) - 1)
                if lane >= config.lanes or arrived[lane] >= lanes[lane].rows.size:
                    wrong += 1
                    continue
                row = lanes[lane].rows[arrived[lane]]
                final = sums[lane][np.flatnonzero(lanes[lane].ends)[arrived[lane]]]
                arrived[lane] += 1
                for b in range(config.batch):
                    got = word >> (self._lane_bits + 32 * b) & 0xFFFFFFFF
                    results[b, row] = np.uint32(got).view(np.int32)
                wrong += int((results[:, row] != final).any())
        items = int(mask.sum())
        waited, worked = run.counts
        spans = [run.spans[f"sum{i}"] for i, lane in enumerate(lanes) if lane.values.size]
        busy = max(s[1] for s in spans) - min(s[0] for s in spans) + 1 if spans else 0
        return CsrRun(
            cycles=run.cycles,
            items=items,
            fullest_lane=longest,
            imbalance=longest * config.lanes / items - 1.0 if items else 0.0,
            conflict_cycles=waited,
            wait_share=waited / (waited + worked) if waited + worked else 0.0,
            mismatches=wrong,
            macs_used=items * config.batch,
            slots=busy * config.lanes * config.batch,
            bytes_read=items * config.item_bits / 8 + vectors.size,
            bytes_per_cycle=config.lanes * config.item_bits / 8,
            lanes=config.lanes,
            banks=config.banks,
            batch=config.batch,
            results=results,
            messages=run.messages,
        )

    def _items(self, lane: LaneItems) -> NDArray[np.uint8]:
        config = self.config
        word = (lane.values.view(np.uint8) & np.uint8((1 << config.n_w) - 1)).astype(np.int64)
        word |= lane.columns << config.n_w
        word |= lane.ends.astype(np.int64) << (config.n_w + config.column_bits)
        return pack_integers([int(value) for value in word], config.item_bits)


def csr_config(
    *,
    cols: int,
    lanes: int,
    dtype: str = "int8",
    batch: int = 1,
    banks: int | None = None,
    load_words: int | None = None,
    result_words: int | None = None,
) -> CsrConfig:
    """Return the CSR engine for a number of columns; parameters as in `simulate_csr`."""
    banks = banks or 1 << (2 * lanes - 1).bit_length()
    return CsrConfig(
        cols=cols,
        lanes=lanes,
        banks=banks,
        n_w=number_format(dtype).n_w,
        batch=batch,
        load_words=load_words or min(DEFAULT_LOAD_WORDS, banks),
        result_words=result_words or min(DEFAULT_RESULT_WORDS, lanes),
    )


def simulate_csr(
    weights: NDArray[np.int8],
    mask: NDArray[np.bool_],
    activations: NDArray[np.int8],
    *,
    lanes: int = 64,
    banks: int | None = None,
    dtype: str = "int8",
    load_words: int | None = None,
    result_words: int | None = None,
    stalls: int = 0,
    seed: int = 0,
    folder: Path | None = None,
) -> CsrRun:
    """Build the CSR engine and run it once under Verilator.

    Parameters
    ----------
    weights : ndarray of int8, shape (rows, cols)
        INT8, or INT4 held in int8.
    mask : ndarray of bool, shape (rows, cols)
        True = kept.
    activations : ndarray of int8, shape (cols,) or (batch, cols)
    lanes : int
    banks : int, optional
        A power of two; by default the first one that is at least twice the lanes.
    dtype : {"int8", "int4"}
    load_words, result_words
        As in `CsrConfig`; 16 (fewer with fewer banks) and 4 (fewer with fewer lanes) by default.
    stalls : int
        Per cent of the cycles in which each stream hesitates.
    seed : int
        Of the stalls.
    folder : path, optional
        Keeps the compiled model.

    Raises
    ------
    InputError
        A size, shape or dtype does not fit, or Verilator cannot be run here.
    """
    if weights.ndim != 2 or 0 in weights.shape:
        raise InputError(f"the weights must be a matrix of at least 1 by 1, not of shape {weights.shape}")
    if mask.shape != weights.shape:
        raise InputError(f"the mask must have the weights' shape {weights.shape}, not {mask.shape}")
    if dtype not in ("int8", "int4"):
        raise InputError(f"the engine multiplies int8 and int4 weights, not {dtype!r}")
    number_format(dtype).to_words(weights)  # refuses what does not fit
    vectors = check_activations(weights.shape[1], activations)
    config = csr_config(
        cols=weights.shape[1], lanes=lanes, dtype=dtype, batch=vectors.shape[0], banks=banks,
        load_words=load_words, result_words=result_words,
    )  # fmt: skip
    # compiling for speed takes longer than many a run
    simulator = CsrSimulator(config, folder, fast=int(mask.sum()) * config.banks > 1 << 26)
    return simulator.run(weights, mask, vectors, stalls=stalls, seed=seed)
