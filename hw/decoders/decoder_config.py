"""What decides which hardware is generated: the parts of a decoder and the registers between them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.stages.fields import length_bits
from xorweave.hw.stages.mask_kinds import BitmapWords, MaskKind
from xorweave.hw.stages.patch_kinds import BoundedPatches, GapPatches, PatchKind, patch_kind
from xorweave.hw.stages.word_kinds import PrefixWords, RawWords, WordKind
from xorweave.hw.xor.group import XorGroup, check_groups
from xorweave.hw.xor.network import XorNetwork
from xorweave.hw.xor.pipeline import pipeline_cut


@dataclass(frozen=True, kw_only=True, eq=False)
class DecoderConfig:
    """Everything that decides what hardware is generated.

    Symbols pass through the XOR networks of their groups, the planes become words, the mask makes the pruned ones
    zero, and patches repair what is still wrong.

    Attributes
    ----------
    groups : tuple of XorGroup
        From the highest planes of a word to the lowest; one N_out for all. Raw words have one group, of the planes
        that are stored.
    kind_of_words : WordKind
        `RawWords`, `PrefixWords`, or the hardware of another value coder.
    kind_of_mask : BitmapWords, BookWords, ShapedWords or None
        None: no mask stage and no port for it.
    kind_of_patches : ListPatches, GapPatches, BoundedPatches or None
        None: no correction stage and no ports for it (error-free codes).
    rates : tuple of int
        Empty: the code's one rate. Otherwise the N_in to choose from at run time (see `RateProgrammableDecoder`).
    block_lengths : bool
        Each stream says with its first symbol how many outputs of a block are its own (see `BlockLength`): one decoder
        for tensors that are stored with the first outputs of its code (`Code.first_rows`). Needs the bitmap.
    length_bits : int
        0: no stream guard. Otherwise the width of its port `stream_length` (see `StreamGuard`).
    input_register : bool
        See `GroupsDecoder`.
    max_depth : int or None
        Most two-input XORs between registers, see `GroupsDecoder`.
    output_register : bool
        Register the weights (n_out * n_w flip-flops) after the last stage.
    skid_buffers : bool
        Put a skid buffer on every input stream, so that no `ready` output depends on an input in the same cycle.

    Raises
    ------
    InputError
        A size is out of range, or parts do not go together.
    """

    groups: tuple[XorGroup, ...]
    kind_of_words: WordKind
    kind_of_mask: MaskKind | None = None
    kind_of_patches: PatchKind | None = None
    rates: tuple[int, ...] = ()
    block_lengths: bool = False
    length_bits: int = 0
    input_register: bool = True
    max_depth: int | None = None
    output_register: bool = False
    skid_buffers: bool = False

    def __post_init__(self) -> None:
        check_groups(self.groups)
        words = self.kind_of_words
        planes = sum(group.planes for group in self.groups)
        wanted = len(words.stored_planes) if isinstance(words, RawWords) else words.planes
        if planes != wanted:
            raise InputError(f"the groups must have {wanted} planes together, not {planes}")
        if isinstance(words, RawWords) and len(self.groups) != 1:
            raise InputError(f"raw words must have one group of planes, not {len(self.groups)}")
        if self.patches_per_block > self.n_out:
            raise InputError(
                f"patches_per_block must be between 0 and n_out = {self.n_out}, not {self.patches_per_block}"
            )
        if self.max_depth is not None and (self.max_depth < 1 or not self.input_register):
            raise InputError(
                f"max_depth must be at least 1, and needs the input register, not {self.max_depth}"
            )
        if not 0 <= self.length_bits <= 32:
            raise InputError(f"length_bits must be between 0 and 32, not {self.length_bits}")
        if self.rates and (self.max_depth is not None or self.length_bits or self.skid_buffers):
            raise InputError(
                "a decoder of several rates must have no max_depth, length_bits and skid_buffers"
            )
        if self.rates and not isinstance(words, RawWords):
            raise InputError("a decoder of several rates must have raw words")
        if self.block_lengths:
            self._check_block_lengths()
        if self.kind_of_mask is not None:
            self.kind_of_mask.check(self.n_out)

    def _check_block_lengths(self) -> None:
        if self.rates or not isinstance(self.kind_of_words, RawWords):
            raise InputError("a decoder of several block lengths must have raw words and one rate")
        if not isinstance(self.kind_of_mask, BitmapWords):
            raise InputError("a decoder of several block lengths must have a bitmap")
        if isinstance(self.kind_of_patches, GapPatches | BoundedPatches):
            raise InputError("a decoder of several block lengths must have patches as lists or by lane")

    @classmethod
    def raw(
        cls,
        *,
        code: Code,
        n_w: int,
        network: XorNetwork | None = None,
        inversion: int | None = 0,
        constant_planes: int = 0,
        transform: str = "none",
        mask: bool = True,
        patches_per_block: int = 0,
        gap_bits: int = 0,
        bounded: bool = False,
        **options: Any,
    ) -> DecoderConfig:
        """Make the configuration of raw words of one code with a bitmap.

        Parameters
        ----------
        code : Code
        n_w : int
            Bits of a word.
        network : XorNetwork, optional
            Gates of the generator matrix; balanced trees when left out.
        inversion, constant_planes, transform
            See `RawWords`.
        mask : bool
            Whether there is a mask stage.
        patches_per_block, gap_bits, bounded
            See `patch_kind`.
        **options
            Further fields.
        """
        if not 0 <= patches_per_block <= code.n_out:
            raise InputError(
                f"patches_per_block must be between 0 and n_out = {code.n_out}, not {patches_per_block}"
            )
        words = RawWords(n_w, inversion, constant_planes, transform)
        return cls(
            groups=(XorGroup(len(words.stored_planes), code, network),),
            kind_of_words=words,
            kind_of_mask=BitmapWords() if mask else None,
            kind_of_patches=patch_kind(patches_per_block, gap_bits=gap_bits, bounded=bounded),
            **options,
        )

    @property
    def n_out(self) -> int:
        """Weights of a block."""
        return self.groups[0].code.n_out

    @property
    def n_w(self) -> int:
        """Bits of a weight."""
        return self.kind_of_words.n_w

    @property
    def symbol_bits(self) -> int:
        """Width of s_axis_tdata: the symbols of all planes, those left out as constant too."""
        words = self.kind_of_words
        if isinstance(words, RawWords):
            return self.code.n_in * words.n_w
        return sum(group.symbol_bits for group in self.groups)

    @property
    def book(self) -> PrefixCode | None:
        """The code book of prefix-coded words."""
        return self.kind_of_words.book if isinstance(self.kind_of_words, PrefixWords) else None

    @property
    def mask(self) -> bool:
        """Whether there are a mask stage and its port."""
        return self.kind_of_mask is not None

    @property
    def masked_groups(self) -> int:
        """How many groups, from the first on, have the mask folded into their XOR networks; 0: it is a stage.

        All of raw words, if nothing stands between network and mask, no register either. Of prefix-coded words those
        that hold the codeword of the word 0, if that is zeros.
        """
        if not self.mask or self.max_depth is not None or self.rates:
            return 0
        words = self.kind_of_words
        if isinstance(words, RawWords):
            return int(words.plain)
        if not isinstance(words, PrefixWords):
            return 0
        ends = list(itertools.accumulate(group.planes for group in self.groups))
        length = int(words.book.lengths[0])
        return ends.index(length) + 1 if words.book.tails[0] < 0 and length in ends else 0

    @property
    def said_by_stream(self) -> dict[str, int]:
        """Pins that say something of a whole stream with its first symbol, and their widths."""
        found = {}
        if self.rates:
            found["s_axis_rate"] = max(1, (len(self.rates) - 1).bit_length())
        if self.block_lengths:
            found["s_axis_block_length"] = length_bits(self.n_out)
        if found and self.inversion is None:
            found["s_axis_inversion"] = self.n_w
        return found

    @property
    def inversion_pin(self) -> bool:
        """Whether the inversion word stands at a pin of its own, `inversion`, for as long as streams last."""
        return self.inversion is None and not self.said_by_stream

    @property
    def gated_groups(self) -> int:
        """How many groups, the last ones, have folded into their XOR networks what the word tables say of them.

        Those of sign and tail, which are 0 where the class has none; as long as the groups are the book's, and no
        register stands between.
        """
        words = self.kind_of_words
        if not isinstance(words, PrefixWords) or self.max_depth is not None:
            return 0
        ends = list(itertools.accumulate(group.planes for group in self.groups))
        if ends != [end for _, end in words.book.spans]:
            return 0
        return sum(first >= words.book.depth for first, _ in words.book.spans)

    @property
    def mask_in_words(self) -> bool:
        """Whether the word tables apply the mask."""
        return self.mask and isinstance(self.kind_of_words, PrefixWords) and not self.masked_groups

    @property
    def mask_in_network(self) -> bool:
        """Whether the mask is folded into the XOR networks."""
        return self.masked_groups > 0

    @property
    def latency(self) -> int:
        """Cycles from a symbol taken to its block offered, when nothing is in the way."""
        stages = int(self.input_register)
        if self.max_depth is not None:
            stages = max(pipeline_cut(g.gates, max_depth=self.max_depth).stages for g in self.groups)
        return stages + int(self.output_register)

    # -- short names for what a decoder of one code has ----------------------------------------------------------

    @property
    def code(self) -> Code:
        """The code of the one group. Raises InputError where there are several."""
        return self._only.code

    @property
    def network(self) -> XorNetwork | None:
        """The network of the one group. Raises InputError where there are several."""
        return self._only.network

    @property
    def _only(self) -> XorGroup:
        if len(self.groups) != 1:
            raise InputError(f"the decoder must have one group of planes for this, not {len(self.groups)}")
        return self.groups[0]

    @property
    def inversion(self) -> int | None:
        """Inversion word, None for a port; 0 for words that are not raw."""
        return self.kind_of_words.inversion if isinstance(self.kind_of_words, RawWords) else 0

    @property
    def constant_planes(self) -> int:
        """Planes that are not in the payload; none for words that are not raw."""
        return self.kind_of_words.constant_planes if isinstance(self.kind_of_words, RawWords) else 0

    @property
    def stored_planes(self) -> list[int]:
        """The planes that have hardware of their own, lowest first."""
        words = self.kind_of_words
        return words.stored_planes if isinstance(words, RawWords) else list(range(words.planes))

    @property
    def transform(self) -> str:
        """Map of words that is undone; ``none`` for words that are not raw."""
        return self.kind_of_words.transform if isinstance(self.kind_of_words, RawWords) else "none"

    @property
    def patches_per_block(self) -> int:
        """Slots of the correction stage, 0 without one."""
        return 0 if self.kind_of_patches is None else self.kind_of_patches.limit

    @property
    def gap_bits(self) -> int:
        """Bits of the gap of gap-coded patches, 0 for other kinds."""
        return self.kind_of_patches.gap_bits if isinstance(self.kind_of_patches, GapPatches) else 0

    @property
    def bounded(self) -> bool:
        """Whether the patches are of the bounded kind."""
        return isinstance(self.kind_of_patches, BoundedPatches)
