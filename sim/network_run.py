"""Runs a network of dense layers through one engine under Verilator, every layer against the integer network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_layers_on_lanes
from xorweave.golden.network.integer_network import IntegerLayer, run_integer
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.network_schedule import NetworkSchedule
from xorweave.golden.spmv.trace import lanes_of
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for_all
from xorweave.hw.engines.network_engine import NetworkEngine, descriptor
from xorweave.hw.engines.requantiser import SCALE_BITS
from xorweave.hw.engines.spmv_engine import SpmvConfig
from xorweave.hw.package.verilog import structured_verilog
from xorweave.sim.spmv_run import DEFAULT_LOAD_WORDS, DEFAULT_RESULT_WORDS, stored_bits
from xorweave.sim.stream_model import (
    StreamModel,
    StreamPort,
    pack_bits,
    pack_integers,
    pack_words,
)

Pins = dict[str, list[NDArray[np.uint8]]]


@dataclass(frozen=True, kw_only=True)
class NetworkRun:
    """What a run of a network showed.

    Attributes
    ----------
    images, passes : int
        Images, and times that all layers were gone through.
    in_flight : int
        Batches whose layers took turns.
    cycles : int
        From the end of reset to the last result.
    blocks : int
        Blocks of weights taken.
    stall_cycles : int
        Cycles in which a layer was loaded and took no block.
    mismatches : int
        Beats of any layer that differ from the integer network, came too often or never, or changed while they waited.
    weight_bytes : dict of str to float
        What is read for one pass: symbols, patches as stored, mask, and the records of bias and scale.
    activation_bytes : int
        Activations loaded and given out, of one image.
    outside_bytes : int
        Most activations that lay outside at once, of all batches in flight (`NetworkSchedule.words_outside`).
    expected_cycles : int
        What the schedule takes where nothing stalls (`NetworkSchedule.cycles`).
    bytes_per_cycle : float
        Symbols, patches and mask of a block.
    outputs : list of ndarray of int32, shape (images, rows)
        Of each layer, by the integer network; by the engine too if there are no mismatches.
    messages : tuple of str
    """

    images: int
    passes: int
    in_flight: int
    cycles: int
    blocks: int
    stall_cycles: int
    mismatches: int
    weight_bytes: dict[str, float]
    activation_bytes: int
    outside_bytes: int
    expected_cycles: int
    bytes_per_cycle: float
    outputs: list[NDArray[np.int32]]
    messages: tuple[str, ...] = ()

    @property
    def empty_cycles(self) -> int:
        """Cycles in which no layer was loaded: before the first, after the last, and where results were waited for."""
        return self.cycles - self.blocks - self.stall_cycles


class NetworkSimulator:
    """An engine compiled for simulation, and the network that goes through it.

    Parameters
    ----------
    layers : sequence of IntegerLayer
    lanes : int
        Multiply-accumulate lanes.
    batch : int
        Images that go through together.
    interleave : int, optional
        Most rows that a lane works on in turn: words of the memories of sums and results. By default all of a layer.
    max_k : int
        Most encoded bits that an output may depend on.
    folder : path, optional
        Keeps the compiled model.
    fast : bool
        Compile for speed of simulation.

    Raises
    ------
    InputError
        A layer's sums might wrap, or Verilator cannot be run here.
    """

    def __init__(
        self,
        layers: Sequence[IntegerLayer],
        *,
        lanes: int = 64,
        batch: int = 1,
        interleave: int | None = None,
        max_k: int = 64,
        folder: Path | None = None,
        fast: bool = False,
    ) -> None:
        for layer in layers:
            layer.check()
        self.layers, self.batch = list(layers), batch
        self.tensors = encode_layers_on_lanes(
            [layer.weights for layer in layers],
            number_format("int8"),
            lanes,
            interleave=interleave,
            max_k=max_k,
        )
        layouts = [lanes_of(tensor) for tensor in self.tensors]
        most = LaneLayout(
            rows=max(layout.padded_rows for layout in layouts),
            cols=max(layout.cols for layout in layouts),
            lanes=lanes,
            interleave=max(layout.interleave for layout in layouts),
        )
        named = {layer.name: tensor for layer, tensor in zip(layers, self.tensors, strict=True)}
        self.config = SpmvConfig(
            layout=most,
            decoder=config_for_all(named, patches="list"),
            batch=batch,
            load_words=min(DEFAULT_LOAD_WORDS, lanes),
            result_words=min(DEFAULT_RESULT_WORDS, lanes),
        )
        self.model = self._build(folder, fast)
        self.fixed = [self._fixed(tensor, layer) for tensor, layer in zip(self.tensors, layers, strict=True)]

    def _build(self, folder: Path | None, fast: bool) -> StreamModel:
        config = self.config
        engine = NetworkEngine(config)

        def port(name: str, *more: str) -> StreamPort:
            pins = tuple((pin, len(getattr(engine, pin))) for pin in (f"{name}_tdata", *more))
            return StreamPort(name, pins, f"{name}_tvalid", f"{name}_tready")

        inputs = [
            port("s_axis_layer"),
            port("s_axis_x"),
            port("s_axis_mask"),
            port("s_axis", "s_axis_tuser", "s_axis_tlast"),
            port("s_axis_scale"),
        ]
        if config.decoder.kind_of_patches is not None:
            inputs.append(port("s_axis_patch"))
        if config.decoder.inversion is None:
            raise InputError("the layers must be stored with one inversion word")
        return StreamModel(
            structured_verilog(engine, "top"),
            inputs,
            [port("m_axis", "m_axis_tlast")],
            folder,
            counted=("stalled",),
            fast=fast,
        )

    def _fixed(self, tensor: EncodedTensor, layer: IntegerLayer) -> Pins:
        """Return what a layer sends to the engine whatever the activations: one pass of it."""
        config, layout = self.config, lanes_of(tensor)
        first = np.arange(tensor.blocks) % tensor.segment_blocks == 0
        last = np.roll(first, -1)
        last[-1] = True
        widths = {name: width for port in self.model.inputs for name, width in port.pins}
        records = [
            (int(bias) & 0xFFFFFFFF) | layer.multiplier << 32 | layer.shift << 48 for bias in layer.bias
        ]
        records += [0] * (layout.padded_rows - len(records))
        words, beats = config.result_words, -(-layout.lanes // config.result_words)
        scales = []
        for group in range(0, layout.padded_rows, layout.lanes):
            some = records[group : group + layout.lanes] + [0] * (beats * words - layout.lanes)
            for beat in range(0, len(some), words):
                scales.append(
                    sum(record << (k * SCALE_BITS) for k, record in enumerate(some[beat : beat + words]))
                )
        given = {
            "s_axis_layer": [pack_integers([descriptor(config, layout)], widths["s_axis_layer_tdata"])],
            "s_axis_mask": [pack_bits(tensor.mask.reshape(tensor.blocks, -1).astype(np.uint8), layout.lanes)],
            "s_axis": [
                pack_words(tensor.symbols[:], 8),
                first.astype(np.uint8)[:, None],
                last.astype(np.uint8)[:, None],
            ],
            "s_axis_scale": [pack_integers(scales, widths["s_axis_scale_tdata"])],
        }
        kind = config.decoder.kind_of_patches
        if kind is not None:
            lists = kind.words(tensor.patches, layout.lanes, 8, tensor.blocks)["s_axis_patch"]
            given["s_axis_patch"] = [pack_integers(lists, widths["s_axis_patch_tdata"])]
        return given

    def _activations(self, layout: LaneLayout, vectors: NDArray[np.int8]) -> NDArray[np.uint8]:
        wide = np.pad(vectors, ((0, 0), (0, layout.cols - vectors.shape[1])))
        beats = layout.load_beats(wide, self.config.load_words)
        return pack_words(beats.reshape(beats.shape[0], -1).view(np.uint8), 8)

    def _results(self, layout: LaneLayout, outputs: NDArray[np.int32]) -> list[NDArray[np.uint8]]:
        words, beats = self.config.result_words, -(-layout.lanes // self.config.result_words)
        rows = np.zeros((layout.padded_rows, self.batch), np.int32)
        rows[: outputs.shape[1]] = outputs.T
        groups = rows.reshape(-1, layout.lanes, self.batch)
        padded = np.zeros((groups.shape[0], beats * words, self.batch), np.int32)
        padded[:, : layout.lanes] = groups
        flat = padded.reshape(groups.shape[0] * beats, -1).view(np.uint32)
        last = np.zeros((flat.shape[0], 1), np.uint8)
        last[-1] = 1
        return [pack_words(flat, 32), last]

    def run(
        self,
        inputs: NDArray[np.int8],
        *,
        in_flight: int = 2,
        stalls: int | tuple[int, int] = 0,
        seed: int = 0,
    ) -> NetworkRun:
        """Send images through all layers, and compare what leaves every layer.

        A layer's activations are offered to the engine when the last result of the layer before has left it.

        Parameters
        ----------
        inputs : ndarray of int8, shape (images, columns of the first layer)
            A last batch is filled up with zeros.
        in_flight : int
            Batches whose layers take turns; with 1 the engine waits for each layer's results.
        stalls, seed
            As in `StreamModel.run`.
        """
        cols = self.layers[0].weights.shape[1]
        if inputs.dtype != np.int8 or inputs.ndim != 2 or inputs.shape[1] != cols or not len(inputs):
            raise InputError(
                f"the images must be int8 of shape (n, {cols}), not {inputs.dtype} {inputs.shape}"
            )
        filled = self._filled(inputs)
        outputs = run_integer(self.layers, filled)
        given = [filled, *(out.astype(np.int8) for out in outputs[:-1])]
        schedule = self._schedule(len(filled), in_flight=in_flight)
        return self._play(len(inputs), schedule, given, outputs, stalls=stalls, seed=seed)

    def run_each(
        self, inputs: Sequence[NDArray[np.int8]], *, stalls: int | tuple[int, int] = 0, seed: int = 0
    ) -> NetworkRun:
        """Send each layer vectors of its own, batch after batch, which wait for nothing: a layer's maps alone.

        Parameters
        ----------
        inputs : sequence of ndarray of int8, shape (vectors, columns of the layer)
            As many vectors for every layer.
        stalls, seed
            As in `StreamModel.run`.

        Raises
        ------
        InputError
            A layer has no vectors, or not as many as the first, or of another length or type.
        """
        wanted = [(len(inputs[0]) if inputs else 0, layer.weights.shape[1]) for layer in self.layers]
        found = [some.shape for some in inputs]
        if found != wanted or not wanted[0][0] or any(some.dtype != np.int8 for some in inputs):
            raise InputError(f"the vectors must be int8 of shapes {wanted}, not {found}")
        given = [self._filled(some) for some in inputs]
        outputs = [layer.run(some) for layer, some in zip(self.layers, given, strict=True)]
        schedule = self._schedule(len(given[0]), in_flight=1, waits=False)
        return self._play(len(inputs[0]), schedule, given, outputs, stalls=stalls, seed=seed)

    def _schedule(self, vectors: int, *, in_flight: int, waits: bool = True) -> NetworkSchedule:
        layouts = [lanes_of(tensor) for tensor in self.tensors]
        return NetworkSchedule(
            layouts=layouts, batches=vectors // self.batch, in_flight=in_flight, waits=waits
        )

    def _filled(self, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
        """Fill a last batch up with zeros."""
        return np.pad(inputs, ((0, -len(inputs) % self.batch), (0, 0)))

    def _play(
        self,
        count: int,
        schedule: NetworkSchedule,
        given: Sequence[NDArray[np.int8]],
        outputs: Sequence[NDArray[np.int32]],
        *,
        stalls: int | tuple[int, int],
        seed: int,
    ) -> NetworkRun:
        """Simulate all layers as scheduled, with what goes into each and what must come out."""
        parts: dict[str, list[list[NDArray[np.uint8]]]] = {port.name: [] for port in self.model.inputs}
        wanted: list[list[NDArray[np.uint8]]] = []
        left = [0]  # beats that have left before each piece of work, and after the last
        after: list[NDArray[np.uint64]] = []
        for (batch, layer), need in zip(schedule.order, schedule.needs, strict=True):
            layout, of_batch = schedule.layouts[layer], slice(batch * self.batch, (batch + 1) * self.batch)
            for name, pins in self.fixed[layer].items():
                parts[name].append(pins)
            beats = self._activations(layout, given[layer][of_batch])
            parts["s_axis_x"].append([beats])
            after.append(np.full(len(beats), 0 if need is None else left[need + 1], np.uint64))
            wanted.append(self._results(layout, outputs[layer][of_batch]))
            left.append(left[-1] + len(wanted[-1][0]))
        passes, blocks = schedule.batches, sum(tensor.blocks for tensor in self.tensors)
        run = self.model.run(
            {name: _joined(some) for name, some in parts.items()},
            {"m_axis": _joined(wanted)},
            stalls=stalls,
            seed=seed,
            most_cycles=40 * passes * blocks + 10_000,
            after={"s_axis_x": np.concatenate(after)},
        )
        coded = [sum(bits) for bits in zip(*map(stored_bits, self.tensors), strict=True)]
        mask = sum(tensor.scan.length for tensor in self.tensors)
        return NetworkRun(
            images=count,
            passes=passes,
            in_flight=schedule.in_flight,
            cycles=run.cycles,
            blocks=passes * blocks,
            stall_cycles=run.counts[0],
            mismatches=run.mismatches,
            weight_bytes={
                "symbols": coded[0] / 8,
                "patches": coded[1] / 8,
                "mask": mask / 8,
                "scales": sum(len(layer.bias) for layer in self.layers) * SCALE_BITS / 8,
            },
            activation_bytes=sum(sum(layer.weights.shape) for layer in self.layers),
            outside_bytes=schedule.words_outside * self.batch,
            expected_cycles=schedule.cycles(
                load_words=self.config.load_words, result_words=self.config.result_words
            ),
            bytes_per_cycle=(sum(coded) + mask) / 8 / blocks,
            outputs=[out[:count] for out in outputs],
            messages=run.messages,
        )


def _joined(parts: Sequence[Sequence[NDArray[np.uint8]]]) -> list[NDArray[np.uint8]]:
    """Join what follows on a stream, pin by pin."""
    return [np.concatenate(pin) for pin in zip(*parts, strict=True)]
