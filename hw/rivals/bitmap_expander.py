"""Baseline decoder: a bitmap and the kept values packed one after another."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.hw.stages.record_buffer import RecordBuffer, beat_layout


class BitmapExpander(wiring.Component):
    """Bitmap expander (baseline): packed non-zero values to their places in a block, zeros between them.

    A block waits until all its values are in the buffer, so this decoder stalls when blocks with many kept
    weights follow each other faster than beats bring values: its rate depends on the data.

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    lanes : int
        Values of a beat. The buffer holds n_out + 2 * lanes values.

    Members
    -------
    mask : In(stream.Signature(n_out))
        One word of n_out bits with every block; 1 = kept.
    values : In(stream.Signature(beat_layout(n_w, lanes)))
        The kept values in order.
    o : Out(stream.Signature(n_out * n_w))
    restart : In(1)
        Empties the buffer for the next tensor.
    """

    def __init__(self, n_out: int, n_w: int, lanes: int) -> None:
        self.n_out, self.n_w, self.lanes = n_out, n_w, lanes
        super().__init__(
            {
                "mask": In(stream.Signature(n_out)),
                "values": In(stream.Signature(beat_layout(n_w, lanes))),
                "o": Out(stream.Signature(n_out * n_w)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n_out, n_w = self.n_out, self.n_w
        m.submodules.buffer = buffer = RecordBuffer(n_w, self.lanes, n_out)
        wiring.connect(m, wiring.flipped(self.values), buffer.i)
        mask = self.mask.payload
        bits = n_out.bit_length()
        # zeros before each position: how far the value that ends there has to move up
        zeros = [Signal(bits, name=f"zeros{r}") for r in range(n_out + 1)]
        m.d.comb += zeros[0].eq(0)
        for r in range(n_out):
            m.d.comb += zeros[r + 1].eq((zeros[r] + ~mask[r])[:bits])
        kept = Signal(bits)
        m.d.comb += kept.eq((Const(n_out, bits) - zeros[n_out])[:bits])

        # Big steps first: distances grow with the position, so no two values meet. The steps of a place are
        # worked out from the end, where position r knows its distance, back to the beginning.
        stages = (n_out - 1).bit_length()
        distance: list[Value] = list(zeros[:n_out])
        used: list[Value] = [mask[r] for r in range(n_out)]
        controls: list[list[Value]] = []
        for stage in range(stages):
            step = 1 << stage
            # distances lose a bit a stage: bit 0 is always the one of this stage
            controls.append([use & far[0] for use, far in zip(used, distance, strict=True)])
            if stage == stages - 1:
                break
            nearer, still = [], []
            for p in range(n_out):
                source = Signal(bits - stage - 1, name=f"distance{stage}_{p}")
                busy = Signal(name=f"busy{stage}_{p}")
                stays = used[p] & ~distance[p][0]
                if p + step < n_out:
                    comes = controls[-1][p + step]
                    m.d.comb += [
                        source.eq(Mux(stays, distance[p][1:], distance[p + step][1:])),
                        busy.eq(stays | comes),
                    ]
                else:
                    m.d.comb += [source.eq(distance[p][1:]), busy.eq(stays)]
                nearer.append(source)
                still.append(busy)
            distance, used = nearer, still
        words: list[Value] = [buffer.head[k * n_w : (k + 1) * n_w] for k in range(n_out)]
        for stage in reversed(range(stages)):
            step = 1 << stage
            row: list[Value] = []
            for r in range(n_out):
                word = Signal(n_w, name=f"moved{stage}_{r}")
                below = words[r - step] if r >= step else Const(0, n_w)
                m.d.comb += word.eq(Mux(controls[stage][r], below, words[r]))
                row.append(word)
            words = row
        complete = Signal()
        m.d.comb += [
            complete.eq((buffer.level >= kept) & ~self.restart),
            self.o.valid.eq(self.mask.valid & complete),
            self.mask.ready.eq(self.o.ready & complete),
            self.o.payload.eq(Cat(word & mask[r].replicate(n_w) for r, word in enumerate(words))),
            buffer.restart.eq(self.restart),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.comb += buffer.take.eq(kept)
        return m
