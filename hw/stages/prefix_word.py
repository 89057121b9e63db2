"""The word of one weight from its planes: which class does the codeword name, and what follows as it is."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.prefix_code import PrefixCode


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

    Members
    -------
    planes : In(book.planes)
        Codeword, its first bit highest, then the sign, then the tail.
    keep : In(1)
        Only if `masked`.
    word : Out(book.n_w)
        The word 0 where no codeword begins like this.

    Raises
    ------
    InputError
        The book has no class.
    """

    def __init__(self, book: PrefixCode, *, masked: bool = False) -> None:
        if not book.planes:
            raise InputError("a decoder needs a code book with at least one class")
        self.book, self.masked = book, masked
        members = {"planes": In(book.planes), "word": Out(book.n_w)}
        if masked:
            members["keep"] = In(1)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        book = self.book
        low = book.n_w - 1
        tail = Cat(self.planes[: book.tail_planes], Const(0, low - book.tail_planes))
        sign = self.planes[book.tail_planes]
        codeword = Signal(book.depth)
        m.d.comb += codeword.eq(self.planes[book.tail_planes + 1 :])
        zero = [
            (int(c), int(n))
            for c, n, t in zip(book.first_codes, book.lengths, book.tails, strict=True)
            if t < 0
        ]
        gated = self.masked and not zero
        if self.masked and zero:
            code, length = zero[0]
            for bit in range(book.depth - length, book.depth):
                given = self.planes[book.tail_planes + 1 + bit]
                m.d.comb += codeword[bit].eq(given | ~self.keep if code >> bit & 1 else given & self.keep)
        fixed = Signal(low)
        raw = Signal(low)
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
                        some.eq(self.keep if gated else 1),
                    ]
        negative = Signal()
        m.d.comb += negative.eq(sign & some)
        turned = Signal(low)
        if book.magnitude == "prefix-inverted":
            m.d.comb += turned.eq((tail & raw) | ((fixed ^ negative.replicate(low)) & ~raw))
        else:
            magnitude = Signal(low)
            m.d.comb += [magnitude.eq(fixed | (tail & raw)), turned.eq(magnitude)]
            if book.magnitude != "plain":
                with m.If(negative):
                    m.d.comb += turned.eq(~magnitude if book.magnitude == "inverted" else -magnitude)
        word = Cat(turned, negative)
        m.d.comb += self.word.eq(word & self.keep.replicate(book.n_w) if gated else word)
        return m
