"""The activations of an engine for several layers: a ring whose length is set for each of them."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from xorweave.golden.scan.lane_layout import LaneLayout


def line_words(layout: LaneLayout) -> int:
    """Return the words of a delay line that serves every ring up to a layout's: two at least, so that it has places."""
    return max(2, -(-layout.cols // layout.lanes))


class LayerRing(wiring.Component):
    """Layer ring: `ActivationRing` with a delay line for every lane, whose lengths are inputs.

    A ring of c words on L lanes has lines of ``c // L`` words and of one more, so that one number and a bit a line say
    all. The lines that take loaded words, and the line that each lane reads, do not depend on c.

    Parameters
    ----------
    layout : LaneLayout
        Of the longest ring; no ring may be shorter than the lanes.
    width : int
        Bits of a word.
    words : int
        Words loaded in a cycle.

    Members
    -------
    turn, load, loaded, taps
        As in `ActivationRing`.
    restart : In(1)
        A ring of another length begins: it is to be loaded next.
    shorter : In
        ``c // L - 1``: the last place of a line that is not longer.
    longer : In(lanes)
        Lines with one word more, line j starting at ring position ``j * c // L``.
    """

    def __init__(self, layout: LaneLayout, width: int, words: int) -> None:
        self.layout, self.width, self.words = layout, width, words
        self.depth = line_words(layout)
        super().__init__(
            {
                "turn": In(1),
                "restart": In(1),
                "load": In(1),
                "loaded": In(words * width),
                "shorter": In(range(self.depth)),
                "longer": In(layout.lanes),
                "taps": Out(layout.lanes * width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self.layout.lanes
        at: list[tuple[Signal, Signal]] = []  # of a shorter line, and of a longer one
        for more in (0, 1):
            place = Signal(range(self.depth), name=f"place{more}")
            following = Signal(range(self.depth), name=f"following{more}")
            m.d.comb += following.eq(Mux(place == self.shorter + more, 0, place + 1))
            with m.If(self.restart):
                m.d.sync += place.eq(0)
            with m.Elif(self.turn):
                m.d.sync += place.eq(following)
            at.append((place, following))
        heads = [Signal(self.width, name=f"head{line}") for line in range(lanes)]
        for line in range(lanes):
            after = (line + 1) % lanes
            incoming = Signal(self.width, name=f"incoming{line}")
            m.d.comb += incoming.eq(heads[after])
            for k in range(self.words):
                if after == (k + 1) * lanes // self.words % lanes:
                    with m.If(self.load):
                        m.d.comb += incoming.eq(self.loaded[k * self.width : (k + 1) * self.width])
            memory = Memory(shape=self.width, depth=self.depth, init=[])
            m.submodules[f"line{line}"] = memory
            write = memory.write_port()
            # a line of one word gives out in the next cycle what comes in
            read = memory.read_port(transparent_for=[write])
            longer = self.longer[line]
            m.d.comb += [
                write.addr.eq(Mux(longer, at[1][0], at[0][0])),
                write.data.eq(incoming),
                write.en.eq(self.turn),
                read.addr.eq(Mux(longer, at[1][1], at[0][1])),
                read.en.eq(self.turn),
                heads[line].eq(read.data),
            ]
        layout = self.layout
        m.d.comb += self.taps.eq(Cat(heads[i * layout.spread % lanes] for i in range(lanes)))
        return m
