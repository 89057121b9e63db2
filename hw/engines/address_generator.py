"""The interleaver's address generator: where in the tensor each weight of a block belongs."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.interleaver import Interleaver


class AddressGenerator(wiring.Component):
    """Address generator: the element of scan position i is (offset + i * stride) mod n; one block a cycle.

    One adder and one conditional subtraction a lane: lane r adds r * stride mod n to the address of lane 0,
    and lane 0 moves on by lanes * stride mod n. No multiplier, no division.

    Parameters
    ----------
    interleaver : Interleaver
    lanes : int
        Addresses given out together, one a weight of a block (n_out), at least 1.

    Members
    -------
    o : Out(stream.Signature(lanes * width))
        Lane r from bit ``r * width``; width is ``address_bits``. Positions past the end of the tensor, in the
        last block, get addresses of the next round, which the mask holds at zero.
    restart : In(1)
        Begins again at scan position 0 with the next block given out.
    """

    def __init__(self, interleaver: Interleaver, lanes: int) -> None:
        if lanes < 1:
            raise InputError(f"lanes must be at least 1, not {lanes}")
        if interleaver.n < 1:
            raise InputError("an empty tensor has no addresses")
        self.interleaver = interleaver
        self.lanes = lanes
        self.address_bits = max(1, (interleaver.n - 1).bit_length())
        super().__init__({"o": Out(stream.Signature(lanes * self.address_bits)), "restart": In(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n, stride, width = self.interleaver.n, self.interleaver.stride, self.address_bits
        offset = self.interleaver.offset % n
        base = Signal(width, init=offset)

        def advanced(name: str, step: int) -> Signal:
            """Return base + step mod n, for a step below n."""
            total = Signal(width + 1, name=f"{name}_sum")
            wrapped = Signal(width, name=f"{name}_wrapped")
            address = Signal(width, name=name)
            m.d.comb += [
                total.eq(base + step),
                wrapped.eq((total - n)[:width]),
                address.eq(Mux(total >= n, wrapped, total[:width])),
            ]
            return address

        addresses = [base] + [advanced(f"lane{r}", r * stride % n) for r in range(1, self.lanes)]
        following = advanced("following", self.lanes * stride % n)
        m.d.comb += [self.o.payload.eq(Cat(addresses)), self.o.valid.eq(1)]
        with m.If(self.restart):
            m.d.sync += base.eq(offset)
        with m.Elif(self.o.ready):
            m.d.sync += base.eq(following)
        return m
