"""The transform stage: undoes the map of words that made planes constant."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.transforms import TRANSFORMS
from xorweave.hw.stages.layouts import block_layout


class TransformStage(wiring.Component):
    """Transform: undoes, for every word, the map that was made before encoding. Combinational.

    ``difference``: plane q is the exclusive-or of the planes q and above (Gray code back to binary).
    ``sign-magnitude``: where the highest bit is set, the bits below it are negated modulo 2^(n_w - 1).

    Parameters
    ----------
    n_out, n_w : int
        Words of a block, bits of a word.
    name : str
        ``difference`` or ``sign-magnitude``.

    Members
    -------
    i : In(stream.Signature(block_layout(n_out, n_w)))
    o : Out(stream.Signature(block_layout(n_out, n_w)))
    """

    def __init__(self, n_out: int, n_w: int, name: str) -> None:
        if name not in TRANSFORMS or name == "none":
            known = ", ".join(t for t in TRANSFORMS if t != "none")
            raise InputError(f"the transform of a stage must be one of {known}, not {name!r}")
        self.n_out, self.n_w, self.name = n_out, n_w, name
        blocks = stream.Signature(block_layout(n_out, n_w))
        super().__init__({"i": In(blocks), "o": Out(blocks)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        n_w = self.n_w
        words: list[Value] = []
        for r in range(self.n_out):
            stored = self.i.p.words[r * n_w : (r + 1) * n_w]
            word = Signal(n_w, name=f"w{r}")
            if self.name == "difference":
                # bit q: the parity of bits q and above, in a doubling prefix network
                shift = 1
                value: Value = stored
                while shift < n_w:
                    step = Signal(n_w, name=f"w{r}_by{shift}")
                    m.d.comb += step.eq(value ^ Cat(value[shift:], Const(0, shift)))
                    value = step
                    shift *= 2
                m.d.comb += word.eq(value)
            elif n_w == 1:
                m.d.comb += word.eq(stored)
            else:
                low = Signal(n_w - 1, name=f"w{r}_negated")
                m.d.comb += low.eq((~stored[:-1] + 1)[: n_w - 1])
                m.d.comb += word.eq(Cat(Mux(stored[-1], low, stored[:-1]), stored[-1]))
            words.append(word)
        m.d.comb += [
            self.o.p.words.eq(Cat(words)),
            self.o.p.first.eq(self.i.p.first),
            self.o.p.last.eq(self.i.p.last),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
        ]
        return m
