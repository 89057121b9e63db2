"""Simulates the SpMV engines on whole layers under Verilator, every cycle compared with the golden trace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.cycle_model import SpmvModel
from xorweave.golden.spmv.trace import SpmvTrace, check_activations, gather_results, lanes_of, trace_spmv
from xorweave.golden.tensor.corrections import parse_format
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.engines.spmv_engine import SpmvConfig, SpmvEngine
from xorweave.hw.package.vectors import required_patches
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.synthesis import optimize
from xorweave.sim.engine_run import EngineRun
from xorweave.sim.stream_model import (
    StreamModel,
    StreamPort,
    pack_bits,
    pack_integers,
    pack_words,
)

# Rows that a lane works on in turn, if nothing is asked for: see docs/spmv-engine.md.
DEFAULT_INTERLEAVE = 16
DEFAULT_LOAD_WORDS = 16
DEFAULT_RESULT_WORDS = 4
"""Words a cycle of the load and result ports, where the shape allows."""


def takes_lanes(tensor: EncodedTensor) -> bool:
    """Whether the engine of diagonal lanes takes a tensor as it is stored; every other form is the scan engine's."""
    scan = tensor.scan
    raw = tensor.values.kind == "raw" and len(tensor.groups) == 1
    return (
        isinstance(scan, LaneLayout)
        and raw
        and scan.lanes == tensor.n_out
        and tensor.mask_coder.kind == "bitmap"
    )


