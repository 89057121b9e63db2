"""The activations of an SpMV engine: a ring of memories that moves on by one place and feeds every lane at once."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from xorweave.golden.scan.lane_layout import LaneLayout


class ActivationRing(wiring.Component):
    """Activation ring: a shift register of `cols` words with a tap for every lane, kept in small memories.

    The ring is cut at the taps into delay lines. A delay line of d words is a memory with one read and one write
    at the same pointer, so a turn moves one word from each line to the next, and no word is looked up: there are
    no addresses from outside, no banks to collide in, and no crossbar. Lines of one word are registers.

    To load, the ring is opened in `words` places and filled as so many shift registers (`LaneLayout.load_beats`).

    Parameters
    ----------
    layout : LaneLayout
    width : int
        Bits of a word (batch times the bits of an activation).
    words : int
        Words loaded in a cycle.

    Members
    -------
    turn : In(1)
        Move on by one place.
    load : In(1)
        Take words from `loaded` at the openings, in a turn.
    loaded : In(words * width)
    taps : Out(lanes * width)
        Word of each lane, lane 0 lowest.
    """

    def __init__(self, layout: LaneLayout, width: int, words: int) -> None:
        self.layout, self.width, self.words = layout, width, words
        self.chunks = layout.load_chunks(words)
        places = np.unique(layout.ring_places)
        self.places = [int(place) for place in places]
        self.lengths = [int(length) for length in np.diff([*self.places, layout.cols])]
        super().__init__(
            {
                "turn": In(1),
                "load": In(1),
                "loaded": In(words * width),
                "taps": Out(layout.lanes * width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # one pointer for each length there is (two at most): lines of one length move alike
        pointers: dict[int, tuple[Signal, Signal]] = {}
        for length in sorted(set(self.lengths) - {1}):
            pointer = Signal(range(length), name=f"pointer{length}")
            following = Signal(range(length), name=f"following{length}")
            m.d.comb += following.eq(Mux(pointer == length - 1, 0, pointer + 1))
            with m.If(self.turn):
                m.d.sync += pointer.eq(following)
            pointers[length] = pointer, following
        heads = [Signal(self.width, name=f"head{place}") for place in self.places]
        # the line before an opening takes a loaded word
        openings = {
            (first + length) % self.layout.cols: k for k, (first, length) in enumerate(self.chunks) if length
        }
        for index, length in enumerate(self.lengths):
            after = (index + 1) % len(self.places)
            incoming: Value = heads[after]
            if self.places[after] in openings:
                k = openings[self.places[after]]
                incoming = Mux(self.load, self.loaded[k * self.width : (k + 1) * self.width], incoming)
            if length == 1:
                register = Signal(self.width, name=f"word{self.places[index]}", reset_less=True)
                with m.If(self.turn):
                    m.d.sync += register.eq(incoming)
                m.d.comb += heads[index].eq(register)
                continue
            memory = Memory(shape=self.width, depth=length, init=[])
            m.submodules[f"line{self.places[index]}"] = memory
            pointer, following = pointers[length]
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(pointer),
                write.data.eq(incoming),
                write.en.eq(self.turn),
                # the next head is fetched while the last one moves on: it is never the word being written
                read.addr.eq(following),
                read.en.eq(self.turn),
                heads[index].eq(read.data),
            ]
        at = dict(zip(self.places, heads, strict=True))
        m.d.comb += self.taps.eq(Cat(at[int(tap)] for tap in self.layout.taps))
        return m
