"""One SpMV engine for all layers of a network: their shapes come with a descriptor, INT8 activations leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.engines.layer_ring import LayerRing, line_words
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
    scale and ReLU and leave as INT8. There are two rings of activations: while the blocks of a layer meet those in one,
    the next descriptor and its activations go to the other, and the cycle after a layer's last block takes the next
    layer's first. What a layer gives goes through a memory outside before it is loaded again: who sends a layer of the
    same images next waits for it; who sends one of other images in between does not.

    Parameters
    ----------
    config : SpmvConfig
        Its layout is as large as the largest: most columns, most rows that a lane works on in turn.

    Members
    -------
    s_axis_layer_tdata : In(descriptor_layout(config.layout))
        With valid and ready: one descriptor a layer (see `descriptor`), taken as soon as a ring is free.
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
        rings = [LayerRing(layout, batch * ACTIVATION_BITS, config.load_words) for _ in range(2)]
        m.submodules.ring0, m.submodules.ring1 = rings
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
        place, taps = self._layers(m, block, rings, go, final[0])
        with m.If(place.works):
            m.d.sync += final[1].eq(final[0])
        with m.If(go):
            m.d.sync += final[2].eq(final[1])
        sums, summed, finished = self._lanes(m, block, taps, place, go)
        m.d.comb += [
            results.i.payload.eq(Cat(*sums, final[2])),
            results.i.valid.eq(finished),
            go.eq(~finished | results.i.ready),
        ]
        if config.trace:
            m.d.comb += [self.trace_sums.eq(Cat(sums)), self.trace_summed.eq(summed & go)]
        return m

    def _layers(
        self, m: Module, block: Any, rings: list[LayerRing], go: Signal, final: Signal
    ) -> tuple[Place, Value]:
        """Take the blocks of a layer while the next is loaded: say where a block belongs, and what it is to meet."""
        kept = data.StructLayout(
            {name: field.shape for name, field in descriptor_layout(self.config.layout) if name != "beats"}
        )
        layers = [Signal(kept, reset_less=True, name=f"layer{k}") for k in range(2)]  # of each ring
        half = Signal(name="half")  # the ring whose layer is taken; the other one is loaded
        cols, turns, passes, leads = (
            Signal(kept[name].width, name=f"now_{name}") for name in ("cols", "turns", "passes", "lead")
        )
        lead = Signal.like(leads, name="lead")
        turn = Signal.like(turns, name="turn")
        step = Signal.like(cols, name="step")
        passed = Signal.like(passes, name="passed")
        busy = Signal(name="busy")  # a layer is taken
        taken = Signal(name="taken")
        works = Signal(name="works")
        turned = Signal(name="turned")
        ended = Signal(name="ended")
        ends = Signal(name="ends")  # the last block of a layer
        swap = Signal(name="swap")
        loaded, there = self._load(m, layers, rings, half, swap)
        m.d.comb += [
            cols.eq(Mux(half, layers[1].cols, layers[0].cols)),
            turns.eq(Mux(half, layers[1].turns, layers[0].turns)),
            passes.eq(Mux(half, layers[1].passes, layers[0].passes)),
            leads.eq(Mux(half, layers[1].lead, layers[0].lead)),
            block.ready.eq(busy & go),
            taken.eq(block.valid & block.ready),
            self.stalled.eq(busy & ~taken),
            works.eq(taken & (lead == leads)),
            turned.eq(works & (turn == turns)),
            ended.eq(turned & (step == cols)),
            ends.eq(ended & (passed == passes)),
            swap.eq(there & (~busy | ends)),
            final.eq((turn == turns) & (passed == passes)),
            *(ring.turn.eq(Mux(half == k, turned, loaded)) for k, ring in enumerate(rings)),
        ]
        with m.If(taken & ~works):
            m.d.sync += lead.eq(lead + 1)
        with m.If(works):
            m.d.sync += turn.eq(Mux(turn == turns, 0, turn + 1))
        with m.If(turned):
            m.d.sync += step.eq(Mux(ended, 0, step + 1))
        with m.If(ended):
            m.d.sync += passed.eq(passed + 1)
        with m.If(swap):
            m.d.sync += [half.eq(~half), busy.eq(1), lead.eq(0), passed.eq(0)]
        with m.Elif(ends):
            m.d.sync += busy.eq(0)
        return Place(works, turn, step == 0, step == cols), Mux(half, rings[1].taps, rings[0].taps)

    def _load(
        self, m: Module, layers: list[Any], rings: list[LayerRing], half: Signal, swap: Signal
    ) -> tuple[Value, Value]:
        """Load the other ring: return whether words come in, and whether it will be full in the next cycle."""
        given = data.View(descriptor_layout(self.config.layout), self.s_axis_layer_tdata)
        asking = Signal(init=1, name="asking")
        loading = Signal(name="loading")
        beats = Signal.like(given.beats, reset_less=True, name="beats")  # still to come, one less
        asked = Signal(name="asked")
        loaded = Signal(name="loaded")
        m.d.comb += [
            self.s_axis_layer_tready.eq(asking),
            asked.eq(asking & self.s_axis_layer_tvalid),
            self.s_axis_x_tready.eq(loading),
            loaded.eq(loading & self.s_axis_x_tvalid),
        ]
        with m.If(asked):
            m.d.sync += [asking.eq(0), loading.eq(1), beats.eq(given.beats)]
        with m.If(loaded):
            m.d.sync += [beats.eq(beats - 1), loading.eq(beats != 0)]
        with m.If(swap):
            m.d.sync += asking.eq(1)
        for k, (layer, ring) in enumerate(zip(layers, rings, strict=True)):
            with m.If(asked & (half != k)):
                m.d.sync += [layer[name].eq(given[name]) for name, _ in layer.shape()]
            m.d.comb += [
                ring.restart.eq(asked & (half != k)),
                ring.load.eq(half != k),
                ring.loaded.eq(self.s_axis_x_tdata),
                ring.shorter.eq(layer.shorter),
                ring.longer.eq(layer.longer),
            ]
        return loaded, Mux(loading, loaded & (beats == 0), ~asking)


def descriptor_layout(layout: LaneLayout) -> data.StructLayout:
    """Return the fields of a descriptor for an engine of a layout: each number is one less, but for the lead."""
    depth = line_words(layout)
    return data.StructLayout(
        {
            "beats": max(1, (layout.cols - 1).bit_length()),
            "cols": max(1, (layout.cols - 1).bit_length()),
            "turns": max(1, (layout.interleave - 1).bit_length()),
            "passes": _PASSES_BITS,
            "lead": _LEAD_BITS,
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
        "beats": max(length for _, length in layer.load_chunks(engine.load_words)) - 1,
        "cols": layer.cols - 1,
        "turns": layer.interleave - 1,
        "passes": layer.passes - 1,
        "lead": layer.lead,
        "shorter": shorter - 1,
        "longer": sum(int(length > shorter) << line for line, length in enumerate(lines)),
    }
    word = low = 0
    for name, field in descriptor_layout(most):
        word |= fields[name] << low
        low += field.width
    return word
