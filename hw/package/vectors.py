"""What a decoder's words are made from: stored tensors, those of real weights and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import BitmapMask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.stored import EncodedTensor, Patches
from xorweave.golden.values.raw_planes import RawPlanes


def raw_planes(tensor: EncodedTensor) -> RawPlanes:
    """Return inversion, constant planes and transform of a tensor: none of them where a book stores its words."""
    return tensor.values if isinstance(tensor.values, RawPlanes) else RawPlanes(tensor.number_format.n_w)


def uncorrected(tensor: EncodedTensor) -> EncodedTensor:
    """Return a tensor without its patches, as a decoder without a correction stage sees it."""
    none = Patches(tensor.patches.positions[:0], tensor.patches.differences[:0])
    return replace(tensor, patches=none)


def required_patches(tensor: EncodedTensor) -> int:
    """Return the largest number of patches in any block of a tensor."""
    if tensor.patches.positions.size == 0:
        return 0
    return int(np.bincount(tensor.patches.positions // tensor.n_out).max())


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
    kept = rng.random(blocks * code.n_out) >= sparsity
    where = where[kept[where]]  # a patch of a pruned weight would bring it back
    differences = rng.integers(1, 1 << n_w, where.size, dtype=np.uint64).astype(word)
    return EncodedTensor(
        shape=(blocks, code.n_out),
        number_format=number_format,
        scan=Interleaver(blocks * code.n_out),
        mask_coder=BitmapMask(kept),
        values=RawPlanes(n_w, inversion=inversion, transform=transform),
        groups=(PlaneGroup(0, n_w, code, symbols),),
        patches=Patches(where, differences),
        correction_format="joint" if where.size else "none",
        segment_blocks=segment_blocks or blocks,
        checksum=None,
    )
