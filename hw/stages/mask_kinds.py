"""The kinds of masks: how the mask word of each block comes to the stage that applies it.

Each kind owns the words of the stream s_axis_mask, what makes n_out mask bits of one, and what the header says of it.
A decoder without a mask has none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.plane_group import decode_groups
from xorweave.golden.mask.pattern_book import PatternBook, bits_of
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.hw.stages.fields import packed
from xorweave.hw.xor.group import XorGroup
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.shared_sums import shared_sums

if TYPE_CHECKING:  # what a kind costs is told without Amaranth
    from amaranth.hdl import Module, Value


class MaskKind(Protocol):
    """What every kind of mask can do."""

    name: ClassVar[str]

    def width(self, n_out: int) -> int:
        """Return the bits of a word of s_axis_mask."""
        ...

    def check(self, n_out: int) -> None:
        """Raise InputError unless it gives n_out mask bits a block."""
        ...

    def connect(self, m: Module, words: Any, masks: Any, first: Value) -> None:
        """Put between two streams, of words and of masks, what belongs there; `first`: the block starts a stream."""
        ...

    def header(self, n_out: int) -> list[str]:
        """Say in the Verilog header what a word is."""
        ...

    def words(
        self, coder: Any, n_out: int, blocks: int, segment_blocks: int
    ) -> tuple[list[int], NDArray[np.bool_]]:
        """Return the words of the first blocks for a stored mask, and the mask that comes out, (blocks * n_out,).

        A stream starts every `segment_blocks` blocks.
        """
        ...


def _packed(rows: NDArray[np.uint8]) -> list[int]:
    joined = np.packbits(rows, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in joined]


@dataclass(frozen=True)
class BitmapWords:
    """Every word is the mask of its block: bit r belongs to weight r."""

    name: ClassVar[str] = "bitmap"

    def width(self, n_out: int) -> int:
        """One bit a weight."""
        return n_out

    def check(self, n_out: int) -> None:
        """Every n_out will do."""

    def connect(self, m: Module, words: Any, masks: Any, first: Value) -> None:
        """Straight through."""
        from amaranth.lib import wiring

        wiring.connect(m, words, masks)

    def header(self, n_out: int) -> list[str]:
        """One bit a weight."""
        return [f"s_axis_mask   {n_out} bits with every block: bit r is 1 if weight r is kept."]

    def words(
        self, coder: Any, n_out: int, blocks: int, segment_blocks: int
    ) -> tuple[list[int], NDArray[np.bool_]]:
        """The mask itself; what lies beyond its end is pruned."""
        mask = np.zeros(blocks * n_out, bool)
        stored = coder.decode()[: blocks * n_out]
        mask[: stored.size] = stored
        return _packed(mask.reshape(blocks, n_out).astype(np.uint8)), mask


def _through(m: Module, decoder: Any, words: Any, masks: Any, first: Value) -> None:
    """Lead words and the mark of a stream's first block to a mask's decoder, and what it gives to `masks`."""
    from amaranth.lib import wiring

    wiring.connect(m, decoder.o, masks)
    m.d.comb += [
        decoder.i.p.symbol.eq(words.payload),
        decoder.i.p.first.eq(first),
        decoder.i.valid.eq(words.valid),
        words.ready.eq(decoder.i.ready),
    ]


@dataclass(frozen=True, eq=False)
class ShapedWords:
    """Every word is a symbol of a shaped mask, whose block is the values' block.

    Its history is cleared with the values': the first block of a stream is also the first of a stream of the mask.

    Attributes
    ----------
    code : ShapedMaskCode
    network : XorNetwork or None
        Gates of the parities (see `ShapedMaskDecoder`).
    """

    code: ShapedMaskCode
    network: XorNetwork | None = None
    name: ClassVar[str] = "shaped"

    @property
    def gates(self) -> XorNetwork:
        """The network that `ShapedMaskDecoder` takes."""
        if self.network is not None:
            return self.network
        code = self.code
        if code.sums:
            return shared_sums(code)
        return balanced_trees(code.generator.reshape(code.n_out * code.parities, -1))

    def width(self, n_out: int) -> int:
        """The encoded bits of a block."""
        return self.code.n_in

    def check(self, n_out: int) -> None:
        """One n_out for mask and values: no mask bits are kept between blocks, and nothing waits for them."""
        if self.code.n_out != n_out:
            raise InputError(
                f"n_out of the mask's code must be that of the values, {n_out}, not {self.code.n_out}"
            )

    def connect(self, m: Module, words: Any, masks: Any, first: Value) -> None:
        """Through the decoder of the shaped mask."""
        from xorweave.hw.stages.shaped_mask import ShapedMaskDecoder

        m.submodules.shaped_mask = decoder = ShapedMaskDecoder(self.code, self.network)
        _through(m, decoder, words, masks, first)

    def header(self, n_out: int) -> list[str]:
        """Encoded bits."""
        code = self.code
        return [
            f"s_axis_mask   {code.n_in} bits with every block: a symbol of the shaped mask. Mask bit r is the AND of",
            f"              {code.parities} parities of the last {code.window} encoded bits (0 before a stream).",
        ]

    def words(
        self, coder: Any, n_out: int, blocks: int, segment_blocks: int
    ) -> tuple[list[int], NDArray[np.bool_]]:
        """The symbols; beyond the mask's end comes out what the code makes of them."""
        symbols = np.asarray(coder.symbols[:blocks], np.uint8)
        parts = [
            self.code.decode(part, part.shape[0] * n_out)
            for part in (symbols[t : t + segment_blocks] for t in range(0, blocks, segment_blocks))
        ]
        return _packed(symbols), np.concatenate([np.zeros(0, bool), *parts])


