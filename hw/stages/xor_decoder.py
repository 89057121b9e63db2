"""The decoder proper: shift registers of symbols and the XOR network, at one block a cycle."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.stages.layouts import block_layout, symbol_layout
from xorweave.hw.stages.xor_planes import XorPlanes
from xorweave.hw.xor.network import XorNetwork


class XorDecoder(wiring.Component):
    """Shift registers x0 .. xN_s and the XOR network: one symbol in, one block out, in every cycle.

    The registers advance only when a symbol is taken. A symbol that starts a stream clears the older registers
    while it is loaded, so streams follow each other without a bubble. A stream starts with the first symbol
    after reset, with a symbol marked `first`, and after a symbol marked `last`.

    Parameters
    ----------
    code : Code
    n_w : int
        Planes side by side.
    network : XorNetwork, optional
        Gates of the generator matrix (see `XorPlanes`).
    input_register : bool
        True: the newest symbol is held in a register of its own, so the output depends on registers only.
        False: it goes straight to the network (n_in * n_w flip-flops fewer; the output follows the input).

    max_depth : int, optional
        Most two-input XORs between registers: cuts the network into pipeline stages, which move on together.
        Needs the input register.
    masked : bool
        Words whose bit of the port `keep` is 0 come out as 0 (see `XorPlanes`).

    Members
    -------
    i : In(stream.Signature(symbol_layout(n_in, n_w)))
    o : Out(stream.Signature(block_layout(n_out, n_w)))
    keep : In(n_out)
        Only if `masked`.
    """

    def __init__(
        self,
        code: Code,
        n_w: int,
        network: XorNetwork | None = None,
        *,
        input_register: bool = True,
        max_depth: int | None = None,
        masked: bool = False,
    ) -> None:
        if max_depth is not None and not input_register:
            raise InputError("a pipelined network needs the input register")
        self.code = code
        self.n_w = n_w
        self.input_register = input_register
        self._network = XorPlanes(code, n_w, network, max_depth=max_depth, masked=masked)
        self.latency = self._network.stages if input_register else 0
        members = {
            "i": In(stream.Signature(symbol_layout(code.n_in, n_w))),
            "o": Out(stream.Signature(block_layout(code.n_out, n_w))),
        }
        if masked:
            members["keep"] = In(code.n_out)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = network = self._network
        if network.masked:
            m.d.comb += network.keep.eq(self.keep)
        width = self.code.n_in * self.n_w
        take = Signal()
        start = Signal()
        # low from reset or the end of a stream until the next symbol: that symbol starts a stream
        running = Signal()
        m.d.comb += [take.eq(self.i.valid & self.i.ready), start.eq(self.i.p.first | ~running)]
        with m.If(take):
            m.d.sync += running.eq(~self.i.p.last)

        # data registers need no reset: nothing is read from them before it was written or cleared by a start
        history = [Signal(width, name=f"x{i}", reset_less=True) for i in range(1, self.code.n_s + 1)]
        if self.input_register:
            newest = Signal(width, name="x0", reset_less=True)
            full = Signal()
            first = Signal(reset_less=True)
            last = Signal(reset_less=True)
            # what a stage of the network works on: there, and first and last of its stream
            valids, firsts, lasts = [full], [first], [last]
            for k in range(1, network.stages):
                valids.append(Signal(name=f"full{k}"))
                firsts.append(Signal(name=f"first{k}", reset_less=True))
                lasts.append(Signal(name=f"last{k}", reset_less=True))
            m.d.comb += [
                self.i.ready.eq(~valids[-1] | self.o.ready),
                self.o.valid.eq(valids[-1]),
                self.o.p.first.eq(firsts[-1]),
                self.o.p.last.eq(lasts[-1]),
            ]
            with m.If(self.i.ready):
                m.d.sync += full.eq(self.i.valid)
                for marks in (valids, firsts, lasts):
                    for mark, later in pairwise(marks):
                        m.d.sync += later.eq(mark)
            if network.stages > 1:
                m.d.comb += network.enable.eq(self.i.ready)
            with m.If(take):
                m.d.sync += [newest.eq(self.i.p.symbol), first.eq(start), last.eq(self.i.p.last)]
                for older, newer in zip(history, [newest, *history], strict=False):
                    m.d.sync += older.eq(Mux(start, 0, newer))
            m.d.comb += network.x.eq(Cat(newest, *history))
        else:
            m.d.comb += [
                self.i.ready.eq(self.o.ready),
                self.o.valid.eq(self.i.valid),
                self.o.p.first.eq(start),
                self.o.p.last.eq(self.i.p.last),
            ]
            window = [Signal(width, name=f"w{i}") for i in range(1, self.code.n_s + 1)]
            for seen, older in zip(window, history, strict=True):
                m.d.comb += seen.eq(Mux(start, 0, older))
            with m.If(take):
                for older, newer in zip(history, [self.i.p.symbol, *window], strict=False):
                    m.d.sync += older.eq(newer)
            m.d.comb += network.x.eq(Cat(self.i.p.symbol, *window))
        m.d.comb += self.o.p.words.eq(network.y)
        return m
