"""Baseline decoder: relative indices as in EIE, a run of zeros and a value, several entries a cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.hw.stages.record_buffer import RecordBuffer, beat_layout


class RelativeIndexDecoder(wiring.Component):
    """Relative-index decoder (baseline, EIE style): (zeros before, value) entries into blocks of weights.

    Runs longer than index_bits can say are broken by entries of value 0. Each cycle up to `lanes` entries are
    put into the block; a block with more takes more cycles, and a block is given out when an entry of a later
    one is seen (or the tensor has ended): its rate depends on the data.

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    lanes : int
        Entries of a beat and most entries a cycle. The buffer holds 3 * lanes entries.
    index_bits : int
        Bits of a run, 4 in EIE.

    Members
    -------
    i : In(stream.Signature(beat_layout(index_bits + n_w, lanes)))
        An entry: run of zeros (lowest), value. `last` marks the tensor's last beat, which may be empty.
    o : Out(stream.Signature(n_out * n_w))
        After the last entry, blocks of zeros until `restart`.
    restart : In(1)
        Begins the next tensor.
    """

    def __init__(self, n_out: int, n_w: int, lanes: int, index_bits: int = 4) -> None:
        self.n_out, self.n_w, self.lanes, self.index_bits = n_out, n_w, lanes, index_bits
        super().__init__(
            {
                "i": In(stream.Signature(beat_layout(index_bits + n_w, lanes))),
                "o": Out(stream.Signature(n_out * n_w)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, entry, n_w = self.lanes, self.index_bits + self.n_w, self.n_w
        m.submodules.buffer = buffer = RecordBuffer(entry, lanes)
        wiring.connect(m, wiring.flipped(self.i), buffer.i)
        m.d.comb += buffer.restart.eq(self.restart)
        # positions relative to the block; see GapUnpacker
        width = max(self.index_bits, self.n_out.bit_length()) + lanes.bit_length() + 2
        origin, moved = Signal(width), Signal(width)
        positions, inside, beyond = [], [], []
        before = origin
        m.d.comb += moved.eq(origin)
        for k in range(lanes):
            position = Signal(width, name=f"position{k}")
            here, later = Signal(name=f"here{k}"), Signal(name=f"later{k}")
            after = Signal(width, name=f"after{k}")
            m.d.comb += [
                position.eq(before + buffer.head[k * entry : k * entry + self.index_bits]),
                here.eq((buffer.level > k) & (position < self.n_out)),
                later.eq((buffer.level > k) & (position >= self.n_out)),
                after.eq(position + 1),
            ]
            with m.If(here):
                m.d.comb += moved.eq(after)
            positions.append(position)
            inside.append(here)
            beyond.append(later)
            before = after
        taken = Signal(range(lanes + 1))
        step = Signal()
        m.d.comb += [
            taken.eq(sum(inside)),
            self.o.valid.eq(~self.restart & (Cat(beyond).any() | (buffer.ended & (buffer.level == taken)))),
            step.eq(~self.restart & (~self.o.valid | self.o.ready)),
        ]
        words = []
        for r in range(self.n_out):
            held = Signal(n_w, name=f"held{r}")
            word = Signal(n_w, name=f"w{r}")
            value = held
            for k in range(lanes):
                hit = inside[k] & (positions[k] == r)
                value |= buffer.head[k * entry + self.index_bits : (k + 1) * entry] & hit.replicate(n_w)
            m.d.comb += word.eq(value)
            with m.If(self.restart):
                m.d.sync += held.eq(0)
            with m.Elif(step):
                m.d.sync += held.eq(word & (~self.o.valid).replicate(n_w))
            words.append(word)
        m.d.comb += self.o.payload.eq(Cat(words))
        with m.If(step):
            m.d.comb += buffer.take.eq(taken)
        with m.If(self.restart):
            m.d.sync += origin.eq(0)
        with m.Elif(step & self.o.valid):
            m.d.sync += origin.eq((moved - Const(self.n_out, width))[:width])
        with m.Elif(step):
            m.d.sync += origin.eq(moved)
        return m
