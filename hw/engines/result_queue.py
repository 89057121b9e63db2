"""Results of an SpMV engine on their way out: groups of sums, one from every lane, sent a few words a cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class ResultQueue(wiring.Component):
    """Result queue: takes groups of sums as they come and sends each in ceil(lanes / words) beats, lane 0 first.

    Parameters
    ----------
    lanes : int
        Words of a group.
    width : int
        Bits of a word.
    depth : int
        Groups that the memory holds; two more are on their way.
    words : int
        Words of a beat, 1 to `lanes`.
    groups : int, optional
        Groups of a result vector: the last beat of the last one is marked. Where they are not always as many, a group
        says itself whether it is the last.

    Members
    -------
    i : In(stream.Signature(lanes * width))
        Without `groups` one bit more, the highest: the group ends a vector.
    o : Out(stream.Signature(words * width))
    last : Out(1)
        The beat offered at `o` ends a vector.
    """

    def __init__(self, *, lanes: int, width: int, depth: int, words: int, groups: int | None = None) -> None:
        self.lanes, self.width, self.depth, self.words, self.groups = lanes, width, depth, words, groups
        self.beats = -(-lanes // words)
        super().__init__(
            {
                "i": In(stream.Signature(lanes * width + (groups is None))),
                "o": Out(stream.Signature(words * width)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memory = Memory(shape=len(self.i.payload), depth=self.depth, init=[])
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port()

        def after(pointer: Signal) -> Mux:
            return Mux(pointer == self.depth - 1, 0, pointer + 1)

        stored = Signal(range(self.depth + 1))  # groups in the memory that no read was started for
        first = Signal(range(self.depth), name="first")
        free = Signal(range(self.depth), name="free")
        fetched = Signal()  # the memory's output is a group not yet taken
        left = Signal(range(self.beats + 1))  # beats of the group being sent
        sending = Signal(self.beats * self.words * self.width, reset_less=True)
        store = Signal(name="store")
        take = Signal(name="take")
        fetch = Signal(name="fetch")
        moved = Signal(name="moved")
        m.d.comb += [
            self.i.ready.eq(stored != self.depth),
            store.eq(self.i.valid & self.i.ready),
            write.addr.eq(free),
            write.data.eq(self.i.payload),
            write.en.eq(store),
            moved.eq(self.o.valid & self.o.ready),
            take.eq(fetched & ((left == 0) | ((left == 1) & moved))),
            fetch.eq((~fetched | take) & (stored != 0)),
            read.addr.eq(first),
            read.en.eq(fetch),
            self.o.valid.eq(left != 0),
            self.o.payload.eq(sending[: self.words * self.width]),
        ]
        m.d.sync += stored.eq(stored + store - fetch)
        with m.If(store):
            m.d.sync += free.eq(after(free))
        with m.If(fetch):
            m.d.sync += [first.eq(after(first)), fetched.eq(1)]
        with m.Elif(take):
            m.d.sync += fetched.eq(0)
        with m.If(take):
            m.d.sync += [sending.eq(read.data[: self.lanes * self.width]), left.eq(self.beats)]
        with m.Elif(moved):
            m.d.sync += [sending.eq(sending >> (self.words * self.width)), left.eq(left - 1)]
        if self.groups is None:
            ends = Signal(reset_less=True)
            with m.If(take):
                m.d.sync += ends.eq(read.data[-1])
            m.d.comb += self.last.eq((left == 1) & ends)
            return m
        count = Signal(range(self.groups))
        m.d.comb += self.last.eq((left == 1) & (count == self.groups - 1))
        with m.If(moved & (left == 1)):
            m.d.sync += count.eq(Mux(count == self.groups - 1, 0, count + 1))
        return m