@dataclass(frozen=True, eq=False)
class BookWords:
    """Every word holds a symbol of each group of planes of a pattern book, whose block is the values' block.

    Its history is cleared with the values': the first block of a stream is also the first of a stream of the mask.

    Attributes
    ----------
    book : PatternBook
    groups : tuple of XorGroup
        One for each of its spans; their N_out is that of the values' codes divided by the bits of a pattern.
    """

    book: PatternBook
    groups: tuple[XorGroup, ...]
    name: ClassVar[str] = "book"

    def width(self, n_out: int) -> int:
        """The encoded bits of a block, all groups together."""
        return sum(group.symbol_bits for group in self.groups)

    def check(self, n_out: int) -> None:
        """Whole patterns in a block, as many as the groups' codes give."""
        planes = [end - first for first, end in self.book.spans]
        if [group.planes for group in self.groups] != planes:
            raise InputError(f"the groups of the mask's planes must have {planes} planes")
        for group in self.groups:
            if group.code.n_out * self.book.m != n_out:
                raise InputError(
                    f"the mask's codes must have n_out of the values, {n_out}, divided by the {self.book.m} bits of"
                    f" a pattern, not {group.code.n_out}"
                )

    def connect(self, m: Module, words: Any, masks: Any, first: Value) -> None:
        """Through the decoder of the pattern mask."""
        from xorweave.hw.stages.pattern_mask import PatternMaskDecoder

        m.submodules.pattern_mask = decoder = PatternMaskDecoder(self.book, self.groups)
        _through(m, decoder, words, masks, first)

    def header(self, n_out: int) -> list[str]:
        """Encoded bits of each group, and what the planes are."""
        book = self.book
        lines = [
            f"s_axis_mask   {self.width(n_out)} bits with every block: one symbol of each group of planes of the mask.",
        ]
        at = 0
        for group, (first, end) in zip(self.groups, book.spans, strict=True):
            code = group.code
            which = f"plane {first}" if end - first == 1 else f"planes {first} to {end - 1}, the last lowest"
            lines.append(
                f"              From bit {at}: {which}; encoded bit b at b*{group.planes}; {code.n_in} encoded bits"
                f" to {code.n_out}, K {code.constraint_length}."
            )
            at += group.symbol_bits
        order = (
            "of their zeros, then of their value, falling"
            if book.inverted
            else "of their ones, then of their value"
        )
        lines += [
            f"              Planes are a codeword, its first bit plane 0, that names a pattern of {book.m} mask bits,",
            "              the first lowest. Codewords are canonical, patterns in order",
            f"              {order}.",
            f"              Codewords of 1, 2, ... bits: {', '.join(map(str, book.counts))}.",
        ]
        if book.escapes:
            lines += [
                f"              The last codeword is an escape: the pattern follows in planes {book.depth} to"
                f" {book.planes - 1}, its highest",
                "              bit first.",
            ]
        return lines

    def words(
        self, coder: Any, n_out: int, blocks: int, segment_blocks: int
    ) -> tuple[list[int], NDArray[np.bool_]]:
        """The symbols of the groups, the first lowest; beyond the mask's end comes out what the codes make of them."""
        if coder.book != self.book or [g.code for g in coder.groups] != [g.code for g in self.groups]:
            raise InputError("the decoder must have the pattern book and the codes of the tensor's mask")
        joined = [0] * blocks
        at = 0
        for group in coder.groups:
            for t, word in enumerate(packed(np.asarray(group.symbols[:blocks]), group.planes)):
                joined[t] |= word << at
            at += group.planes * group.code.n_in
        planes = decode_groups(self.book.planes, coder.groups, 0, blocks, segment_blocks)
        patterns = self.book.words_of(planes, np.dtype(np.uint16))
        return joined, bits_of(patterns, self.book.m)
