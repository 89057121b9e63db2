"""What a decoder with AXI4-Stream ports consists of, in plain numbers: all that its reference is written from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.code import Code


@dataclass(frozen=True, eq=False)
class MaskParities:
    """A shaped mask: bit r of a block is the AND of parities of the last encoded bits.

    Attributes
    ----------
    n_in : int
        Encoded bits of a block.
    generator : ndarray of uint8, shape (n_out, parities, columns)
        Column c taps encoded bit c % n_in of the symbol c // n_in blocks ago.
    """

    n_in: int
    generator: NDArray[np.uint8]


@dataclass(frozen=True)
class MaskBook:
    """A mask in patterns of neighbouring bits: a canonical codeword names a pattern, or says that it follows.

    Attributes
    ----------
    bits : int
        Mask bits of a pattern.
    counts : tuple of int
        Codewords of 1, 2, ... bits. The last codeword is an escape unless there is one for every pattern.
    inverted : bool
        Codewords name the inverted patterns.
    groups : tuple of (int, Code)
        Planes and code of each group, the first bits of codewords first. Their symbols stand one after another in a
        word of the bus, the first group's lowest.
    """

    bits: int
    counts: tuple[int, ...]
    inverted: bool
    groups: tuple[tuple[int, Code], ...]

    @property
    def n_in(self) -> int:
        """Encoded bits of a block, all groups together."""
        return sum(planes * code.n_in for planes, code in self.groups)

    @property
    def planes(self) -> int:
        """Planes of a pattern."""
        return sum(planes for planes, _ in self.groups)

    @property
    def entries(self) -> list[tuple[str, int | None]]:
        """Codewords in order, and the pattern that each names; None: it follows, in the last planes."""
        ordered = sorted(range(1 << self.bits), key=lambda pattern: (f"{pattern:b}".count("1"), pattern))
        found: list[tuple[str, int | None]] = []
        for length, count in enumerate(self.counts, 1):
            for _ in range(count):
                before = found[-1][0] if found else ""
                value = (int(before, 2) + 1) << (length - len(before)) if found else 0
                pattern = ordered[len(found)]
                named = pattern ^ ((1 << self.bits) - 1 if self.inverted else 0)
                found.append((f"{value:0{length}b}", named))
        if len(found) < 1 << self.bits:
            found[-1] = found[-1][0], None
        return found


@dataclass(frozen=True)
class WordBook:
    """A prefix code of words: a canonical codeword names a class of magnitudes, sign and tail follow.

    Attributes
    ----------
    magnitude : str
        What becomes of the bits below the sign where that is 1: ``plain``, ``inverted`` or ``negated``.
    lengths, tails, prefixes : tuple of int
        Of each class: bits of its codeword, never falling; low bits of the magnitude that the tail gives, -1 for the
        word 0; the bits above those.
    """

    magnitude: str
    lengths: tuple[int, ...]
    tails: tuple[int, ...]
    prefixes: tuple[int, ...]

    @property
    def codewords(self) -> list[str]:
        """The codewords: each is the one before plus one, with zeros put behind it up to its own length."""
        found: list[str] = []
        for length in self.lengths:
            value = (int(found[-1], 2) + 1) << (length - len(found[-1])) if found else 0
            found.append(f"{value:0{length}b}")
        return found

    @property
    def tail_planes(self) -> int:
        """Planes of the longest tail."""
        return max(0, *self.tails)

    @property
    def planes(self) -> int:
        """Planes of a weight: codeword (first bit highest), sign, tail."""
        return max(self.lengths) + 1 + self.tail_planes


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """What a decoder with AXI4-Stream ports consists of, as seen from outside, cycle by cycle.

    Attributes
    ----------
    code : Code
        Of all planes; with `groups`, of the first one.
    n_w : int
        Bits of a word; planes side by side unless there is a book.
    groups : tuple of (int, Code)
        Planes and code of each group, from the highest planes to the lowest; empty: one group of n_w planes. Their
        symbols stand one after another in a word of the bus, the first group's lowest.
    book : WordBook or None
        What turns planes into words; None: they are the bits of the word.
    patches_per_block : int
        Most patches of a block; 0 means no correction stage.
    dense_corrections : bool
        The correction stage takes the differences of all words instead of slots.
    patch_lanes : bool
        Slot p of P repairs only the words p, p + P, p + 2 P ..., and its position counts those.
    gap_bits : int
        Not 0: patches come as gap-coded records, gaps of so many bits.
    bounded : bool
        Patches come as entries, with the number of each block's on a stream of its own.
    inversion : int or None
        Fixed inversion word, or None for a port.
    transform : str
        Map of words undone after the inversion: ``none``, ``difference`` or ``sign-magnitude``.
    constant_planes : int
        Bit q: plane q decodes to 0, and its symbol bits are ignored.
    mask : bool
    mask_code : MaskParities, MaskBook or None
        The mask comes as symbols of this; None: as a bit a word.
    length_bits : int
        Not 0: streams are kept at the length of the port `stream_length`, of so many bits.
    rates : tuple of int
        Not empty: bits of a symbol that count, chosen by `s_axis_rate` with a stream's first symbol.
    block_lengths : bool
        Words of a block from the stream's block length on are 0; `s_axis_block_length` comes with its first symbol.
    input_register : bool
        The newest symbol is held in a register; otherwise it goes straight to the network.
    stages : int
        Registers between a symbol and its block of planes: more than 1 for a pipelined network.
    output_register : bool
    skid_buffers : bool
        A skid buffer on every input stream.
    segments : int
        So many decoders side by side, in step.
    plane_serial : bool
        One plane a cycle, n_w cycles a block, on one network.
    """

    code: Code
    n_w: int = 1
    groups: tuple[tuple[int, Code], ...] = ()
    book: WordBook | None = None
    patches_per_block: int = 0
    dense_corrections: bool = False
    patch_lanes: bool = False
    gap_bits: int = 0
    bounded: bool = False
    inversion: int | None = 0
    transform: str = "none"
    constant_planes: int = 0
    mask: bool = False
    mask_code: MaskParities | MaskBook | None = None
    length_bits: int = 0
    rates: tuple[int, ...] = ()
    block_lengths: bool = False
    input_register: bool = False
    stages: int = 1
    output_register: bool = False
    skid_buffers: bool = False
    segments: int = 1
    plane_serial: bool = False

    @property
    def all_groups(self) -> tuple[tuple[int, Code], ...]:
        """Planes and code of each group, one group too."""
        return self.groups or ((self.n_w, self.code),)

    @property
    def history(self) -> int:
        """Most earlier symbols that anything depends on, of the values and of a pattern book."""
        mask = self.mask_code.groups if isinstance(self.mask_code, MaskBook) else ()
        return max(code.n_s for _, code in (*self.all_groups, *mask))

    @property
    def planes(self) -> int:
        """Planes of a weight."""
        return sum(planes for planes, _ in self.all_groups)

    @property
    def position_bits(self) -> int:
        """Bits of a patch's position."""
        words = -(-self.code.n_out // self.patches_per_block) if self.patch_lanes else self.code.n_out
        return max(1, (words - 1).bit_length())

    @property
    def patch_bits(self) -> int:
        """Bits of one patch slot: difference (lowest), position, valid (highest)."""
        return self.n_w + self.position_bits + 1

    @property
    def listed_bits(self) -> int:
        """Bits of what the correction stage takes with each block."""
        return self.block_width if self.dense_corrections else self.patches_per_block * self.patch_bits

    @property
    def record_bits(self) -> int:
        """Bits of a record or entry of patches that are unpacked."""
        return (self.gap_bits or self.position_bits) + self.n_w

    @property
    def unpacked(self) -> bool:
        """Whether lists of patches are made from records."""
        return bool(self.gap_bits) or self.bounded

    @property
    def symbol_width(self) -> int:
        """Bits of the symbol bus."""
        return sum(planes * code.n_in for planes, code in self.all_groups)

    @property
    def block_width(self) -> int:
        """Bits of the block bus: n_out words."""
        return self.code.n_out * self.n_w

    @property
    def latency(self) -> int:
        """Cycles from taking a symbol to showing its block when nothing stalls."""
        return (self.stages if self.input_register else 0) + int(self.output_register)

    @property
    def delayed(self) -> tuple[tuple[str, str], ...]:
        """Registers of the reference that a netlist may hold sums of: (bus, the register that says when)."""
        return tuple(
            (f"delayed{'' if len(self.all_groups) == 1 else g}_{k}", f"full{k}")
            for k in range(1, self.stages)
            for g in range(len(self.all_groups))
        )

    def with_identity(self, *, n_in: int | None = None) -> DecoderShape:
        """Return the one-plane shape whose block is the window of symbols itself: G = identity.

        Its symbols have `n_in` bits, by default as many as the code's, and it has at most one patch slot:
        what the stages do with words does not depend on how many there are. Words of one bit are what every
        transform maps to themselves; a plane-serial decoder of one plane takes one cycle a block. What is unpacked,
        guarded or chosen before the streams of symbols, lists and mask words reach the decoder is left out.
        """
        n_s = max(code.n_s for _, code in self.all_groups)
        n_in = self.code.n_in if n_in is None else n_in
        length = n_in * (n_s + 1)
        window = Code(n_in=n_in, n_out=length, n_s=n_s, generator=np.eye(length, dtype=np.uint8))
        return DecoderShape(
            code=window,
            inversion=self.inversion if self.inversion is None else int(self.inversion != 0),
            patches_per_block=min(self.patches_per_block, 1),
            dense_corrections=self.dense_corrections,
            patch_lanes=self.patch_lanes,
            mask=self.mask,
            input_register=self.input_register or self.plane_serial,
            stages=self.stages,
            output_register=self.output_register,
            skid_buffers=self.skid_buffers,
            plane_serial=self.plane_serial,
        )

    @property
    def beside(self) -> list[tuple[str, int]]:
        """What comes with every symbol and is held for its stream where there are block lengths: (pin, width)."""
        if not self.block_lengths:
            return []
        found = [("s_axis_block_length", self.code.n_out.bit_length())]
        return [*found, ("s_axis_inversion", self.n_w)] if self.inversion is None else found

    def one_segment(self) -> DecoderShape:
        """Return the shape of one of the decoders side by side."""
        return replace(self, segments=1)

    def streams(self) -> list[tuple[str, int]]:
        """Return the input streams, (AXI prefix, width of tdata), symbols first."""
        streams = [("s_axis", self.code.n_in if self.plane_serial else self.symbol_width)]
        if self.bounded:
            streams.append(("s_axis_count", self.patches_per_block.bit_length()))
        if self.unpacked:
            streams.append(("s_axis_patch", self.patches_per_block * self.record_bits))
        elif self.patches_per_block:
            streams.append(("s_axis_patch", self.listed_bits))
        if self.mask:
            streams.append(("s_axis_mask", self.mask_code.n_in if self.mask_code else self.code.n_out))
        return [(prefix, width * self.segments) for prefix, width in streams]

    def ports(self) -> list[tuple[str, str, int]]:
        """Return every port but clk and rst as (direction, name, width)."""
        ports = []
        for prefix, width in self.streams():
            ports += [("input", f"{prefix}_tdata", width), ("input", f"{prefix}_tvalid", 1)]
            ports += [("output", f"{prefix}_tready", 1)]
            if prefix == "s_axis":
                ports += [("input", "s_axis_tuser", 1), ("input", "s_axis_tlast", 1)]
            if prefix == "s_axis_patch" and self.unpacked:
                ports.append(("input", "s_axis_patch_tuser", self.patches_per_block.bit_length()))
                ports += [("input", "s_axis_patch_tlast", 1), ("input", "patch_restart", 1)]
        if self.gap_bits:
            ports.append(("output", "patch_overflow", 1))
        if self.length_bits:
            ports += [("input", "stream_length", self.length_bits), ("input", "stream_clear", 1)]
            ports += [("output", "stream_too_short", 1), ("output", "stream_too_long", 1)]
        if self.rates:
            ports.append(("input", "s_axis_rate", max(1, (len(self.rates) - 1).bit_length())))
        if self.block_lengths:
            ports.append(("input", "s_axis_block_length", self.code.n_out.bit_length()))
        if self.inversion is None:
            beside = self.rates or self.block_lengths
            ports.append(("input", "s_axis_inversion" if beside else "inversion", self.n_w))
        block = (self.code.n_out if self.plane_serial else self.block_width) * self.segments
        ports += [
            ("output", "m_axis_tdata", block),
            ("output", "m_axis_tuser", 1),
            ("output", "m_axis_tlast", 1),
            ("output", "m_axis_tvalid", 1),
            ("input", "m_axis_tready", 1),
        ]
        return ports


def code_from_rows(rows: Sequence[int], *, n_in: int, n_s: int) -> Code:
    """Return the code of a generator matrix given as numbers, bit c of a row being column c."""
    columns = n_in * (n_s + 1)
    matrix = [[row >> column & 1 for column in range(columns)] for row in rows]
    return Code(n_in=n_in, n_out=len(matrix), n_s=n_s, generator=np.array(matrix, np.uint8))


def vector(width: int) -> str:
    """Return the Verilog range of a bus."""
    return f"[{width - 1}:0]"
