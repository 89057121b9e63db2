"""Simulates the scan engine behind the decoder that `generate` writes, every cycle compared with the golden trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.scan_trace import ScanTrace, trace_scan
from xorweave.golden.spmv.stored_product import StoredProduct
from xorweave.golden.spmv.trace import check_activations
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.engines.scan_engine import ScanEngineConfig
from xorweave.hw.package.axis_design import check_fits
from xorweave.hw.package.axis_words import axis_pins, axis_words
from xorweave.hw.package.decoded_product import decoded_product
from xorweave.sim.engine_run import EngineRun
from xorweave.sim.stream_model import StreamModel, StreamPort, StreamRun, pack_bits, pack_integers, pack_words

Pins = dict[str, list[NDArray[np.uint8]]]
DEFAULT_LANES = 8
"""Weights multiplied in a cycle, if nothing is asked for: see docs/spmv-engine.md."""


def scan_engine_config(
    tensor: EncodedTensor, *, lanes: int | None = None, batch: int = 1
) -> ScanEngineConfig:
    """Return the engine that multiplies with a stored tensor; `lanes` is 8 by default, or n_out if that is less."""
    return ScanEngineConfig(
        scan=tensor.scan,
        shape=tensor.shape,
        n_out=tensor.n_out,
        n_w=tensor.number_format.n_w,
        lanes=min(DEFAULT_LANES, tensor.n_out) if lanes is None else lanes,
        batch=batch,
    )


@dataclass(frozen=True, kw_only=True)
class ScanRun(EngineRun):
    """One product on the scan engine.

    Attributes
    ----------
    cycles : int
        From the end of reset, activations not yet loaded, to the last result.
    blocks : int
    block_cycles : int
        Cycles that a block takes, whatever the mask.
    model_cycles : int
        What shape, lanes and blocks foretell while nothing outside stalls (`model_cycles`).
    constant : int
        cycles - blocks * block_cycles: loading, pipeline and results.
    stall_cycles : int
        Cycles, after the first weights and before the last, in which none were taken.
    mismatches : int
        Weights, addresses, accumulators and results that differ from the golden trace or never came.
    macs_used, slots : int
        Products of weights other than 0, and those the lanes could have made while blocks were taken.
    bytes_read : float
        Symbols, mask and patches as stored, and activations.
    bytes_per_cycle : float
        What symbols, mask and patches need while blocks are taken.
    lanes, batch : int
    results : ndarray of int32, shape (batch, rows)
        As the engine gave them if there are no mismatches.
    messages : tuple of str
    """

    label: ClassVar[str] = "encoded, scan order"

    blocks: int
    block_cycles: int
    model_cycles: int
    constant: int
    stall_cycles: int
    bytes_per_cycle: float


def model_cycles(config: ScanEngineConfig, decoder: DecoderConfig) -> int:
    """Return the cycles of a product while nothing outside stalls: load or clear, blocks, pipeline, results."""
    walk = config.walk
    begin = max(walk.rows, walk.columns, decoder.latency)
    return begin + config.blocks * config.block_cycles + walk.rows + 3


class ScanSimulator:
    """A decoder and a scan engine compiled for simulation, to run any tensor that both are made for.

    Parameters
    ----------
    config : ScanEngineConfig
        Trace ports are added.
    decoder : DecoderConfig
        As `config_for` makes it for the tensor, as for `generate`.
    folder : path, optional
        Keeps the compiled model; a temporary one by default.
    fast : bool
        Compile for speed of simulation: for tensors of many blocks.
    """

    def __init__(
        self,
        config: ScanEngineConfig,
        decoder: DecoderConfig,
        folder: Path | None = None,
        *,
        fast: bool = False,
    ) -> None:
        self.config = config = replace(config, trace=True)
        self.decoder = decoder
        lanes, n_w, sums = config.lanes, config.n_w, config.batch * 32
        self._pins = axis_pins(decoder)
        inputs = [
            StreamPort(prefix, pins, f"{prefix}_tvalid", f"{prefix}_tready")
            for prefix, (_, pins) in self._pins.items()
            if prefix != "m_axis"
        ]
        inputs.append(
            StreamPort(
                "s_axis_x", (("s_axis_x_tdata", config.batch * 8),), "s_axis_x_tvalid", "s_axis_x_tready"
            )
        )
        text, widths = decoded_product(decoder, config)
        taken = (
            ("trace_weights", lanes * n_w),
            *((pin, widths[pin]) for pin in ("trace_rows", "trace_columns")),
        )
        outputs = [
            StreamPort(
                "m_axis", (("m_axis_tdata", sums), ("m_axis_tlast", 1)), "m_axis_tvalid", "m_axis_tready"
            ),
            StreamPort("taken", (*taken, ("trace_inside", lanes)), "trace_taken", None),
            StreamPort("summed", (("trace_sums", lanes * sums),), "trace_summed", None),
        ]
        self._address_bits = widths["trace_rows"] // lanes, widths["trace_columns"] // lanes
        self.model = StreamModel(text, inputs, outputs, folder, fast=fast)

    def stimulus(self, tensor: EncodedTensor, products: Sequence[NDArray[np.int8]]) -> Pins:
        """Return what goes in for products with several batches of vectors, one after the other."""
        words = axis_words(self.decoder, [tensor] * len(products), stored=True)
        given: Pins = {"s_axis_x": [pack_words(np.concatenate([x.T for x in products]).view(np.uint8), 8)]}
        for prefix, (_, pins) in self._pins.items():
            if prefix == "m_axis":
                continue
            low, given[prefix] = 0, []
            for _, width in pins:
                values = [word >> low & ((1 << width) - 1) for word in words[prefix]]
                given[prefix].append(pack_integers(values, width))
                low += width
        return given

    def expected(self, traces: Sequence[ScanTrace]) -> Pins:
        """Return what must come out."""
        config = self.config
        row_bits, column_bits = self._address_bits

        def joined(name: str) -> NDArray:
            values = np.concatenate([getattr(trace, name) for trace in traces])
            return values.reshape(values.shape[0], -1)

        last = np.zeros((config.walk.rows * len(traces), 1), np.uint8)
        last[config.walk.rows - 1 :: config.walk.rows] = 1
        return {
            "m_axis": [pack_words(joined("results").view(np.uint32), 32), last],
            "taken": [
                pack_words(joined("weights"), config.n_w),
                pack_words(joined("rows").astype(np.uint64), row_bits),
                pack_words(joined("columns").astype(np.uint64), column_bits),
                pack_bits(joined("inside").astype(np.uint8), config.lanes),
            ],
            "summed": [pack_words(joined("sums").view(np.uint32), 32)],
        }

    def play(
        self,
        tensor: EncodedTensor,
        products: Sequence[NDArray[np.int8]],
        traces: Sequence[ScanTrace],
        *,
        stalls: int | tuple[int, int] = 0,
        seed: int = 0,
    ) -> StreamRun:
        """Multiply several batches one after the other, each compared with its trace."""
        return self.model.run(
            self.stimulus(tensor, products),
            self.expected(traces),
            stalls=stalls,
            seed=seed,
            most_cycles=20 * len(products) * model_cycles(self.config, self.decoder) + 10_000,
        )

    def run(
        self,
        tensor: EncodedTensor,
        activations: NDArray[np.int8],
        *,
        stalls: int | tuple[int, int] = 0,
        seed: int = 0,
    ) -> ScanRun:
        """Multiply once and compare everything.

        Parameters
        ----------
        tensor : EncodedTensor
            As it is stored; of the scan, the shape and the codes that engine and decoder were made for.
        activations : ndarray of int8, shape (cols,) or (batch, cols)
        stalls : int or (int, int)
            Per cent of the cycles in which each stream hesitates; or of the sources and of the sinks.
        seed : int
            Of the stalls.

        Raises
        ------
        InputError
            The tensor or the activations are not the engine's.
        """
        config = self.config
        wanted = scan_engine_config(tensor, lanes=config.lanes, batch=config.batch)
        if replace(wanted, trace=True) != config:
            raise InputError(
                "the tensor must have the scan, the shape and the blocks that the engine was made for"
            )
        check_fits(self.decoder, tensor)
        vectors = check_activations(config.walk.columns, activations)
        if vectors.shape[0] != config.batch:
            raise InputError(f"the engine takes {config.batch} vectors at once, not {vectors.shape[0]}")
        trace = trace_scan(tensor, vectors, config.lanes)
        run = self.play(tensor, [vectors], [trace], stalls=stalls, seed=seed)
        steps = config.blocks * config.block_cycles
        first, last = run.spans["taken"]
        stored = StoredProduct(tensor).bytes_read
        return ScanRun(
            cycles=run.cycles,
            blocks=config.blocks,
            block_cycles=config.block_cycles,
            model_cycles=model_cycles(config, self.decoder),
            constant=run.cycles - steps,
            stall_cycles=last - first + 1 - steps,
            mismatches=run.mismatches,
            macs_used=int(np.count_nonzero(trace.weights)) * config.batch,
            slots=steps * config.lanes * config.batch,
            bytes_read=stored + vectors.size,
            bytes_per_cycle=stored / steps,
            lanes=config.lanes,
            batch=config.batch,
            results=trace.results.T,
            messages=run.messages,
        )
