"""One sparse matrix times one vector (or a few), in hardware and in software, with everything compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.gpu import gpu_absence
from xorweave.golden.spmv.gpu_figures import gpu_figures
from xorweave.golden.spmv.lanes import encode_lanes, lane_matrix, why_not_lanes
from xorweave.golden.spmv.libraries import MklCsr, NumpyDense, ScipyCsr, one_blas_thread
from xorweave.golden.spmv.rivals import BitmapProduct, CsrProduct
from xorweave.golden.spmv.stored_product import StoredProduct
from xorweave.golden.spmv.sums import check_sums
from xorweave.golden.spmv.tile_product import MAX_VECTORS
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.engines.csr_engine import CsrConfig
from xorweave.hw.engines.scan_engine import ScanEngineConfig
from xorweave.hw.engines.spmv_engine import SpmvConfig
from xorweave.sim.csr_run import CsrRun, CsrSimulator, csr_config
from xorweave.sim.engine_run import EngineRun
from xorweave.sim.scan_run import ScanRun, ScanSimulator, scan_engine_config
from xorweave.sim.spmv_run import SpmvRun, SpmvSimulator, engine_config, takes_lanes
from xorweave.studies.spmv_operand import Operand
from xorweave.studies.timing import Timing, cycles_per_second, measure
from xorweave.synth.engine import EngineSynthesis, synthesize_engine

ENCODED = "encoded"
FOR_PRODUCTS = "encoded for products"
DENSE = "dense float32, NumPy"
_MOST_CSR_LANES = 16
_FAST_FROM = 1 << 17  # lane cycles from which compiling a faster simulation pays


@dataclass(frozen=True, kw_only=True)
class Software:
    """One product on the processor.

    Attributes
    ----------
    name : str
    threads : int
    seconds, fastest, slowest : float
        Median, minimum and maximum of one product (of all vectors of the batch).
    cycles : float
        seconds in cycles of the processor's time-stamp counter.
    bytes_read : int
        The stored matrix; vectors and sums are not counted.
    bytes_per_cycle : float
    slots_used : float
        Share of the multiplications made that are of kept weights.
    speed_up : float
        Over the dense product, one thread against one.
    """

    name: str
    threads: int
    seconds: float
    fastest: float
    slowest: float
    cycles: float
    bytes_read: int
    bytes_per_cycle: float
    slots_used: float
    speed_up: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table: a product, in cycles of what it ran on.

    Attributes
    ----------
    product : str
    ours : bool
        Whether it decodes the encoded weights.
    cycles : float or None
        Simulated clock cycles of an engine, cycles of the time-stamp counter of a processor, of a GPU at the clock it
        reports.
    seconds, fastest, slowest : float or None
        Of an engine: at the clock that synthesis reached, None where that was not asked for. Of a GPU the spread
        is that of the middle half.
    bytes_read : float
    bytes_per_cycle, slots_used : float or None
    speed_up : float or None
        Over the dense product of NumPy, where both have a time.
    """

    product: str
    ours: bool
    cycles: float | None
    seconds: float | None
    fastest: float | None
    slowest: float | None
    bytes_read: float
    bytes_per_cycle: float | None
    slots_used: float | None
    speed_up: float | None


