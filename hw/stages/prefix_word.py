"""The table of gates that turns the planes of one prefix-coded weight into its word."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.prefix_code import PrefixCode


class PrefixWord(wiring.Component):
    """One weight's planes to its word: which class does its codeword name. Combinational.

    Every weight is decoded by itself: planes behind the end of its codeword are don't-cares, so nothing is passed
    from one weight to the next, as it is where codewords follow each other in one stream. The class says which bits
    of the magnitude it fixes, and which come from the tail as they are: no shifter, and an adder for negated
    magnitudes only.

    Parameters
    ----------
    book : PrefixCode

    Members
    -------
    planes : In(book.planes)
        Codeword, its first bit highest, then the sign, then the tail.
    word : Out(book.n_w)
        The word 0 where no codeword begins like this.
    """

    def __init__(self, book: PrefixCode) -> None:
        if not book.planes:
            raise InputError("a decoder needs a code book with at least one class")
        self.book = book
        super().__init__({"planes": In(book.planes), "word": Out(book.n_w)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        book = self.book
        tail = self.planes[: book.tail_planes]
        sign = self.planes[book.tail_planes]
        codeword = self.planes[book.tail_planes + 1 :]
        fixed = Signal(book.n_w - 1)
        raw = Signal(max(1, book.tail_planes))
        some = Signal()
        with m.Switch(codeword):
            for length, rest, prefix, code in zip(
                book.lengths, book.tails, book.prefixes, book.first_codes, strict=True
            ):
                if rest < 0:  # the word 0 is what is left when no case is met
                    continue
                bits = format(int(code), f"0{book.depth}b")[: int(length)]
                with m.Case(bits.ljust(book.depth, "-")):
                    m.d.comb += [
                        fixed.eq(int(prefix) << int(rest)),
                        raw.eq((1 << int(rest)) - 1),
                        some.eq(1),
                    ]
        magnitude = Signal(book.n_w - 1)
        m.d.comb += magnitude.eq(fixed | (tail & raw))
        negative = Signal()
        m.d.comb += negative.eq(sign & some)
        turned = Signal(book.n_w - 1)
        m.d.comb += turned.eq(magnitude)
        if book.magnitude != "plain":
            with m.If(negative):
                m.d.comb += turned.eq(~magnitude if book.magnitude == "inverted" else -magnitude)
        m.d.comb += self.word.eq(Cat(turned, negative))
        return m
