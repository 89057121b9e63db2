"""The mask stage: pruned positions become zero."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.hw.stages.layouts import block_layout


class MaskStage(wiring.Component):
    """Mask: word r of a block passes where bit r of the mask is 1 and becomes zero where it is 0. Combinational.

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    applied : bool
        The words that come in are masked already, by `keep` (see `XorPlanes`), and only the streams are joined.

    Members
    -------
    i : In(stream.Signature(block_layout(n_out, n_w)))
    mask : In(stream.Signature(n_out))
        One word of n_out bits with every block.
    o : Out(stream.Signature(block_layout(n_out, n_w)))
    keep : Out(n_out)
        Only if `applied`: the mask word, for the network that makes the words.
    """

    def __init__(self, n_out: int, n_w: int, *, applied: bool = False) -> None:
        self.applied = applied
        self.n_out = n_out
        self.n_w = n_w
        members = {
            "i": In(stream.Signature(block_layout(n_out, n_w))),
            "mask": In(stream.Signature(n_out)),
            "o": Out(stream.Signature(block_layout(n_out, n_w))),
        }
        if applied:
            members["keep"] = Out(n_out)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self.i.p.words
        if self.applied:
            m.d.comb += self.keep.eq(self.mask.payload)
        else:
            words &= Cat(bit.replicate(self.n_w) for bit in self.mask.payload)
        m.d.comb += [
            self.o.p.words.eq(words),
            self.o.p.first.eq(self.i.p.first),
            self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(self.i.valid & self.mask.valid),
            self.i.ready.eq(self.o.ready & self.mask.valid),
            self.mask.ready.eq(self.o.ready & self.i.valid),
        ]
        return m
