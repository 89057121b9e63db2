"""Unpackers of the correction formats: from records as they are stored to one list of patches a block."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.hw.stages.fields import patch_bits, position_bits
from xorweave.hw.stages.record_buffer import RecordBuffer, beat_layout


class GapUnpacker(wiring.Component):
    """Unpacker of the joint format: gap-coded records into one list of patches for every block, at line rate.

    A record moves on by gap + 1 scan positions, counted through all blocks since `restart`, and has the difference
    of the word there (0 for a record that only bridges a long gap). Up to `lanes` records a block; with full beats
    always at hand a list is ready in every cycle (see `RecordBuffer`). A tensor whose last position has a record, if
    only a bridge, leaves nothing behind: the records of the next tensor follow, and nobody has to restart.

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    gap_bits : int
    lanes : int
        Records of a beat and most records in a block, bridges included.

    Members
    -------
    i : In(stream.Signature(beat_layout(gap_bits + n_w, lanes)))
        A record: gap (lowest), difference. `last` says that nothing follows until `restart`; it may stay 0.
    o : Out(stream.Signature(lanes * patch_bits(n_out, n_w)))
        Lists as `CorrectionStage` takes them.
    restart : In(1)
        The next list is for the first block of a tensor.
    overflow : Out(1)
        High from a block with more than `lanes` records on, until `restart`: its patches were incomplete.
    """

    def __init__(self, n_out: int, n_w: int, gap_bits: int, lanes: int) -> None:
        self.n_out, self.n_w, self.gap_bits, self.lanes = n_out, n_w, gap_bits, lanes
        super().__init__(
            {
                "i": In(stream.Signature(beat_layout(gap_bits + n_w, lanes))),
                "o": Out(stream.Signature(lanes * patch_bits(n_out, n_w))),
                "restart": In(1),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, record = self.lanes, self.gap_bits + self.n_w
        m.submodules.buffer = buffer = RecordBuffer(record, lanes)
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        m.d.comb += buffer.restart.eq(self.restart)
        # positions are relative to the block's start, modulo 2**width; none that counts reaches half of that
        width = max(self.gap_bits, self.n_out.bit_length()) + lanes.bit_length() + 2
        origin = Signal(
            width
        )  # one past the last position gone to; negative once that lies in an older block
        at: list[Signal] = []
        inside: list[Signal] = []
        beyond: list[Signal] = []
        afters: list[Signal] = []
        before = origin
        for k in range(lanes):
            gap = buffer.head[k * record : k * record + self.gap_bits]
            position = Signal(width, name=f"position{k}")
            here, later = Signal(name=f"here{k}"), Signal(name=f"later{k}")
            after = Signal(width, name=f"after{k}")
            m.d.comb += [
                position.eq(before + gap),
                later.eq((buffer.level > k) & (position >= self.n_out)),
                here.eq((buffer.level > k) & (position < self.n_out)),
                after.eq(position + 1),
            ]
            at.append(position)
            inside.append(here)
            beyond.append(later)
            afters.append(after)
            before = after
        taken = Signal(range(lanes + 1))
        moved = Signal(width)  # the origin after the records of this block
        m.d.comb += [taken.eq(sum(inside)), moved.eq(origin)]
        for here, after in zip(inside, afters, strict=True):
            with m.If(here):
                m.d.comb += moved.eq(after)
        # the list is complete when a record of a later block is seen, or one of the block's last position, when
        # nothing follows, or when it is full
        closed = Cat(
            here & (position == self.n_out - 1) for here, position in zip(inside, at, strict=True)
        ).any()
        m.d.comb += self.o.valid.eq(
            ~self.restart & (buffer.ended | (buffer.level >= lanes) | Cat(beyond).any() | closed)
        )
        # slots without a patch are zero, so that a list that waits does not change when records arrive
        address = position_bits(self.n_out)
        slots = [
            Cat(buffer.head[k * record + self.gap_bits : (k + 1) * record], at[k][:address], inside[k])
            for k in range(lanes)
        ]
        m.d.comb += self.o.payload.eq(
            Cat(slot & here.replicate(len(slot)) for slot, here in zip(slots, inside, strict=True))
        )
        with m.If(self.restart):
            m.d.sync += [origin.eq(0), self.overflow.eq(0)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.comb += buffer.take.eq(taken)
            m.d.sync += origin.eq((moved - self.n_out)[:width])
            # a record that was due in the block before this one
            with m.If((buffer.level != 0) & at[0][-1]):
                m.d.sync += self.overflow.eq(1)
        return m


class BoundedUnpacker(wiring.Component):
    """Unpacker of the bounded format: a count for every block and so many entries, into one list of patches.

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    lanes : int
        Entries of a beat and most entries of a block (the format's limit).

    Members
    -------
    count : In(stream.Signature(range(lanes + 1)))
        Entries of each block.
    i : In(stream.Signature(beat_layout(position_bits(n_out) + n_w, lanes)))
        An entry: position in the block (lowest), difference.
    o : Out(stream.Signature(lanes * patch_bits(n_out, n_w)))
        Lists as `CorrectionStage` takes them.
    restart : In(1)
        Empties the buffer for the next tensor.
    """

    def __init__(self, n_out: int, n_w: int, lanes: int) -> None:
        self.n_out, self.n_w, self.lanes = n_out, n_w, lanes
        super().__init__(
            {
                "count": In(stream.Signature(range(lanes + 1))),
                "i": In(stream.Signature(beat_layout(position_bits(n_out) + n_w, lanes))),
                "o": Out(stream.Signature(lanes * patch_bits(n_out, n_w))),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address = position_bits(self.n_out)
        entry = address + self.n_w
        m.submodules.buffer = buffer = RecordBuffer(entry, self.lanes)
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        complete = Signal()
        m.d.comb += [
            buffer.restart.eq(self.restart),
            complete.eq(~self.restart & (buffer.level >= self.count.payload)),
            self.o.valid.eq(self.count.valid & complete),
            self.count.ready.eq(self.o.ready & complete),
        ]
        slots = []
        for k in range(self.lanes):
            used = self.count.payload > k
            fields = buffer.head[k * entry : (k + 1) * entry]
            slot = Cat(fields[address:], fields[:address], used)
            slots.append(slot & used.replicate(len(slot)))  # see GapUnpacker
        m.d.comb += self.o.payload.eq(Cat(slots))
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += buffer.take.eq(self.count.payload)
        return m
