"""Decoder of a mask by a pattern book: planes of codewords and escaped patterns, and a table for every pattern."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.hw.stages.table_logic import TableLogic, table_logic
from xorweave.hw.stages.xor_decoder import GroupsDecoder
from xorweave.hw.xor.group import XorGroup


class PatternTable(wiring.Component):
    """One pattern's planes to its mask bits. Combinational.

    All planes but those of the first span come in as 0 where the pattern has none, by `care`: whoever makes them does
    it for half a gate each, and an escaped pattern is then one OR away from its mask bits. A codeword comes in with as
    many values as the book has; for others the table is left open (see `table_logic`).

    Parameters
    ----------
    book : PatternBook

    Members
    -------
    planes : In(book.planes)
        Codeword, its first bit highest, then the pattern itself if the book has an escape.
    care : Out(spans - 1)
        Only with more than one span: which of the others the pattern has, each told by the spans before it.
    mask : Out(book.m)
    """

    def __init__(self, book: PatternBook) -> None:
        self.book = book
        members = {"planes": In(book.planes), "mask": Out(book.m)}
        if len(book.spans) > 1:
            members["care"] = Out(len(book.spans) - 1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        book = self.book
        network = pattern_logic(book)
        signals: list[Value] = [Const(0, 1), *self.planes[book.raw_planes :]]
        fanout = network.fanout

        def read(literal: int) -> Value:
            return ~signals[literal >> 1] if literal & 1 else signals[literal >> 1]

        for k, (a, b) in enumerate(network.gates):
            value: Value = read(a) & read(b)
            if fanout[1 + network.inputs + k] > 1:  # the others stay inside the expression of what reads them
                shared = Signal(name=f"g{k}")
                m.d.comb += shared.eq(value)
                value = shared
            signals.append(value)
        found = [read(literal) for literal in network.outputs]
        cares = len(book.spans) - 1
        if cares:
            m.d.comb += self.care.eq(Cat(found[:cares]))
        named = Cat(found[cares:])
        m.d.comb += self.mask.eq(named | self.planes[: book.m] if book.escapes else named)
        return m


@lru_cache(maxsize=8)
def pattern_logic(book: PatternBook) -> TableLogic:
    """Find the gates of a table: whether a pattern has the planes of each span but the first, then its mask bits.

    The inputs are the codeword's bits, its last first, 0 behind its end. An escape has no mask bits of its own.
    """
    rank = np.arange(book.codewords)
    outputs, reads = [], []
    for first, _ in book.spans[1:]:
        told = min(first, book.depth)  # by the bits of the spans before it alone
        outputs.append(book.lengths > first if first < book.depth else rank >= book.patterns.size)
        reads.append(book.depth - told)
    patterns = np.append(book.patterns, 0)[: book.codewords]
    outputs += [patterns >> bit & 1 == 1 for bit in range(book.m)]
    return table_logic(book.depth, book.first_codes.tolist(), [column.tolist() for column in outputs], reads)


class PatternMaskDecoder(wiring.Component):
    """One symbol of every group of planes in, n_out mask bits out, in every cycle; `o` feeds the mask stage.

    The output follows the input through gates only; what earlier symbols contribute comes from registers. A symbol
    marked `first` starts a stream: the registers read as 0 for it, without a bubble. What shuts a plane off is folded
    into the XOR network that makes it.

    Parameters
    ----------
    book : PatternBook
    groups : sequence of XorGroup
        One for each span of the book.

    Members
    -------
    i : In(stream.Signature(StructLayout({"symbol": symbol bits of all groups, "first": 1})))
        The groups one after another, the first lowest; in a group, bit ``b * planes + q`` is bit b of x_t of its plane
        q, counted from the lowest.
    o : Out(stream.Signature(m * N_out of the groups))
        Bit ``p * m + i`` is bit i of pattern p.

    Raises
    ------
    InputError
        The groups are not those of the book.
    """

    def __init__(self, book: PatternBook, groups: Sequence[XorGroup]) -> None:
        check_pattern_groups(book, groups)
        self.book, self.groups = book, tuple(groups)
        self.patterns = groups[0].code.n_out
        width = sum(group.symbol_bits for group in groups)
        layout = data.StructLayout({"symbol": width, "first": 1})
        super().__init__(
            {"i": In(stream.Signature(layout)), "o": Out(stream.Signature(self.patterns * book.m))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        book, patterns, gated = self.book, self.patterns, len(self.groups) - 1
        m.submodules.planes = planes = GroupsDecoder(
            self.groups, input_register=False, gated=gated, starts_marked=True
        )
        m.d.comb += [
            planes.i.p.symbol.eq(self.i.p.symbol),
            planes.i.p.first.eq(self.i.p.first),
            planes.i.p.last.eq(0),  # the next symbol that is marked ends a stream
            planes.i.valid.eq(self.i.valid),
            self.i.ready.eq(planes.i.ready),
            planes.o.ready.eq(self.o.ready),
            self.o.valid.eq(planes.o.valid),
        ]
        masks = []
        for p in range(patterns):
            m.submodules[f"pattern{p}"] = table = PatternTable(book)
            m.d.comb += table.planes.eq(planes.o.p.words[p * book.planes : (p + 1) * book.planes])
            for group in range(gated):
                m.d.comb += planes.care[group * patterns + p].eq(table.care[group])
            masks.append(table.mask)
        m.d.comb += self.o.payload.eq(Cat(masks))
        return m


def check_pattern_groups(book: PatternBook, groups: Sequence[XorGroup]) -> None:
    """Raise InputError unless there is a group for each span of the book, and all have one N_out."""
    wanted = [end - first for first, end in book.spans]
    if [group.planes for group in groups] != wanted or len({group.code.n_out for group in groups}) != 1:
        raise InputError(f"the groups of a mask's planes must have {wanted} planes, and one n_out")