@dataclass(frozen=True, kw_only=True)
class Layer:
    """All that was found out about one layer.

    Attributes
    ----------
    name : str
    rows, cols, kept, batch : int
    dtype : str
    stored : dict
        What ``Operand.record`` returns: how the matrix is stored, and whether a file had it so.
    agree : bool
        Every product, in hardware and in software, equals the integer product bit for bit.
    differing : tuple of str
        Products that do not.
    engine : SpmvRun, ScanRun or None
        The encoded engine, simulated: that of diagonal lanes for what is stored in them, the scan engine for all else.
        None if simulation was left out, or there is no decoder for what is stored.
    csr, csr_equal_bytes : CsrRun or None
        The CSR engine with as many lanes, and with the lanes that read as many bytes a cycle.
    gpu : dict or None
        What ``xorweave.golden.spmv.gpu.gpu_figures`` returns.
    gates : dict
        Synthesis of the engines, by the names of the runs; empty where it was not asked for.
    software : tuple of Software
    missing : tuple of str
        What was not measured, and why.
    """

    name: str
    rows: int
    cols: int
    kept: int
    batch: int
    dtype: str
    stored: dict[str, Any]
    agree: bool
    differing: tuple[str, ...]
    engine: SpmvRun | ScanRun | None
    csr: CsrRun | None
    csr_equal_bytes: CsrRun | None
    software: tuple[Software, ...]
    gates: dict[str, EngineSynthesis] = field(default_factory=dict)
    gpu: dict[str, Any] | None = None
    missing: tuple[str, ...] = ()

    @property
    def sparsity(self) -> float:
        """Share of pruned weights."""
        return 1.0 - self.kept / (self.rows * self.cols)

    @property
    def _runs(self) -> dict[str, SpmvRun | ScanRun | CsrRun | None]:
        return {"engine": self.engine, "csr_engine": self.csr, "csr_engine_equal_bytes": self.csr_equal_bytes}

    def table(self) -> list[Row]:
        """Return a row for each product that was measured, the engines first."""
        dense = next((item.seconds for item in self.software if item.name == DENSE), None)
        rows = []
        for name, run in self._runs.items():
            if run is None:
                continue
            # the gates of a scan engine are without its decoder, and so without a clock
            known = name in self.gates and not isinstance(run, ScanRun)
            clock = self.gates[name].logic.fmax_mhz if known else None
            seconds = None if clock is None else run.cycles / (1e6 * clock)
            rows.append(
                Row(
                    product=f"RTL, {run.label}, {run.lanes} lanes", ours=name == "engine", cycles=run.cycles,
                    seconds=seconds, fastest=None, slowest=None, bytes_read=run.bytes_read,
                    bytes_per_cycle=run.bytes_read / run.cycles, slots_used=run.slots_used,
                    speed_up=None if seconds is None or dense is None else dense / seconds,
                )
            )  # fmt: skip
        for item in self.software:
            figures = asdict(item)
            name, count = figures.pop("name"), figures.pop("threads")
            rows.append(Row(product=_on_processor(name, count), ours=name.startswith(ENCODED), **figures))
        return [*rows, *self._gpu_rows(dense)]

    def _gpu_rows(self, dense: float | None) -> list[Row]:
        if self.gpu is None:
            return []
        clock = _megahertz(self.gpu["device"])
        rows = []
        for record in self.gpu["products"]:
            if "failed" in record:
                continue
            low, median, high = (1e-6 * record[key] for key in ("low", "median", "high"))
            cycles = None if clock is None else 1e6 * clock * median
            rows.append(
                Row(
                    product=f"GPU, {record['name']}", ours=record["name"].startswith(ENCODED), cycles=cycles,
                    seconds=median, fastest=low, slowest=high, bytes_read=record["bytes_read"],
                    bytes_per_cycle=None if cycles is None else record["bytes_read"] / cycles, slots_used=None,
                    speed_up=None if dense is None else dense / median,
                )
            )  # fmt: skip
        return rows

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values; what was not measured is null."""
        return {
            "name": self.name, "rows": self.rows, "cols": self.cols, "sparsity": self.sparsity, "kept": self.kept,
            "batch": self.batch, "dtype": self.dtype, "stored": self.stored, "agree": self.agree,
            "differing": list(self.differing),
            "rtl": {name: None if run is None else run.as_json() for name, run in self._runs.items()},
            "gates": {name: result.to_json() for name, result in self.gates.items()} or None,
            "cpu": [asdict(item) for item in self.software], "gpu": self.gpu, "not_measured": list(self.missing),
        }  # fmt: skip


def _megahertz(facts: Mapping[str, Any]) -> float | None:
    """Return the clock that a GPU's facts report, as in ``1980 MHz``."""
    number = str(facts.get("clocks.sm", "")).partition(" ")[0]
    return float(number) if number.isdecimal() else None


