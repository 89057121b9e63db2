"""Decoder of a shaped mask: shift registers, an XOR network, and one AND of A parities for every mask bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.shared_sums import shared_sums


class ShapedMaskDecoder(wiring.Component):
    """One symbol of n_in bits in, n_out mask bits out, in every cycle; `o` feeds the mask stage of a decoder.

    The output follows the input through gates only; what earlier symbols contribute comes from registers. A symbol
    marked `first` starts a stream: the registers read as 0 for it, without a bubble.

    Parameters
    ----------
    code : ShapedMaskCode
    network : XorNetwork, optional
        Gates of the parities, output r * A + a being parity a of mask bit r; when left out `shared_sums` if the code
        has sums, else balanced trees.

    Members
    -------
    i : In(stream.Signature(StructLayout({"symbol": n_in, "first": 1})))
    o : Out(stream.Signature(n_out))

    Raises
    ------
    InputError
        The network does not compute the code's parities.
    """

    def __init__(self, code: ShapedMaskCode, network: XorNetwork | None = None) -> None:
        matrix = code.generator.reshape(code.n_out * code.parities, -1)
        if network is None:
            network = shared_sums(code) if code.sums else balanced_trees(matrix)
        elif not (network.matrix() == matrix).all():
            raise InputError("the XOR network must compute the parities of the shaped code")
        self.code = code
        self.network = network
        layout = data.StructLayout({"symbol": code.n_in, "first": 1})
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(code.n_out))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        code = self.code
        used = code.generator.any(axis=(0, 1)).reshape(code.n_s + 1, code.n_in)
        take = Signal()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            take.eq(self.i.valid & self.o.ready),
        ]
        # registers that no parity reads are not there: only the last window - 1 encoded bits are held
        newest = [self.i.p.symbol[b] for b in range(code.n_in)]
        window: list[Value] = list(newest)
        before = newest
        for age in range(1, code.n_s + 1):
            held = Signal(code.n_in, name=f"x{age}", reset_less=True)
            seen = Signal(code.n_in, name=f"w{age}")
            m.d.comb += seen.eq(Mux(self.i.p.first, 0, held))
            for b in range(code.n_in):
                if used[age:, b].any():
                    with m.If(take):
                        m.d.sync += held[b].eq(before[b])
            before = list(seen)
            window += before
        signals: list[Value] = window
        fanout = self.network.fanout
        for index, (a, b) in enumerate(self.network.gates):
            value: Value = signals[a] ^ signals[b]
            if fanout[self.network.inputs + index] > 1:
                shared = Signal(name=f"g{index}")
                m.d.comb += shared.eq(value)
                value = shared
            signals.append(value)
        bits = []
        for r in range(code.n_out):
            parities = [
                signals[output]
                for output in self.network.outputs[r * code.parities : (r + 1) * code.parities]
                if output is not None
            ]
            bits.append(Cat(parities).all())
        m.d.comb += self.o.payload.eq(Cat(bits))
        return m
