"""A short buffer of records that gives several a cycle, so that a block can take as many as it needs."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.errors import InputError


def beat_layout(width: int, lanes: int) -> data.StructLayout:
    """A beat of `lanes` records, record 0 lowest, how many of them count (the lowest ones), and the tensor's end."""
    return data.StructLayout({"records": width * lanes, "count": (lanes).bit_length(), "last": 1})


class RecordBuffer(wiring.Component):
    """Record buffer: takes beats of up to `lanes` records and shows the oldest `lanes` ones.

    It holds 3 * lanes records and takes a beat while 2 * lanes or fewer are there. Hence, once it holds `lanes`
    records and as long as full beats keep coming, it holds `lanes` again in the next cycle however many are
    taken: a reader that takes up to `lanes` records a cycle never waits.

    Parameters
    ----------
    width : int
        Bits of a record.
    lanes : int
        Records of a beat, and most that can be taken in a cycle.

    Members
    -------
    i : In(stream.Signature(beat_layout(width, lanes)))
    head : Out(width * lanes)
        The oldest records, oldest lowest.
    level : Out(range(3 * lanes + 1))
        Records held.
    ended : Out(1)
        The beat marked `last` was taken: nothing follows what is held.
    take : In(range(lanes + 1))
        Records taken in this cycle; not more than there are.
    restart : In(1)
        Empties the buffer for the next tensor; wins over everything else.
    """

    def __init__(self, width: int, lanes: int) -> None:
        if lanes < 1 or width < 1:
            raise InputError(f"lanes and width must be at least 1, not {lanes} and {width}")
        self.width, self.lanes = width, lanes
        super().__init__(
            {
                "i": In(stream.Signature(beat_layout(width, lanes))),
                "head": Out(width * lanes),
                "level": Out(range(3 * lanes + 1)),
                "ended": Out(1),
                "take": In(range(lanes + 1)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        w, lanes = self.width, self.lanes
        depth = 3 * lanes
        slots = [Signal(w, name=f"slot{k}", reset_less=True) for k in range(depth)]
        left = Signal(range(depth + 1))  # records that stay
        accept = Signal()
        m.d.comb += [
            self.head.eq(Cat(slots[:lanes])),
            self.i.ready.eq((self.level <= 2 * lanes) & ~self.ended & ~self.restart),
            accept.eq(self.i.valid & self.i.ready),
            left.eq((self.level - self.take)[: len(left)]),
        ]
        beat = [self.i.p.records[k * w : (k + 1) * w] for k in range(lanes)]
        for k in range(depth):
            # what stays moves down by `take`
            kept = slots[k]
            for t in range(1, lanes + 1):
                if k + t < depth:
                    kept = Mux(self.take == t, slots[k + t], kept)
            # what comes is put behind it
            arriving = kept
            for j in range(lanes):
                if k - j >= 0:
                    arriving = Mux(left == k - j, beat[j], arriving)
            m.d.sync += slots[k].eq(Mux(accept & (left <= k), arriving, kept))
        with m.If(self.restart):
            m.d.sync += [self.level.eq(0), self.ended.eq(0)]
        with m.Elif(accept):
            m.d.sync += [self.level.eq(left + self.i.p.count), self.ended.eq(self.i.p.last)]
        with m.Else():
            m.d.sync += self.level.eq(left)
        return m
