"""The stream guard: keeps streams at their agreed length and says so when one was not."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.hw.stages.layouts import symbol_layout


class StreamGuard(wiring.Component):
    """Stream guard: passes streams of `length` symbols, reports shorter and longer ones, and never hangs.

    A stream begins with a symbol marked `first`, with the first symbol after reset and with the one after a
    `last`. Its symbol number `length` is passed on marked `last`. What follows in a stream that is too long is
    taken and dropped until a stream begins again. A stream that is too short, ended by its own `last` mark or by
    the `first` mark of the next, is filled up with symbols of zeros, one a cycle, while the input waits: every
    stream that leaves has `length` symbols, so masks and patches, which come block by block, stay in step. Adds
    no cycle of delay to streams of the right length and no register to the data.

    Parameters
    ----------
    n_in, n_w : int
        Bits of a symbol and planes.
    length_bits : int
        Width of `length`, 1 to 32.

    Members
    -------
    i : In(stream.Signature(symbol_layout(n_in, n_w)))
    o : Out(stream.Signature(symbol_layout(n_in, n_w)))
    length : In(length_bits)
        Symbols of a stream, at least 1; to be held still while one is running.
    too_short, too_long : Out(1)
        High once such a stream was seen, until `clear`.
    clear : In(1)
        Forgets both. An error in the same cycle is kept.
    """

    def __init__(self, n_in: int, n_w: int, length_bits: int) -> None:
        if not 1 <= length_bits <= 32:
            raise InputError(f"length_bits must be between 1 and 32, not {length_bits}")
        symbols = stream.Signature(symbol_layout(n_in, n_w))
        self.length_bits = length_bits
        super().__init__(
            {
                "i": In(symbols),
                "o": Out(symbols),
                "length": In(length_bits),
                "too_short": Out(1),
                "too_long": Out(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running = Signal()  # a stream is under way and wants more symbols
        surplus = Signal()  # a stream had all its symbols but did not end
        ended = Signal()  # a stream ended before its time and is being filled up
        seen = Signal(self.length_bits)  # symbols of the stream so far
        start, drop, fill, final = Signal(), Signal(), Signal(), Signal()
        number = Signal(self.length_bits)  # of this symbol, from 0
        m.d.comb += [
            fill.eq(ended | (running & self.i.valid & self.i.p.first)),
            start.eq(~fill & (self.i.p.first | ~(running | surplus))),
            drop.eq(surplus & ~self.i.p.first),
            self.o.p.symbol.eq(self.i.p.symbol & (~fill).replicate(len(self.i.p.symbol))),
            self.o.p.first.eq(start),
            self.o.p.last.eq(final),
            self.o.valid.eq(fill | (self.i.valid & ~drop)),
            self.i.ready.eq((self.o.ready | drop) & ~fill),
        ]
        with m.If(~start):
            m.d.comb += number.eq(seen)
        m.d.comb += final.eq((number + 1)[: self.length_bits] == self.length)
        with m.If(self.clear):
            m.d.sync += [self.too_short.eq(0), self.too_long.eq(0)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [
                seen.eq(number + 1),
                running.eq(~final),
                ended.eq(~final & (ended | (~fill & self.i.p.last))),
                surplus.eq(final & ~fill & ~self.i.p.last),
            ]
            # ended before its time, by its own mark or by the start of the next
            with m.If((~fill & self.i.p.last & ~final) | (fill & ~ended)):
                m.d.sync += self.too_short.eq(1)
        # one symbol more than a stream has, and it is no start
        with m.If(self.i.valid & drop):
            m.d.sync += [surplus.eq(~self.i.p.last), self.too_long.eq(1)]
        return m