def engine_config(
    matrix: EncodedTensor,
    *,
    batch: int = 1,
    load_words: int | None = None,
    result_words: int | None = None,
    network: XorNetwork | None = None,
    trace: bool = False,
    **decoder: Any,
) -> SpmvConfig:
    """Return the engine that multiplies with an encoded matrix.

    Parameters
    ----------
    matrix : EncodedTensor
    batch, load_words, result_words, trace
        As in `SpmvConfig`; load and result words default to 16 and 4 where the shape allows.
    network : XorNetwork, optional
        Gates of the decoder; shared sums by default.
    **decoder
        Further fields of `DecoderConfig`.
    """
    layout = lanes_of(matrix)
    network = network or optimize(matrix.code.generator, effort=0)
    least = -(-layout.lanes // layout.cols)
    return SpmvConfig(
        layout=layout,
        decoder=config_for(matrix, network_of=lambda _: network, **decoder),
        batch=batch,
        load_words=load_words or min(DEFAULT_LOAD_WORDS, layout.lanes, layout.cols),
        result_words=result_words or min(layout.lanes, max(DEFAULT_RESULT_WORDS, least)),
        trace=trace,
    )


def cycle_model(
    config: SpmvConfig, *, block_bits: int | Fraction = 0, bytes_per_cycle: float | None = None
) -> SpmvModel:
    """Return the cycle model of an engine; `block_bits` matters only with a memory port of limited width."""
    width = None if bytes_per_cycle is None else Fraction(bytes_per_cycle).limit_denominator(1000) * 8
    return SpmvModel(
        layout=config.layout,
        load_words=config.load_words,
        result_words=config.result_words,
        decoder_latency=config.decoder.latency,
        block_bits=block_bits,
        bits_per_cycle=width,
    )


def stored_bits(matrix: EncodedTensor) -> tuple[int, int]:
    """Return the bits of the symbols and of the patches as stored, over all planes."""
    tensor = matrix
    n_w = tensor.number_format.n_w
    stored = parse_format(tensor.correction_format, tensor.code.n_out)
    return tensor.symbols.size * n_w, stored.bits(tensor.patches, tensor.scan.length, n_w)


@dataclass(frozen=True, kw_only=True)
class SpmvRun(EngineRun):
    """One product on the engine.

    Attributes
    ----------
    cycles : int
        From the end of reset, activations not yet loaded, to the last result.
    blocks : int
        Blocks of the matrix, the lead included.
    model_cycles : int
        What `SpmvModel` foretells while nothing outside stalls.
    constant : int
        cycles - blocks: loading, pipeline and the last results. A function of the shape alone while nothing
        outside stalls.
    stall_cycles : int
        Cycles, after the first block and before the last, in which no block was taken.
    mismatches : int
        Blocks, masked blocks, accumulators and results that differ from the golden trace or never came.
    macs_used : int
        Products of kept weights.
    slots : int
        Products the lanes could have made while blocks were taken: blocks * lanes * batch.
    bytes_read : float
        Symbols, patches as stored, mask, activations.
    bytes_per_block : float
        Symbols, mask and patches a block: what the memory must give in a cycle.
    lanes, interleave, passes, batch, n_in, constraint_length : int
    overhead : float
        (symbols + patches) / care bits - 1.
    results : ndarray of int32, shape (batch, rows)
        As the engine gave them if there are no mismatches.
    messages : tuple of str
    """

    label: ClassVar[str] = "encoded"

    blocks: int
    model_cycles: int
    constant: int
    stall_cycles: int
    bytes_per_block: float
    interleave: int
    passes: int
    n_in: int
    constraint_length: int
    overhead: float


class SpmvSimulator:
    """An engine compiled for simulation, to run any matrix of its layout and code.

    Parameters
    ----------
    config : SpmvConfig
        Trace ports are added.
    folder : path, optional
        Keeps the compiled model; a temporary one by default.
    fast : bool
        Compile for speed of simulation: for layers of thousands of blocks.
    """

    def __init__(self, config: SpmvConfig, folder: Path | None = None, *, fast: bool = False) -> None:
        self.config = config = replace(config, trace=True)
        layout, decoder = config.layout, config.decoder
        code, n_w, lanes, batch = decoder.code, decoder.n_w, layout.lanes, config.batch

        def port(name: str, *pins: tuple[str, int], limited: bool = False) -> StreamPort:
            return StreamPort(name, pins, f"{name}_tvalid", f"{name}_tready", limited)

        symbol = ("s_axis_tdata", code.n_in * n_w), ("s_axis_tuser", 1), ("s_axis_tlast", 1)
        inputs = [
            port("s_axis_x", ("s_axis_x_tdata", config.load_words * batch * 8)),
            port("s_axis_mask", ("s_axis_mask_tdata", lanes), limited=True),
            port("s_axis", *symbol, limited=True),
        ]
        engine = SpmvEngine(config)
        if decoder.patches_per_block:
            width = len(engine.s_axis_patch_tdata)
            inputs.append(port("s_axis_patch", ("s_axis_patch_tdata", width), limited=True))
        outputs = [
            port("m_axis", ("m_axis_tdata", config.result_words * batch * 32), ("m_axis_tlast", 1)),
            StreamPort(
                "taken", (("trace_block", lanes * n_w), ("trace_weights", lanes * n_w)), "trace_taken", None
            ),
            StreamPort("summed", (("trace_sums", lanes * batch * 32),), "trace_summed", None),
        ]
        self._ports = ("inversion",) if decoder.inversion is None else ()
        self.model = StreamModel(
            amaranth_verilog(engine, "top"), inputs, outputs, folder, run_time=self._ports, fast=fast
        )

    def stimulus(
        self, matrix: EncodedTensor, vectors: NDArray[np.int8]
    ) -> dict[str, list[NDArray[np.uint8]]]:
        """Return what goes into the engine."""
        config = self.config
        decoder, layout = config.decoder, config.layout
        code, n_w = decoder.code, decoder.n_w
        tensor = matrix
        first = np.arange(tensor.blocks) % tensor.segment_blocks == 0
        last = np.roll(first, -1)
        last[-1] = True
        beats = layout.load_beats(vectors, config.load_words)
        given = {
            "s_axis": [
                pack_words(tensor.symbols, n_w),
                first.astype(np.uint8)[:, None],
                last.astype(np.uint8)[:, None],
            ],
            "s_axis_mask": [
                pack_bits(tensor.mask.reshape(tensor.blocks, code.n_out).astype(np.uint8), code.n_out)
            ],
            "s_axis_x": [pack_words(beats.reshape(beats.shape[0], -1).view(np.uint8), 8)],
        }
        if decoder.kind_of_patches is not None:
            patches = decoder.kind_of_patches.words(tensor.patches, code.n_out, n_w, tensor.blocks)[
                "s_axis_patch"
            ]
            width = dict(self.model.inputs[-1].pins)["s_axis_patch_tdata"]
            given["s_axis_patch"] = [pack_integers(patches, width)]
        return given

    def expected(self, trace: SpmvTrace) -> dict[str, list[NDArray[np.uint8]]]:
        """Return what must come out of the engine."""
        config = self.config
        lanes, n_w = config.layout.lanes, config.decoder.n_w
        groups, _, batch = trace.results.shape
        beats = -(-lanes // config.result_words)
        padded = np.zeros((groups, beats * config.result_words, batch), np.int32)
        padded[:, :lanes] = trace.results
        rows = padded.reshape(groups * beats, -1).view(np.uint32)
        last = np.zeros((rows.shape[0], 1), np.uint8)
        last[-1] = 1
        return {
            "m_axis": [pack_words(rows, 32), last],
            "taken": [pack_words(trace.blocks, n_w), pack_words(trace.weights, n_w)],
            "summed": [pack_words(trace.sums.reshape(trace.sums.shape[0], -1).view(np.uint32), 32)],
        }

    def run(
        self,
        matrix: EncodedTensor,
        activations: NDArray[np.int8],
        *,
        stalls: int | tuple[int, int] = 0,
        seed: int = 0,
        bytes_per_cycle: float | None = None,
    ) -> SpmvRun:
        """Multiply once and compare everything.

        Parameters
        ----------
        matrix : EncodedTensor
            With the layout and the code of the engine.
        activations : ndarray of int8, shape (cols,) or (batch, cols)
        stalls : int or (int, int)
            Per cent of the cycles in which each stream hesitates; or of the sources and of the sinks.
        seed : int
            Of the stalls.
        bytes_per_cycle : float, optional
            What the memory gives in a cycle to symbols, mask and patches, once the activations are loaded.

        Raises
        ------
        InputError
            The matrix or the activations are not the engine's.
        """
        layout, tensor, config = lanes_of(matrix), matrix, self.config
        if required_patches(tensor) > config.decoder.patches_per_block:
            raise InputError(
                f"the engine takes {config.decoder.patches_per_block} patches a block, "
                f"but the matrix needs {required_patches(tensor)}"
            )
        if layout != config.layout or tensor.code != config.decoder.code:
            raise InputError("the matrix must have the layout and the code that the engine was made for")
        if config.decoder.inversion not in (None, tensor.raw.inversion):
            raise InputError("the matrix must have the inversion word that the engine was made for")
        vectors = check_activations(layout.cols, activations)
        if vectors.shape[0] != config.batch:
            raise InputError(f"the engine takes {config.batch} vectors at once, not {vectors.shape[0]}")
        trace = trace_spmv(matrix, vectors)
        n_w = tensor.number_format.n_w
        coded_bits = sum(stored_bits(matrix))
        block_bits = Fraction(coded_bits, layout.blocks) + layout.lanes
        model = cycle_model(config, block_bits=block_bits, bytes_per_cycle=bytes_per_cycle)
        slow = model.cycles_per_block
        run = self.model.run(
            self.stimulus(matrix, vectors),
            self.expected(trace),
            stalls=stalls,
            seed=seed,
            most_cycles=20 * model.cycles + 10_000,
            rate=(slow.denominator, slow.numerator) if slow else (0, 1),
            rate_from=model.load_beats,
            held={"inversion": tensor.raw.inversion},
        )
        care = int(tensor.mask.sum())
        return SpmvRun(
            cycles=run.cycles,
            blocks=layout.blocks,
            constant=run.cycles - layout.blocks,
            stall_cycles=run.spans["taken"][1] - run.spans["taken"][0] + 1 - layout.blocks,
            mismatches=run.mismatches,
            macs_used=care * config.batch,
            slots=layout.blocks * layout.lanes * config.batch,
            bytes_read=(coded_bits + tensor.scan.length) / 8 + vectors.size,
            bytes_per_block=float(block_bits / 8),
            model_cycles=model.cycles,
            lanes=layout.lanes,
            interleave=layout.interleave,
            passes=layout.passes,
            batch=config.batch,
            n_in=tensor.code.n_in,
            constraint_length=tensor.code.constraint_length,
            overhead=coded_bits / (care * n_w) - 1.0 if care else 0.0,
            results=gather_results(layout, trace.results),
            messages=run.messages,
        )


def simulate_spmv(
    weights: NDArray[np.int8],
    mask: NDArray[np.bool_],
    activations: NDArray[np.int8],
    *,
    lanes: int = 64,
    interleave: int | None = DEFAULT_INTERLEAVE,
    dtype: str = "int8",
    load_words: int | None = None,
    result_words: int | None = None,
    max_k: int = 128,
    error_free: bool = True,
    stalls: int = 0,
    seed: int = 0,
    bytes_per_cycle: float | None = None,
    folder: Path | None = None,
) -> SpmvRun:
    """Encode a matrix for lanes, build the engine and run it once under Verilator.

    Parameters
    ----------
    weights : ndarray of int8, shape (rows, cols)
        INT8, or INT4 held in int8.
    mask : ndarray of bool, shape (rows, cols)
        True = kept.
    activations : ndarray of int8, shape (cols,) or (batch, cols)
    lanes, interleave
        As in `LaneLayout.fitting`.
    dtype : {"int8", "int4"}
    load_words, result_words, bytes_per_cycle, stalls
        As in `engine_config` and `SpmvSimulator.run`.
    max_k, error_free
        As in `encode_on_lanes`.
    seed : int
        Of the generator matrix and the stalls.
    folder : path, optional
        Keeps the compiled model.

    Raises
    ------
    InputError
        A size, shape or dtype does not fit, or Verilator cannot be run here.
    """
    if weights.ndim != 2 or 0 in weights.shape:
        raise InputError(f"the weights must be a matrix of at least 1 by 1, not of shape {weights.shape}")
    if dtype not in ("int8", "int4"):
        raise InputError(f"the engine multiplies int8 and int4 weights, not {dtype!r}")
    if mask.shape != weights.shape:
        raise InputError(f"the mask must have the weights' shape {weights.shape}, not {mask.shape}")
    layout = LaneLayout.fitting(weights.shape[0], weights.shape[1], lanes, interleave=interleave)
    vectors = check_activations(layout.cols, activations)
    matrix = encode_on_lanes(
        weights, number_format(dtype), mask, layout, max_k=max_k, error_free=error_free, seed=seed
    )
    config = engine_config(matrix, batch=vectors.shape[0], load_words=load_words, result_words=result_words)
    simulator = SpmvSimulator(config, folder, fast=lanes_of(matrix).blocks * lanes > 1 << 17)
    return simulator.run(matrix, vectors, stalls=stalls, seed=seed, bytes_per_cycle=bytes_per_cycle)
