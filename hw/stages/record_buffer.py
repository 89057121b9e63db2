"""A short buffer of records that gives several a cycle, so that a block can take as many as it needs."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError


def beat_layout(width: int, lanes: int) -> data.StructLayout:
    """A beat of `lanes` records, record 0 lowest, how many of them count (the lowest ones), and the tensor's end."""
    return data.StructLayout({"records": width * lanes, "count": lanes.bit_length(), "last": 1})


class RecordBuffer(wiring.Component):
    """Record buffer: takes beats of up to `lanes` records and shows the oldest `heads` ones.

    It holds heads + 2 * lanes records and takes a beat whenever one fits. With heads = lanes this means: once it
    holds `lanes` records and as long as full beats keep coming, it holds `lanes` again in the next cycle however
    many are taken, so a reader that takes up to `lanes` records a cycle never waits.

    Parameters
    ----------
    width : int
        Bits of a record.
    lanes : int
        Records of a beat.
    heads : int, optional
        Most records that can be taken in a cycle; `lanes` by default.

    Members
    -------
    i : In(stream.Signature(beat_layout(width, lanes)))
    head : Out(width * heads)
        The oldest records, oldest lowest.
    level : Out(range(depth + 1))
        Records held.
    ended : Out(1)
        The beat marked `last` was taken: nothing follows what is held.
    take : In(range(heads + 1))
        Records taken in this cycle; not more than there are.
    restart : In(1)
        Empties the buffer for the next tensor; wins over everything else.
    """

    def __init__(self, width: int, lanes: int, heads: int | None = None) -> None:
        heads = lanes if heads is None else heads
        if min(lanes, width, heads) < 1:
            raise InputError(
                f"width, lanes and heads of a buffer must be at least 1, not {width}, {lanes} and {heads}"
            )
        self.width, self.lanes, self.heads = width, lanes, heads
        self.depth = heads + 2 * lanes
        super().__init__(
            {
                "i": In(stream.Signature(beat_layout(width, lanes))),
                "head": Out(width * heads),
                "level": Out(range(self.depth + 1)),
                "ended": Out(1),
                "take": In(range(heads + 1)),
                "restart": In(1),
            }
        )

    def _shifted(self, m: Module, name: str, records: list[Value], by: Value, up: bool) -> list[Value]:
        """Shift a row of records by a number of places, zeros coming in: one named stage for each bit of it."""
        zero = Const(0, self.width)
        for stage in range(len(by)):
            step = 1 << stage
            row: list[Value] = []
            for k in range(len(records)):
                other = k - step if up else k + step
                moved = Signal(self.width, name=f"{name}{stage}_{k}")
                m.d.comb += moved.eq(
                    Mux(by[stage], records[other] if 0 <= other < len(records) else zero, records[k])
                )
                row.append(moved)
            records = row
        return records

    def elaborate(self, platform: object) -> Module:
        m = Module()
        w, lanes, depth = self.width, self.lanes, self.depth
        slots: list[Value] = [Signal(w, name=f"slot{k}", reset_less=True) for k in range(depth)]
        left = Signal(range(depth + 1))  # records that stay
        accept = Signal()
        m.d.comb += [
            self.head.eq(Cat(slots[: self.heads])),
            self.i.ready.eq((self.level <= depth - lanes) & ~self.ended & ~self.restart),
            accept.eq(self.i.valid & self.i.ready),
            left.eq((self.level - self.take)[: len(left)]),
        ]
        beat: list[Value] = [self.i.p.records[k * w : (k + 1) * w] for k in range(lanes)]
        beat += [Const(0, w)] * (depth - lanes)
        kept = self._shifted(m, "kept", slots, self.take, up=False)
        placed = self._shifted(m, "placed", beat, left, up=True)
        for k, slot in enumerate(slots):
            m.d.sync += slot.eq(Mux(left > k, kept[k], placed[k]))
        with m.If(self.restart):
            m.d.sync += [self.level.eq(0), self.ended.eq(0)]
        with m.Elif(accept):
            m.d.sync += [self.level.eq((left + self.i.p.count)[: len(left)]), self.ended.eq(self.i.p.last)]
        with m.Else():
            m.d.sync += self.level.eq(left)
        return m
