"""One decoder for several rates: N_in is chosen at run time, stream by stream, from a set fixed at generation."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.choose.rate_choice import check_rates
from xorweave.golden.code.code import Code
from xorweave.hw.stages.layouts import block_layout, symbol_layout
from xorweave.hw.stages.xor_decoder import XorDecoder
from xorweave.hw.xor.network import XorNetwork


class RateProgrammableDecoder(wiring.Component):
    """Rate-programmable decoder: `XorDecoder` whose symbols have N_in bits chosen by `rate`, stream by stream.

    The rate in force for a stream is the one at the port with its first symbol, so it can change from one
    stream to the next without a lost cycle. A stream starts as in `XorDecoder`.

    Parameters
    ----------
    code : Code
        The code of the highest rate; the others are its punctured codes (`Code.punctured`).
    rates : sequence of int
        The N_in to choose from, increasing; the last one must be the code's.
    n_w : int
        Planes side by side.
    network : XorNetwork, optional
        Gates of the code's generator matrix.
    input_register : bool
        As in `XorDecoder`.
    side_bits : int
        Width of a word that goes with a whole stream, beside the blocks.

    Members
    -------
    i : In(stream.Signature(symbol_layout(n_in, n_w)))
        Bits of a symbol above the rate's N_in are ignored.
    rate : In(range(len(rates)))
        Index into `rates`.
    o : Out(stream.Signature(block_layout(n_out, n_w)))
    side : In(side_bits), side_o : Out(side_bits)
        Only with side_bits: taken with a stream's first symbol, given out with each of its blocks.
    """

    def __init__(
        self,
        code: Code,
        rates: Sequence[int],
        n_w: int,
        network: XorNetwork | None = None,
        *,
        input_register: bool = True,
        side_bits: int = 0,
    ) -> None:
        rates = check_rates(code, rates)
        self.code, self.rates, self.n_w = code, rates, n_w
        self.side_bits = side_bits
        self._decoder = XorDecoder(code, n_w, network, input_register=input_register, side_bits=side_bits)
        side = {"side": In(side_bits), "side_o": Out(side_bits)} if side_bits else {}
        super().__init__(
            {
                "i": In(stream.Signature(symbol_layout(code.n_in, n_w))),
                "rate": In(range(max(2, len(rates)))),
                "o": Out(stream.Signature(block_layout(code.n_out, n_w))),
                **side,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = self._decoder
        running, start = Signal(), Signal()
        held = Signal(self.rate.shape())
        rate = Signal(self.rate.shape())
        m.d.comb += [start.eq(self.i.p.first | ~running), rate.eq(Mux(start, self.rate, held))]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [running.eq(~self.i.p.last), held.eq(rate)]
        symbol = self.i.p.symbol
        width = self.code.n_in * self.n_w
        used = Signal(width)
        m.d.comb += used.eq(Const((1 << width) - 1, width))
        for index, n_in in enumerate(self.rates[:-1]):
            with m.If(rate == index):
                m.d.comb += used.eq(Const((1 << (n_in * self.n_w)) - 1, width))
        if self.side_bits:
            m.d.comb += self.side_o.eq(decoder.side)
            used, symbol = Cat(used, Const(-1, self.side_bits)), Cat(symbol, self.side)
        m.d.comb += [
            decoder.i.p.symbol.eq(symbol & used),
            decoder.i.p.first.eq(start),
            decoder.i.p.last.eq(self.i.p.last),
            decoder.i.valid.eq(self.i.valid),
            self.i.ready.eq(decoder.i.ready),
        ]
        wiring.connect(m, decoder.o, wiring.flipped(self.o))
        return m
