"""The block length: words beyond it are pruned, whatever the mask says of them."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.hw.stages.fields import length_bits


class BlockLength(wiring.Component):
    """Block length: mask words whose bits from `length` on are 0, whatever was there. Combinational.

    A tensor that is stored with the first outputs of a code leaves the last words of every block unused.

    Parameters
    ----------
    n_out : int
        Words of a block.

    Members
    -------
    length : In(length_bits(n_out))
        Words of the block that belong to the tensor; belongs to the word at `i`.
    i, o : In, Out(stream.Signature(n_out))
        Mask words.
    """

    def __init__(self, n_out: int) -> None:
        self.n_out = n_out
        super().__init__(
            {
                "length": In(length_bits(n_out)),
                "i": In(stream.Signature(n_out)),
                "o": Out(stream.Signature(n_out)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits: list[Value] = []
        for width in range(1, len(self.length) + 1):
            # whether r < the lowest bits of the length: halves are made of halves, about a gate a word
            half, high = 1 << (width - 1), self.length[width - 1]
            whole = min(1 << width, self.n_out)
            rest = bits or [Const(0, 1)]
            level = Signal(whole, name=f"below{width}")
            m.d.comb += level.eq(
                Cat(*(bit | high for bit in rest), *(bit & high for bit in rest[: whole - half]))
            )
            bits = list(level)
        m.d.comb += [
            self.o.payload.eq(self.i.payload & Cat(bits)),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m
