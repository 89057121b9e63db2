"""The word of one weight from its planes: which class does the codeword name, and what follows as it is."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.book_gates import classes_by_codeword
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.stages.class_logic import logic


class PrefixWord(wiring.Component):
    """One weight's planes to its word. Combinational.

    Every weight is decoded by itself: planes behind the end of its codeword are don't-cares, so nothing is passed
    from one weight to the next, as it is where codewords follow each other in one stream. The class says which bits
    of the magnitude it fixes, and which come from the tail as they are: no shifter, and an adder for negated
    magnitudes only.

    Parameters
    ----------
    book : PrefixCode
    masked : bool
        The word is 0 where `keep` is 0. That takes a gate for each bit of the zero's codeword, which takes the place
        of the codeword, and not one for each bit of the word.
    gated : bool
        Sign and tail come in as 0 where the class has none, by `care`: whoever makes them does it for less.

    Members
    -------
    planes : In(book.planes)
        Codeword, its first bit highest, then the sign, then the tail.
    keep : In(1)
        Only if `masked`.
    care : Out(groups of sign and tail)
        Only if `gated`: which of these groups (`PrefixCode.spans`), the sign's lowest, the class has.
    word : Out(book.n_w)
        The word 0 where no codeword begins like this.

    Raises
    ------
    InputError
        The book has no class.
    """

    def __init__(self, book: PrefixCode, *, masked: bool = False, gated: bool = False) -> None:
        if not book.planes:
            raise InputError("a decoder needs a code book with at least one class")
        self.book, self.masked, self.gated = book, masked, gated
        # bits of the tail below which each group ends, the sign's first; the longest tails last
        self._groups = [(first, end) for first, end in book.spans if first >= book.depth]
        members = {"planes": In(book.planes), "word": Out(book.n_w)}
        if masked:
            members["keep"] = In(1)
        if gated:
            members["care"] = Out(len(self._groups))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        book = self.book
        low = book.n_w - 1
        codeword = Signal(book.depth)
        known = self._codeword(m, codeword)
        tails, prefixes = classes_by_codeword(book)
        named = tails >= 0
        some = Signal()
        m.d.comb += some.eq(logic(codeword, named) & known)
        planes = self.planes
        bits: list[Value] = []  # of sign and tail, the lowest of the tail first
        cares: list[Value] = []
        for number, (first, end) in enumerate(self._groups):
            care: Value = some
            if number:
                care = Signal(name=f"care{number}")
                m.d.comb += care.eq(logic(codeword, tails >= book.planes - first) & known)
            cares.append(care)
            given = planes[book.planes - end : book.planes - first]
            bits.append(given if self.gated else given & care.replicate(end - first))
        if self.gated:
            m.d.comb += self.care.eq(Cat(cares))
        tail = Cat(reversed(bits[1:]))
        negative = Signal()
        m.d.comb += negative.eq(Cat(bits[:1]))
        magnitude = Signal(low)
        for bit in range(low):
            follows = tails > bit
            if not (named & ~follows).any():
                m.d.comb += magnitude[bit].eq(tail[bit])
                continue
            # what the class says of a bit that follows from the tail does not matter: it is shut off there
            ones = named & ((prefixes << np.maximum(tails, 0)) >> bit & 1 == 1)
            fixed = logic(codeword, ones, follows) & known
            if book.magnitude == "prefix-inverted":
                fixed ^= negative
            if follows.any():
                raw = next(
                    care
                    for care, (first, end) in zip(cares[1:], self._groups[1:], strict=True)
                    if book.planes - end <= bit < book.planes - first
                )
                fixed = (fixed & ~raw) | tail[bit]
            m.d.comb += magnitude[bit].eq(fixed)
        turned: Value = magnitude
        if book.magnitude == "inverted":
            turned = magnitude ^ negative.replicate(low)
        elif book.magnitude == "negated":
            turned = Mux(negative, -magnitude, magnitude)[:low]
        m.d.comb += self.word.eq(Cat(turned, negative))
        return m

    def _codeword(self, m: Module, codeword: Signal) -> Value:
        """Connect the codeword, the zero's where `keep` is 0; return whether what it says is to be believed."""
        book = self.book
        m.d.comb += codeword.eq(self.planes[book.tail_planes + 1 :])
        if not self.masked:
            return Const(1, 1)
        for code, length, tail in zip(book.first_codes, book.lengths, book.tails, strict=True):
            if tail < 0:
                for bit in range(book.depth - int(length), book.depth):
                    given = self.planes[book.tail_planes + 1 + bit]
                    m.d.comb += codeword[bit].eq(
                        given | ~self.keep if int(code) >> bit & 1 else given & self.keep
                    )
                return Const(1, 1)
        return self.keep
