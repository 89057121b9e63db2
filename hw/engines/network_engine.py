"""One SpMV engine for all layers of a network: their shapes come with a descriptor, INT8 activations leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.engines.layer_ring import LayerRing
from xorweave.hw.engines.requantiser import SCALE_BITS, Requantiser
from xorweave.hw.engines.result_queue import ResultQueue
from xorweave.hw.engines.spmv_engine import (
    ACCUMULATOR_BITS,
    ACTIVATION_BITS,
    Place,
    SpmvConfig,
    SpmvEngine,
)

_PASSES_BITS, _LEAD_BITS = 12, 10


class NetworkEngine(SpmvEngine):
    """Network engine: `SpmvEngine` whose matrix has another shape for every layer, with a requantiser behind it.

    A layer begins with its descriptor; its activations are loaded, its blocks are taken one a cycle, its sums get bias,
    scale and ReLU and leave as INT8, while the next descriptor and its activations come in. What a layer gives goes
    through a memory outside before it is loaded again.

    Parameters
    ----------
    config : SpmvConfig
        Its layout is as large as the largest: most columns, most rows that a lane works on in turn.

    Members
    -------
    s_axis_layer_tdata : In(descriptor_layout(config.layout))
        With valid and ready: one descriptor a layer (see `descriptor`).
    s_axis_scale_tdata : In(result_words * SCALE_BITS)
        With valid and ready: a record a row, in the order of the results (see `Requantiser`).
    stalled : Out(1)
        A layer is loaded and takes no block in this cycle.
    s_axis..., m_axis...
        As of `SpmvEngine`; m_axis_tdata has 32 bits a value. m_axis_tlast marks the end of a layer.
    """

    _any_turns = True

    def _members(self) -> dict[str, wiring.Member]:
        config = self.config
        descriptor_bits = sum(field.width for _, field in descriptor_layout(config.layout))
        return super()._members() | {
            "s_axis_layer_tdata": In(descriptor_bits),
            "s_axis_layer_tvalid": In(1),
            "s_axis_layer_tready": Out(1),
            "s_axis_scale_tdata": In(config.result_words * SCALE_BITS),
            "s_axis_scale_tvalid": In(1),
            "s_axis_scale_tready": Out(1),
            "stalled": Out(1),
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        layout, batch = config.layout, config.batch
        block = self._weights(m)
        m.submodules.ring = ring = LayerRing(layout, batch * ACTIVATION_BITS, config.load_words)
        m.submodules.results = results = ResultQueue(
            lanes=layout.lanes,
            width=batch * ACCUMULATOR_BITS,
            depth=layout.interleave,
            words=config.result_words,
        )
        m.submodules.requantiser = requantiser = Requantiser(config.result_words, batch)
        m.d.comb += [
            requantiser.i.p.words.eq(results.o.payload),
            requantiser.i.p.last.eq(results.last),
            requantiser.i.valid.eq(results.o.valid),
            results.o.ready.eq(requantiser.i.ready),
            requantiser.scale.payload.eq(self.s_axis_scale_tdata),
            requantiser.scale.valid.eq(self.s_axis_scale_tvalid),
            self.s_axis_scale_tready.eq(requantiser.scale.ready),
            self.m_axis_tdata.eq(requantiser.o.p.words),
            self.m_axis_tlast.eq(requantiser.o.p.last),
            self.m_axis_tvalid.eq(requantiser.o.valid),
            requantiser.o.ready.eq(self.m_axis_tready),
        ]
        go = Signal()
        final = [Signal(name=f"final{k}", reset_less=True) for k in range(3)]  # the last group of a layer
        place = self._layers(m, block, ring, go, final[0])
        with m.If(place.works):
            m.d.sync += final[1].eq(final[0])
        with m.If(go):
            m.d.sync += final[2].eq(final[1])
        sums, summed, finished = self._lanes(m, block, ring.taps, place, go)
        m.d.comb += [
            results.i.payload.eq(Cat(*sums, final[2])),
            results.i.valid.eq(finished),
            go.eq(~finished | results.i.ready),
        ]
        if config.trace:
            m.d.comb += [self.trace_sums.eq(Cat(sums)), self.trace_summed.eq(summed & go)]
        return m

    def _layers(self, m: Module, block: Any, ring: LayerRing, go: Signal, final: Signal) -> Place:
        """Take a descriptor, load its vector, take its blocks; say where the block being taken belongs."""
        layer = Signal(descriptor_layout(self.config.layout), reset_less=True)
        asking = Signal(init=1, name="asking")
        loading = Signal(name="loading")
        beat = Signal.like(layer.beats, name="beat")
        lead = Signal.like(layer.lead, name="lead")
        turn = Signal.like(layer.turns, name="turn")
        step = Signal.like(layer.cols, name="step")
        passed = Signal.like(layer.passes, name="passed")
        asked = Signal(name="asked")
        loaded = Signal(name="loaded")
        taken = Signal(name="taken")
        works = Signal(name="works")
        turned = Signal(name="turned")
        ended = Signal(name="ended")
        m.d.comb += [
            self.s_axis_layer_tready.eq(asking),
            asked.eq(asking & self.s_axis_layer_tvalid),
            self.s_axis_x_tready.eq(loading),
            loaded.eq(loading & self.s_axis_x_tvalid),
            block.ready.eq(~asking & ~loading & go),
            taken.eq(block.valid & block.ready),
            self.stalled.eq(~asking & ~loading & ~taken),
            works.eq(taken & (lead == layer.lead)),
            turned.eq(works & (turn == layer.turns)),
            ended.eq(turned & (step == layer.cols)),
            final.eq((turn == layer.turns) & (passed == layer.passes)),
            ring.restart.eq(asked),
            ring.turn.eq(loaded | turned),
            ring.load.eq(loading),
            ring.loaded.eq(self.s_axis_x_tdata),
            ring.shorter.eq(layer.shorter),
            ring.longer.eq(layer.longer),
        ]
        with m.If(asked):
            m.d.sync += [Value.cast(layer).eq(self.s_axis_layer_tdata), asking.eq(0), loading.eq(1)]
            m.d.sync += [beat.eq(0), lead.eq(0), passed.eq(0)]
        with m.If(loaded):
            m.d.sync += [beat.eq(beat + 1), loading.eq(beat != layer.beats)]
        with m.If(taken & ~works):
            m.d.sync += lead.eq(lead + 1)
        with m.If(works):
            m.d.sync += turn.eq(Mux(turn == layer.turns, 0, turn + 1))
        with m.If(turned):
            m.d.sync += step.eq(Mux(ended, 0, step + 1))
        with m.If(ended):
            m.d.sync += [passed.eq(passed + 1), asking.eq(passed == layer.passes)]
        return Place(works, turn, step == 0, step == layer.cols)


def descriptor_layout(layout: LaneLayout) -> data.StructLayout:
    """Return the fields of a descriptor for an engine of a layout: each number is one less, but for the lead."""
    depth = -(-layout.cols // layout.lanes) + 1
    return data.StructLayout(
        {
            "cols": max(1, (layout.cols - 1).bit_length()),
            "turns": max(1, (layout.interleave - 1).bit_length()),
            "passes": _PASSES_BITS,
            "lead": _LEAD_BITS,
            "beats": max(1, (layout.cols - 1).bit_length()),
            "shorter": max(1, (depth - 1).bit_length()),
            "longer": layout.lanes,
        }
    )


def descriptor(engine: SpmvConfig, layer: LaneLayout) -> int:
    """Return the descriptor of a layer's layout.

    Raises
    ------
    InputError
        The engine is too small for it, or has other lanes.
    """
    most, lanes = engine.layout, layer.lanes
    if lanes != most.lanes or layer.interleave > most.interleave or not lanes <= layer.cols <= most.cols:
        raise InputError(
            f"a layer must have {most.lanes} lanes, {most.lanes} to {most.cols} columns and at most"
            f" {most.interleave} rows in turn, not {lanes}, {layer.cols} and {layer.interleave}"
        )
    if layer.passes > 1 << _PASSES_BITS or layer.lead >= 1 << _LEAD_BITS:
        raise InputError(
            f"a layer must have at most {1 << _PASSES_BITS} passes, and a lead below {1 << _LEAD_BITS}"
        )
    lines = np.diff([*layer.ring_places.tolist(), layer.cols])
    shorter = layer.cols // lanes
    fields = {
        "cols": layer.cols - 1,
        "turns": layer.interleave - 1,
        "passes": layer.passes - 1,
        "lead": layer.lead,
        "beats": max(length for _, length in layer.load_chunks(engine.load_words)) - 1,
        "shorter": shorter - 1,
        "longer": sum(int(length > shorter) << line for line, length in enumerate(lines)),
    }
    word = low = 0
    for name, field in descriptor_layout(most):
        word |= fields[name] << low
        low += field.width
    return word