def _on_processor(name: str, threads: int) -> str:
    return f"CPU, {name}, {threads} thread{'s' if threads > 1 else ''}"


def products(
    matrix: NDArray[np.int8], mask: NDArray[np.bool_], dtype: str, threads: int, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Encode a matrix for the processor, and make it and all rivals; return them by name, and why some are missing."""
    lanes = encode_lanes(matrix, "int4" if dtype == "int4" else "int8", mask=mask, seed=seed)
    made, missing = rivals(matrix, mask, threads)
    return {ENCODED: EncodedProduct(lanes, threads), **made}, missing


def rivals(
    matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int
) -> tuple[dict[str, Any], list[str]]:
    """Make every product of a matrix that is not encoded; return them by name, and why some are missing."""
    made: dict[str, Any] = {}
    missing = []
    try:
        made["bitmap INT8"] = BitmapProduct(matrix, mask, threads)
        made["dense INT8"] = BitmapProduct(matrix, mask, threads, dense=True)
    except InputError as error:
        missing.append(f"bitmap INT8, dense INT8: {error}")
    made["CSR INT8"] = CsrProduct(matrix, mask, threads)
    try:
        made["CSR float32, MKL"] = MklCsr(matrix, mask, threads)
    except InputError as error:
        missing.append(f"CSR float32, MKL: {error}")
    if threads == 1:  # SciPy's products run on one core
        made["CSR float32, SciPy"] = ScipyCsr(matrix, mask)
        made["CSR int32, SciPy"] = ScipyCsr(matrix, mask, "int32")
        made[DENSE] = NumpyDense(matrix, mask)
    return made, missing


def _software(
    name: str, threads: int, timing: Timing, product: Any, slots_used: float, dense: float, rate: float
) -> Software:
    cycles = timing.median * rate
    return Software(
        name=name,
        threads=threads,
        seconds=timing.median,
        fastest=min(timing.seconds),
        slowest=max(timing.seconds),
        cycles=cycles,
        bytes_read=int(product.bytes_read),
        bytes_per_cycle=product.bytes_read / cycles,
        slots_used=slots_used,
        speed_up=dense / timing.median,
    )


@dataclass(frozen=True, kw_only=True)
class Engines:
    """The simulated engines of one layer, and how they were generated; by the names of the runs."""

    runs: dict[str, EngineRun]
    configs: dict[str, SpmvConfig | ScanEngineConfig | CsrConfig]


def decoder_absence(tensor: EncodedTensor) -> str:
    """Return why there is no decoder in hardware for a stored tensor; empty if there is one."""
    try:
        config_for(tensor, network_of=lambda _: None)
    except InputError as error:
        return str(error)
    return ""


def run_engines(
    operand: Operand, vectors: NDArray[np.int8], lanes: int | None, progress: Callable[[float], None]
) -> Engines:
    """Simulate the encoded engine, the CSR engine of as many lanes, and the one that reads as many bytes a cycle.

    Raises
    ------
    InputError
        The engine cannot have so many lanes; a tensor stored in lanes brings its own.
    """
    encoded, matrix, mask = operand.tensor, operand.matrix, operand.mask
    batch = vectors.shape[0]
    engine: SpmvRun | ScanRun
    config: SpmvConfig | ScanEngineConfig
    if takes_lanes(encoded):
        if lanes not in (None, encoded.n_out):
            raise InputError(
                f"the lanes must be the {encoded.n_out} that the tensor is stored for, not {lanes}"
            )
        config = engine_config(encoded, batch=batch)
        large = encoded.blocks * encoded.n_out > _FAST_FROM
        engine = SpmvSimulator(config, fast=large).run(encoded, vectors)
        bytes_per_cycle = engine.bytes_per_block
    else:
        config = scan_engine_config(encoded, lanes=lanes, batch=batch)
        engine = ScanSimulator(config, config_for(encoded)).run(encoded, vectors)
        bytes_per_cycle = engine.bytes_per_cycle
    progress(0.5)
    same = csr_config(cols=matrix.shape[1], lanes=engine.lanes, dtype=operand.dtype, batch=batch)
    csr = CsrSimulator(same).run(matrix, mask, vectors)
    progress(0.8)
    # so many lanes read no more bytes a cycle than the encoded engine does
    fewer = max(1, int(bytes_per_cycle * 8 // same.item_bits))
    few = csr_config(cols=matrix.shape[1], lanes=fewer, dtype=operand.dtype, batch=batch)
    equal = csr if few == same else CsrSimulator(few).run(matrix, mask, vectors)
    progress(1.0)
    return Engines(
        runs={"engine": engine, "csr_engine": csr, "csr_engine_equal_bytes": equal},
        configs={"engine": config, "csr_engine": same, "csr_engine_equal_bytes": few},
    )


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """How the engines are mapped to gates: a Liberty file, and the clock asked of it; without it, generic cells."""

    liberty: Path | None = None
    clock_mhz: float | None = None


def map_engines(
    engines: Engines, options: GateOptions, progress: Callable[[float], None]
) -> tuple[dict[str, EngineSynthesis], list[str]]:
    """Map the engines to gates; return the results by the names of the runs, and why some are missing."""
    found, missing = {}, []
    for number, (label, config) in enumerate(engines.configs.items(), 1):
        if isinstance(config, CsrConfig) and config.lanes > _MOST_CSR_LANES:
            missing.append(
                f"gates of the CSR engine with {config.lanes} lanes: its arbiters take Yosys more than ten minutes"
            )
            continue
        if isinstance(config, ScanEngineConfig):
            missing.append(
                "gates of the scan engine's decoder, and so its clock: generate and synth of the file have them"
            )
        found[label] = synthesize_engine(config, liberty=options.liberty, clock_mhz=options.clock_mhz)
        progress(number / len(engines.configs))
    return found, missing


@dataclass(kw_only=True)
class _Findings:
    """What was found out so far about one layer, in the words of `Layer`."""

    wrong: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    software: list[Software] = field(default_factory=list)


def measure_layer(
    operand: Operand,
    *,
    batch: int = 1,
    repeats: int = 7,
    threads: tuple[int, ...] = (1, 2),
    simulate: bool = True,
    lanes: int | None = None,
    gates: GateOptions | None = None,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> Layer:
    """Multiply one layer with a batch of random INT8 vectors in every way, and compare the results bit for bit.

    Parameters
    ----------
    operand : Operand
        Engine, golden trace and processor multiply with its tensor as it is stored.
    lanes : int, optional
        Weights a cycle of the scan engine, which takes every form but `takes_lanes`; by default 8.
    gates : GateOptions, optional
        Also map the engines to gates.

    Raises
    ------
    InputError
        A number is out of range, or a sum might need more than 32 bits.
    """
    if batch < 1 or repeats < 1:
        raise InputError(f"batch and repeats must be at least 1, not {batch} and {repeats}")
    matrix = operand.matrix
    rows, cols = matrix.shape
    vectors = np.random.default_rng(seed).integers(-128, 128, (batch, cols)).astype(np.int8)
    try:
        check_sums(matrix, vectors)
    except InputError as error:
        raise InputError(f"tensor {operand.name}: {error}") from None
    wanted = vectors.astype(np.int64) @ matrix.T.astype(np.int64)
    found = _Findings()
    absent = decoder_absence(operand.tensor) if simulate else "left out"
    runs: dict[str, EngineRun] = {}
    synthesized: dict[str, EngineSynthesis] = {}
    if absent:
        found.missing.append(f"RTL: {absent}")
    else:
        engines = run_engines(operand, vectors, lanes, lambda share: progress(0.5 * share))
        runs = engines.runs
        for run in runs.values():
            if run.mismatches or not np.array_equal(run.results, wanted):
                found.wrong.append(f"RTL, {type(run).__name__} of {run.lanes} lanes")
        if gates is not None:
            synthesized, why = map_engines(engines, gates, lambda share: progress(0.5 + 0.1 * share))
            found.missing += why
    progress(0.6)
    _measure_software(operand, vectors, wanted, threads, repeats, seed, found, progress)
    on_gpu, reason = _on_gpu(operand, batch, seed)
    if reason:
        found.missing.append(reason)
    elif on_gpu is not None:
        made = on_gpu["products"]
        found.wrong += [f"GPU, {record['name']}" for record in made if not record.get("agrees", True)]
        found.missing += [f"GPU, {r['name']}: {r['failed']}" for r in made if "failed" in r]
    return Layer(
        name=operand.name,
        rows=rows,
        cols=cols,
        kept=int(np.count_nonzero(operand.mask)),
        batch=batch,
        dtype=operand.dtype,
        stored=operand.record(),
        agree=not found.wrong,
        differing=tuple(found.wrong),
        engine=runs.get("engine"),  # type: ignore[arg-type]
        csr=runs.get("csr_engine"),  # type: ignore[arg-type]
        csr_equal_bytes=runs.get("csr_engine_equal_bytes"),  # type: ignore[arg-type]
        software=tuple(found.software),
        gates=synthesized,
        gpu=on_gpu,
        missing=tuple(found.missing),
    )


def stored_on_processor(tensor: EncodedTensor, threads: int) -> EncodedProduct | StoredProduct:
    """Return the fastest product of a tensor as it is stored: by compiled kernels from cells, else block by block."""
    return (
        StoredProduct(tensor, threads)
        if why_not_lanes(tensor)
        else EncodedProduct(lane_matrix(tensor), threads)
    )


def _measure_software(
    operand: Operand,
    vectors: NDArray[np.int8],
    wanted: NDArray[np.int64],
    threads: tuple[int, ...],
    repeats: int,
    seed: int,
    found: _Findings,
    progress: Callable[[float], None],
) -> None:
    """Check and time the products on the processor; the encoded one reads the tensor as it is stored.

    Weights that come from no file are encoded once more, as ``encode --for products`` does, for the kernels that are
    made for a processor.
    """
    given = vectors[0] if vectors.shape[0] == 1 else vectors
    rate = cycles_per_second()
    every = np.count_nonzero(operand.mask) / operand.mask.size
    dense = 0.0
    cells = None
    if not operand.from_file and not isinstance(operand.tensor.scan, CellScan):
        cells = encode_lanes(operand.matrix, operand.dtype, mask=operand.mask, seed=seed)
    for count in sorted(threads):
        made, absent = rivals(operand.matrix, operand.mask, count)
        if cells is not None:
            made = {FOR_PRODUCTS: EncodedProduct(cells, count), **made}
        made = {ENCODED: stored_on_processor(operand.tensor, count), **made}
        found.missing += [f"{line} ({count} threads)" for line in absent]
        for label, product in made.items():
            if not np.array_equal(np.atleast_2d(product(given)), wanted):
                found.wrong.append(_on_processor(label, count))
        with one_blas_thread():
            taken = measure(calls(made, given), repeats)
        if DENSE in taken:
            dense = taken[DENSE].median
        for label, product in made.items():
            used = every if label in ("dense INT8", "bitmap INT8", DENSE) else 1.0
            found.software.append(_software(label, count, taken[label], product, used, dense, rate))
        progress(0.6 + 0.4 * len(found.software) / (len(made) * len(threads)))


def _on_gpu(operand: Operand, batch: int, seed: int) -> tuple[dict[str, Any] | None, str]:
    """Return the figures of a GPU, or why there are none."""
    if operand.from_file:
        return (
            None,
            "GPU: its product takes tensors stored with --scan tiles (xw.matrix(tensor, on='gpu')), its rivals weights",
        )
    if operand.dtype != "int8" or batch > MAX_VECTORS:
        return None, f"GPU: INT8 weights and up to {MAX_VECTORS} vectors only"
    absent = gpu_absence()
    if absent:
        return None, f"GPU: {absent}; then this command measures it"
    return gpu_figures(operand.matrix, operand.mask, (batch,), seed=seed), ""


def calls(made: Mapping[str, Any], given: NDArray[np.int8]) -> dict[str, Callable[[], object]]:
    """Return what multiplies `given` with each product."""
    return {label: partial(product, given) for label, product in made.items()}
