"""Decoder of prefix-coded words: an XOR decoder for each group of planes, and a table of gates for every weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.stages.layouts import block_layout
from xorweave.hw.stages.prefix_word import PrefixWord
from xorweave.hw.stages.xor_decoder import XorDecoder
from xorweave.hw.xor.network import XorNetwork


class PrefixDecoder(wiring.Component):
    """Groups of planes in, whole weights out: one symbol of every group, and one block, in every cycle.

    The groups' registers move together. The output follows the input through gates only; `mask` comes from a bitmap
    or from a `ShapedMaskDecoder`.

    Parameters
    ----------
    book : PrefixCode
    groups : sequence of (planes, Code)
        Planes and code of every group, from the first bit of the codeword to the tail; one N_out for all.
    networks : sequence of XorNetwork, optional
        Gates of the groups' generators; balanced trees when left out.

    Members
    -------
    i : In(stream.Signature(StructLayout({"symbols": all groups' n_in * planes, "first": 1, "last": 1})))
        Symbols of the groups one after another, the first lowest; in a group, bit ``b * planes + q`` is bit b of x_t
        of the group's plane q, counted from its last.
    mask : In(stream.Signature(n_out))
    o : Out(stream.Signature(block_layout(n_out, n_w)))

    Raises
    ------
    InputError
        The groups do not make up the planes of the code book, or differ in N_out.
    """

    def __init__(
        self,
        book: PrefixCode,
        groups: Sequence[tuple[int, Code]],
        networks: Sequence[XorNetwork] | None = None,
    ) -> None:
        if sum(planes for planes, _ in groups) != book.planes:
            raise InputError(f"the groups must have {book.planes} planes together")
        if len({code.n_out for _, code in groups}) != 1:
            raise InputError("the groups of planes must have one n_out")
        self.book, self.groups = book, tuple(groups)
        self.networks = networks
        self.n_out = groups[0][1].n_out
        self.symbol_bits = sum(planes * code.n_in for planes, code in groups)
        layout = data.StructLayout({"symbols": self.symbol_bits, "first": 1, "last": 1})
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "mask": In(stream.Signature(self.n_out)),
                "o": Out(stream.Signature(block_layout(self.n_out, book.n_w))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ready, valid = Signal(), Signal()
        parts: list[XorDecoder] = []
        at = 0
        for index, (planes, code) in enumerate(self.groups):
            network = None if self.networks is None else self.networks[index]
            part = XorDecoder(code, planes, network, input_register=False)
            m.submodules[f"group{index}"] = part
            width = planes * code.n_in
            m.d.comb += [
                part.i.p.symbol.eq(self.i.p.symbols[at : at + width]),
                part.i.p.first.eq(self.i.p.first),
                part.i.p.last.eq(self.i.p.last),
                # a group takes its symbol when all of them do, and the mask goes with them
                part.i.valid.eq(valid),
                part.o.ready.eq(ready),
            ]
            at += width
            parts.append(part)
        m.d.comb += [
            valid.eq(self.i.valid & self.mask.valid),
            ready.eq(self.o.ready & self.mask.valid & self.i.valid),
            self.i.ready.eq(self.o.ready & self.mask.valid),
            self.mask.ready.eq(self.o.ready & self.i.valid),
            self.o.valid.eq(valid),
            self.o.p.first.eq(parts[0].o.p.first),
            self.o.p.last.eq(parts[0].o.p.last),
        ]
        words = []
        for r in range(self.n_out):
            m.submodules[f"word{r}"] = word = PrefixWord(self.book, masked=True)
            # the first group holds the first bits of the codeword: the highest planes
            own = [
                part.o.p.words[r * planes : (r + 1) * planes]
                for part, (planes, _) in zip(parts, self.groups, strict=True)
            ]
            m.d.comb += [word.planes.eq(Cat(reversed(own))), word.keep.eq(self.mask.payload[r])]
            words.append(word.word)
        m.d.comb += self.o.p.words.eq(Cat(words))
        return m


def symbols_word(groups: Sequence[np.ndarray], planes: Sequence[int], t: int) -> int:
    """Return what `PrefixDecoder` takes for block t; groups: symbols of each group, shape (blocks, n_in)."""
    word = at = 0
    for symbols, width in zip(groups, planes, strict=True):
        for b, value in enumerate(symbols[t].tolist()):
            word |= int(value) << (at + b * width)
        at += symbols.shape[1] * width
    return word
