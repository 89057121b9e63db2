"""The inversion stage: planes that were stored inverted are turned back."""

from __future__ import annotations

from amaranth.hdl import Const, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.hw.stages.layouts import block_layout


class InversionStage(wiring.Component):
    """Inversion: exclusive-or of every word with one that says which planes are inverted. Combinational.

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    word : int or None
        The inversion word, fixed in the hardware; None makes it the port `inversion`, to be held still while
        a stream is running.

    Members
    -------
    i : In(stream.Signature(block_layout(n_out, n_w)))
    inversion : In(n_w)
        Only without a fixed word.
    o : Out(stream.Signature(block_layout(n_out, n_w)))
    """

    def __init__(self, n_out: int, n_w: int, word: int | None) -> None:
        self.n_out = n_out
        self.n_w = n_w
        self.word = word
        blocks = stream.Signature(block_layout(n_out, n_w))
        members = {"i": In(blocks), "o": Out(blocks)}
        if word is None:
            members["inversion"] = In(n_w)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inversion = self.inversion if self.word is None else Const(self.word, self.n_w)
        m.d.comb += [
            self.o.p.words.eq(self.i.p.words ^ inversion.replicate(self.n_out)),
            self.o.p.first.eq(self.i.p.first),
            self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m
