"""Bit-serial decoding: the planes of a block one after another on one XOR network of a single plane."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.code.code import Code
from xorweave.hw.stages.layouts import block_layout, symbol_layout
from xorweave.hw.stages.xor_planes import XorPlanes
from xorweave.hw.xor.network import XorNetwork


class PlaneSerialDecoder(wiring.Component):
    """Plane-serial decoder: one plane of a block a cycle, n_w cycles a block, on a network of one plane.

    Symbols of plane 0, 1 .. n_w - 1 of a block follow each other, then those of the next block. The shift
    registers are n_w times as long as those of one plane, so that the history of each plane comes round with
    it: the registers cost what they cost side by side, the network and everything after it an n_w-th.

    Parameters
    ----------
    code : Code
    n_w : int
        Planes of a block.
    network : XorNetwork, optional
        Gates of the generator matrix (see `XorPlanes`).

    Members
    -------
    i : In(stream.Signature(symbol_layout(n_in, 1)))
        `first` belongs to plane 0 of a stream's first block, `last` to plane n_w - 1 of its last.
    o : Out(stream.Signature(block_layout(n_out, 1)))
        One plane of a block; `first` and `last` as on the input.
    """

    def __init__(self, code: Code, n_w: int, network: XorNetwork | None = None) -> None:
        self.code = code
        self.n_w = n_w
        self._network = XorPlanes(code, 1, network)
        super().__init__(
            {
                "i": In(stream.Signature(symbol_layout(code.n_in, 1))),
                "o": Out(stream.Signature(block_layout(code.n_out, 1))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = network = self._network
        take, start, fresh = Signal(), Signal(), Signal()
        running, full, first, last = Signal(), Signal(), Signal(reset_less=True), Signal(reset_less=True)
        # planes of the first block still to come, which must see no history either
        left = Signal(range(self.n_w + 1))
        m.d.comb += [
            self.i.ready.eq(~full | self.o.ready),
            take.eq(self.i.valid & self.i.ready),
            start.eq(self.i.p.first | ~running),
            fresh.eq(start | (left != 0)),
            self.o.valid.eq(full),
            self.o.p.first.eq(first),
            self.o.p.last.eq(last),
            self.o.p.words.eq(network.y),
        ]
        with m.If(self.i.ready):
            m.d.sync += full.eq(self.i.valid)
        with m.If(take):
            m.d.sync += [running.eq(~self.i.p.last), first.eq(start), last.eq(self.i.p.last)]
            with m.If(start):
                m.d.sync += left.eq(self.n_w - 1)
            with m.Elif(left != 0):
                m.d.sync += left.eq(left - 1)
        # stage s holds the symbol that came s steps ago: x_(t-i) of the same plane is at s = i * n_w
        width = self.code.n_in
        stages = [Signal(width, name="x0", reset_less=True)]
        stages += [
            Signal(width, name=f"d{s}", reset_less=True) for s in range(1, self.code.n_s * self.n_w + 1)
        ]
        with m.If(take):
            m.d.sync += stages[0].eq(self.i.p.symbol)
            for s in range(1, len(stages)):
                # what enters the history of a plane in the first block of a stream is nothing, whatever was there
                m.d.sync += stages[s].eq(Mux(fresh, 0, stages[s - 1]) if s % self.n_w == 0 else stages[s - 1])
        m.d.comb += network.x.eq(Cat(stages[i * self.n_w] for i in range(self.code.n_s + 1)))
        return m
