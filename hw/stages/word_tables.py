"""A word table for every weight of a block."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.stages.layouts import block_layout
from xorweave.hw.stages.prefix_word import PrefixWord


class WordTables(wiring.Component):
    """Word tables: the planes of each weight of a block become its word. Combinational.

    Parameters
    ----------
    book : PrefixCode
    n_out : int
        Weights of a block.
    masked : bool
        Words whose bit of the port `keep` is 0 come out as 0 (see `PrefixWord`).
    gated : int
        Groups of sign and tail, if they come in as 0 where `care` is 0 (see `PrefixWord`).

    Members
    -------
    i : In(stream.Signature(block_layout(n_out, book.planes)))
    o : Out(stream.Signature(block_layout(n_out, book.n_w)))
    keep : In(n_out)
        Only if `masked`.
    care : Out(gated * n_out)
        Only if `gated`: group by group, word r's bit at r.
    """

    def __init__(self, book: PrefixCode, n_out: int, *, masked: bool = False, gated: int = 0) -> None:
        self.book, self.n_out, self.masked, self.gated = book, n_out, masked, gated
        members = {
            "i": In(stream.Signature(block_layout(n_out, book.planes))),
            "o": Out(stream.Signature(block_layout(n_out, book.n_w))),
        }
        if masked:
            members["keep"] = In(n_out)
        if gated:
            members["care"] = Out(gated * n_out)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = []
        for r in range(self.n_out):
            m.submodules[f"word{r}"] = table = PrefixWord(
                self.book, masked=self.masked, gated=bool(self.gated)
            )
            m.d.comb += table.planes.eq(self.i.p.words[r * self.book.planes : (r + 1) * self.book.planes])
            if self.masked:
                m.d.comb += table.keep.eq(self.keep[r])
            for group in range(self.gated):
                m.d.comb += self.care[group * self.n_out + r].eq(table.care[group])
            words.append(table.word)
        m.d.comb += [
            self.o.p.words.eq(Cat(words)),
            self.o.p.first.eq(self.i.p.first),
            self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m
