"""What a decoder's words are made from: stored tensors, those of real weights and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.stream import EncodedTensor, Patches
from xorweave.golden.values.transforms import inverse
from xorweave.hw.stages.patch_kinds import GapPatches


@dataclass(frozen=True)
class RawPlanes:
    """Raw planes: inversion and transform undone."""

    n_w: int
    inversion: int
    transform: str
    constant_planes: int = 0

    @property
    def planes(self) -> int:
        """All of them."""
        return self.n_w

    def words_of(self, planes: NDArray[np.uint64], word: np.dtype) -> Words:
        """Return the words of plane words."""
        return inverse(self.transform, planes.astype(word) ^ word.type(self.inversion), self.n_w)


@dataclass(frozen=True, eq=False)
class Bitmap:
    """A mask as it is."""

    kept: NDArray[np.bool_]
    kind: ClassVar[str] = "bitmap"

    def decode(self) -> NDArray[np.bool_]:
        """Return the mask."""
        return self.kept


@dataclass(frozen=True, eq=False)
class Symbols:
    """A shaped mask's symbols, shape (blocks, n_in)."""

    symbols: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Group:
    """Planes first .. end - 1, counted from the highest, and their symbols, shape (blocks, n_in)."""

    first: int
    end: int
    code: Code
    symbols: NDArray[np.unsignedinteger]


@dataclass(frozen=True, eq=False, kw_only=True)
class Stream:
    """What a decoder's words are made from (`decoder_words`): the parts of a stored tensor."""

    values: Any
    groups: tuple[Group, ...]
    mask_coder: Any
    patches: Patches
    number_format: NumberFormat
    segment_blocks: int
    blocks: int


def as_stream(tensor: EncodedTensor, *, mask: bool, patches: bool) -> Stream:
    """Return the parts of a tensor whose patches are differences before inversion, transform and mask.

    Parameters
    ----------
    tensor : EncodedTensor
    mask, patches : bool
        Whether the decoder has these stages.
    """
    n_w, code = tensor.number_format.n_w, tensor.code
    values = RawPlanes(n_w, tensor.inversion, tensor.transform, tensor.constant_planes)
    words = decode_words(code, tensor.symbols, tensor.segment_blocks).reshape(-1)
    kept = np.zeros(words.size, bool)
    kept[: tensor.n] = tensor.mask
    repaired = words.copy()
    if patches:
        repaired[tensor.patches.positions] ^= tensor.patches.differences
    word = tensor.number_format.word
    changed = values.words_of(words.astype(np.uint64), word) ^ values.words_of(
        repaired.astype(np.uint64), word
    )
    if mask:
        changed[~kept] = 0
    where = np.flatnonzero(changed)
    return Stream(
        values=values,
        groups=(Group(0, n_w, code, tensor.symbols),),
        mask_coder=Bitmap(kept),
        patches=Patches(where.astype(np.int64), changed[where]),
        number_format=tensor.number_format,
        segment_blocks=tensor.segment_blocks,
        blocks=tensor.blocks,
    )


def required_patches(tensor: EncodedTensor) -> int:
    """Return the largest number of patches in any block of a tensor."""
    if tensor.patches.positions.size == 0:
        return 0
    return int(np.bincount(tensor.patches.positions // tensor.code.n_out).max())


def required_records(tensor: EncodedTensor, gap_bits: int) -> int:
    """Return the largest number of gap-coded records, bridges included, in any block of a tensor."""
    return GapPatches(1, gap_bits).needed(tensor.patches, tensor.code.n_out, tensor.blocks)


def remarked(words: Sequence[int], width: int, first: Sequence[bool], last: Sequence[bool]) -> list[int]:
    """Return words of a bus of so many bits with other marks "first" and "last" above it."""
    low = (1 << width) - 1
    return [
        word & low | int(f) << width | int(l) << (width + 1)
        for word, f, l in zip(words, first, last, strict=True)
    ]


def random_tensor(
    code: Code,
    number_format: NumberFormat,
    *,
    blocks: int,
    segment_blocks: int | None = None,
    sparsity: float = 0.9,
    patches_per_block: int = 0,
    inversion: int = 0,
    transform: str = "none",
    seed: int = 0,
) -> EncodedTensor:
    """Make an encoded tensor of random symbols, mask and patches: input for a decoder, nobody's weights.

    Parameters
    ----------
    code : Code
    number_format : NumberFormat
    blocks : int
        Blocks of n_out weights.
    segment_blocks : int, optional
        Blocks of a stream; one stream by default.
    sparsity : float
        Share of zeros in the mask.
    patches_per_block : int
        Blocks get 0 to so many patches, with equal probability.
    inversion : int
    transform : str
    seed : int
    """
    rng = np.random.default_rng(seed)
    n_w, word = number_format.n_w, number_format.word
    shape = (blocks, code.n_in)
    symbols: NDArray = rng.integers(0, 1 << n_w, shape, dtype=np.uint64).astype(word)
    positions = [
        block * code.n_out + np.sort(rng.permutation(code.n_out)[: rng.integers(0, patches_per_block + 1)])
        for block in range(blocks if patches_per_block else 0)
    ]
    where = np.concatenate(positions).astype(np.int64) if positions else np.zeros(0, np.int64)
    return EncodedTensor(
        shape=(blocks, code.n_out),
        number_format=number_format,
        code=code,
        interleaver=Interleaver(blocks * code.n_out),
        segment_blocks=segment_blocks or blocks,
        symbols=symbols,
        mask=rng.random(blocks * code.n_out) >= sparsity,
        patches=Patches(where, rng.integers(1, 1 << n_w, where.size, dtype=np.uint64).astype(word)),
        correction_format="joint" if where.size else "none",
        inversion=inversion,
        transform=transform,
    )
