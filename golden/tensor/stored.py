"""The stored tensor: all that a decoder reads, software or hardware.

Decoding is the same for every kind: the XOR decoders of the groups give plane bits, the value coder turns them into
words, the mask makes pruned ones 0, and patches repair what is still wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import MaskCoder
from xorweave.golden.scan.scan import Scan
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.raw_planes import RawPlanes


@dataclass(frozen=True, eq=False)
class Patches:
    """Corrections in the form every format boils down to: where a word is wrong after the mask, and by what.

    Attributes
    ----------
    positions : ndarray of int64, shape (p,)
        Scan positions, strictly increasing.
    differences : ndarray of unsigned words, shape (p,)
        Exclusive-or of the wanted and the decoded word, never 0.
    """

    positions: NDArray[np.int64]
    differences: Words


def symbol_dtype(planes: int, number_format: NumberFormat) -> np.dtype:
    """Return the dtype of symbol words: the word itself for raw planes, else the smallest that holds them."""
    if planes <= 8 * number_format.word.itemsize and planes == number_format.n_w:
        return number_format.word
    return np.dtype(next(f"uint{size}" for size in (8, 16, 32, 64) if planes <= size))


@dataclass(frozen=True, eq=False, kw_only=True)
class EncodedTensor:
    """One tensor as a fixed-to-fixed stream.

    Attributes
    ----------
    shape : tuple of int
    number_format : NumberFormat
    scan : Scan
        Which weight sits at which scan position.
    mask_coder : DenseMask, BitmapMask or ShapedMask
        Which positions are kept. Positions where it gives 0 read back as zero.
    values : ValueCoder
        Words to planes: `RawPlanes`, or a `PrefixCode`; or `PackedWords`, which has none.
    groups : tuple of PlaneGroup
        From the first plane to the last; none where there is no plane.
    patches : Patches
        Corrections, applied to the words after the mask.
    correction_format : str
        How the patches are stored and counted: ``none``, ``paper``, ``joint:GAP`` ...
    segment_blocks : int
        Blocks from one start of stream to the next: before block t with t % segment_blocks == 0 all histories are
        cleared. A tensor that is one segment has segment_blocks == number of blocks.
    checksum : int or None
        CRC-32 of the decoded words, little-endian, in the order of the tensor; None in files of version 1, and for
        packed words, of which the checksum of the stored bytes says as much.
    segment_checksums : tuple of int
        The same of each segment's words in scan order; empty where there is one segment.
    encoder : str
    """

    shape: tuple[int, ...]
    number_format: NumberFormat
    scan: Scan
    mask_coder: MaskCoder
    values: ValueCoder
    groups: tuple[PlaneGroup, ...]
    patches: Patches
    correction_format: str
    segment_blocks: int
    checksum: int | None
    segment_checksums: tuple[int, ...] = ()
    encoder: str = field(default="elimination")

    @property
    def n(self) -> int:
        """Number of weights."""
        return math.prod(self.shape)

    @property
    def n_out(self) -> int:
        """Weights of a block; 1 where there is no code."""
        return self.groups[0].code.n_out if self.groups else 1

    @property
    def blocks(self) -> int:
        """Number of blocks of n_out scan positions; the last one is padded with don't-cares."""
        return -(-self.scan.length // self.n_out)

    @property
    def is_checked(self) -> bool:
        """Whether a checksum tells that the words are those that were encoded."""
        return self.checksum is not None or self.values.kind == "packed"

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """The mask as its decoder gives it, in scan order, shape (scan.length,); its false ones are kept zeros."""
        return self.mask_coder.decode()

    # -- shorthands for a tensor whose planes are one group ------------------------------------------------------
    @property
    def code(self) -> Code:
        """The code, where all planes share one.

        Raises
        ------
        InputError
            The planes are in several groups.
        """
        return self._group.code

    @property
    def symbols(self) -> NDArray[np.unsignedinteger]:
        """The symbols, shape (blocks, n_in), where all planes are one group."""
        return self._group.symbols

    @property
    def raw(self) -> RawPlanes:
        """The value coder, where it stores planes as they are.

        Raises
        ------
        InputError
            The values are stored by a prefix book.
        """
        if not isinstance(self.values, RawPlanes):
            raise InputError(f"the planes must be stored raw, not {self.values.kind}")
        return self.values

    @property
    def _group(self) -> PlaneGroup:
        if len(self.groups) != 1:
            raise InputError(f"the planes must be one group with one code, not {len(self.groups)} groups")
        return self.groups[0]
