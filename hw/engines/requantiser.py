"""From the sums of a layer to the activations of the next: bias, scale, ReLU, INT8."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS = 32, 16, 6
SCALE_BITS = BIAS_BITS + MULTIPLIER_BITS + SHIFT_BITS
HIGHEST = 127


def beat_layout(width: int) -> data.StructLayout:
    """Words of a beat of results, and whether it ends a vector."""
    return data.StructLayout({"words": width, "last": 1})


class Requantiser(wiring.Component):
    """Requantiser: t = sum + bias; then ``min(127, ((max(t, 0) * multiplier >> shift) + 1) >> 1)``, or t itself.

    That is ReLU, times ``multiplier / 2^(shift + 1)``, rounded to the nearest, half up. A multiplier of 0 leaves t as
    it is, for the last layer. The values come from a stream, a record a row, so rows may have scales of their own. A
    beat a cycle, three cycles later.

    Parameters
    ----------
    words, batch : int
        Rows of a beat, and vectors.

    Members
    -------
    i : In(stream.Signature(beat_layout(words * batch * 32)))
        Sums: row k, vector b from bit ``(k * batch + b) * 32``.
    scale : In(stream.Signature(words * SCALE_BITS))
        With every beat, record k from bit ``k * SCALE_BITS``: bias (32 bits, lowest), multiplier (16), shift (6).
    o : Out(stream.Signature(beat_layout(words * batch * 32)))
        As `i`; INT8 in 32 bits each.
    """

    def __init__(self, words: int, batch: int) -> None:
        self.words, self.batch = words, batch
        beats = stream.Signature(beat_layout(words * batch * 32))
        super().__init__({"i": In(beats), "scale": In(stream.Signature(words * SCALE_BITS)), "o": Out(beats)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        move = Signal()
        full = [Signal(name=f"full{k}") for k in range(3)]
        last = [Signal(name=f"last{k}", reset_less=True) for k in range(3)]
        m.d.comb += [
            move.eq(~full[2] | self.o.ready),
            self.i.ready.eq(move & self.scale.valid),
            self.scale.ready.eq(move & self.i.valid),
            self.o.valid.eq(full[2]),
            self.o.p.last.eq(last[2]),
        ]
        with m.If(move):
            m.d.sync += full[0].eq(self.i.valid & self.scale.valid)
            m.d.sync += [full[k].eq(full[k - 1]) for k in (1, 2)]
            m.d.sync += last[0].eq(self.i.p.last)
            m.d.sync += [last[k].eq(last[k - 1]) for k in (1, 2)]
        given = []
        for k in range(self.words):
            record = self.scale.payload[k * SCALE_BITS : (k + 1) * SCALE_BITS]
            bias = record[:BIAS_BITS].as_signed()
            factor = Signal(MULTIPLIER_BITS, name=f"factor{k}", reset_less=True)
            shifts = [Signal(SHIFT_BITS, name=f"shift{k}_{j}", reset_less=True) for j in range(2)]
            plain = Signal(name=f"plain{k}", reset_less=True)
            with m.If(move):
                m.d.sync += [
                    factor.eq(record[BIAS_BITS : BIAS_BITS + MULTIPLIER_BITS]),
                    shifts[0].eq(record[BIAS_BITS + MULTIPLIER_BITS :]),
                    shifts[1].eq(shifts[0]),
                    plain.eq(factor == 0),
                ]
            for b in range(self.batch):
                low = (k * self.batch + b) * 32
                name = f"{k}_{b}"
                total = Signal(32, name=f"total{name}", reset_less=True)
                kept = Signal(32, name=f"kept{name}", reset_less=True)
                product = Signal(31 + MULTIPLIER_BITS, name=f"product{name}", reset_less=True)
                word = Signal(32, name=f"word{name}", reset_less=True)
                scaled = Signal(31 + MULTIPLIER_BITS, name=f"scaled{name}")
                rounded = Signal(31 + MULTIPLIER_BITS, name=f"rounded{name}")
                m.d.comb += [scaled.eq(product >> shifts[1]), rounded.eq(scaled[1:] + scaled[0])]
                with m.If(move):
                    m.d.sync += [
                        total.eq(self.i.p.words[low : low + 32].as_signed() + bias),
                        kept.eq(total),
                        product.eq(Mux(total[31], 0, total[:31]) * factor),
                        word.eq(Mux(plain, kept, Mux(rounded > HIGHEST, HIGHEST, rounded))),
                    ]
                given.append(word)
        m.d.comb += self.o.p.words.eq(Cat(given))
        return m
