"""Register slices: cut the long paths of a handshake without losing a cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class OutputRegister(wiring.Component):
    """Output register: payload and valid come from flip-flops; ready passes through. Full throughput.

    Parameters
    ----------
    layout : ShapeLike
        Payload of the stream.

    Members
    -------
    i : In(stream.Signature(layout))
    o : Out(stream.Signature(layout))
    """

    def __init__(self, layout: Any) -> None:
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        full = Signal()
        held = Signal(self.o.payload.shape(), reset_less=True)
        m.d.comb += [
            self.i.ready.eq(~full | self.o.ready),
            self.o.valid.eq(full),
            self.o.payload.eq(held),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += held.eq(self.i.payload)
        return m


class SkidBuffer(wiring.Component):
    """Skid buffer: `i.ready` comes from a flip-flop; one word is set aside when the far side stalls. Full throughput.

    Parameters
    ----------
    layout : ShapeLike
        Payload of the stream.

    Members
    -------
    i : In(stream.Signature(layout))
    o : Out(stream.Signature(layout))
    """

    def __init__(self, layout: Any) -> None:
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        aside = Signal()
        held = Signal(self.o.payload.shape(), reset_less=True)
        m.d.comb += [self.i.ready.eq(~aside), self.o.valid.eq(self.i.valid | aside)]
        with m.If(aside):
            m.d.comb += self.o.payload.eq(held)
        with m.Else():
            m.d.comb += self.o.payload.eq(self.i.payload)
        with m.If(self.o.ready):
            m.d.sync += aside.eq(0)
        with m.Elif(self.i.valid):
            m.d.sync += aside.eq(1)
        with m.If(~aside):
            m.d.sync += held.eq(self.i.payload)
        return m
