"""Golden vectors: what goes into a decoder and what must come out, block by block, from an encoded tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import JointCorrections
from xorweave.golden.tensor.stream import EncodedTensor, Patches
from xorweave.golden.values.transforms import inverse
from xorweave.hw.stages.layouts import dense_corrections, pack_patch, patch_bits


@dataclass(frozen=True)
class Vectors:
    """One word a block for every port of the decoder, as Python integers of the port's width.

    Attributes
    ----------
    symbols, weights : list of int
        Bus of n_in * n_w (n_out * n_w) bits; above it one bit "first of a stream" and, highest, "last".
    masks : list of int
        n_out bits.
    patches : list of int
        Lists of patches_per_block patches; empty without a correction stage.
    """

    symbols: list[int]
    weights: list[int]
    masks: list[int]
    patches: list[int]

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.symbols)


def required_patches(tensor: EncodedTensor) -> int:
    """Return the largest number of patches in any block of a tensor."""
    if tensor.patches.positions.size == 0:
        return 0
    return int(np.bincount(tensor.patches.positions // tensor.code.n_out).max())


def required_records(tensor: EncodedTensor, gap_bits: int) -> int:
    """Return the largest number of gap-coded records, bridges included, in any block of a tensor."""
    gaps, _ = closed_records(tensor.patches, tensor.blocks * tensor.code.n_out, gap_bits)
    if gaps.size == 0:
        return 0
    return int(np.bincount((np.cumsum(gaps + 1) - 1) // tensor.code.n_out).max())


def closed_records(
    patches: Patches, positions: int, gap_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Return (gaps, differences) of the records of so many positions, the last of which always has a record.

    So the records of the next tensor follow without a gap of their own: positions are counted on from tensor to
    tensor, and the decoder needs not be told where one ends.
    """
    near = patches.positions < positions
    where, changes = patches.positions[near], patches.differences[near].astype(np.uint64)
    if positions and (not where.size or where[-1] != positions - 1):
        where = np.append(where, np.int64(positions - 1))
        changes = np.append(changes, np.uint64(0))
    return JointCorrections(gap_bits).records(Patches(where, changes))


def _pack(words: Words, n_w: int) -> list[int]:
    """Join each row of words of n_w bits to one integer, word 0 lowest."""
    shifts = np.arange(n_w, dtype=words.dtype)
    bits = ((words[:, :, None] >> shifts) & words.dtype.type(1)).astype(np.uint8)
    rows = np.packbits(bits.reshape(words.shape[0], -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def remarked(words: Sequence[int], width: int, first: Sequence[bool], last: Sequence[bool]) -> list[int]:
    """Return words of a bus of so many bits with other marks "first" and "last" above it."""
    low = (1 << width) - 1
    return [
        word & low | int(f) << width | int(l) << (width + 1)
        for word, f, l in zip(words, first, last, strict=True)
    ]


def golden_vectors(
    tensor: EncodedTensor, *, patches_per_block: int, mask: bool = True, max_blocks: int | None = None
) -> Vectors:
    """Make the vectors of a tensor with the software decoder.

    Parameters
    ----------
    tensor : EncodedTensor
    patches_per_block : int
        Slots of the correction stage; at least `required_patches`, or 0 to leave the corrections out of
        input and output alike.
    mask : bool
        Whether the decoder has a mask stage; without one, the weights at pruned positions are what the XOR
        network makes of them.
    max_blocks : int, optional
        Stop after so many blocks.
    """
    code, n_w = tensor.code, tensor.number_format.n_w
    blocks = tensor.blocks if max_blocks is None else min(tensor.blocks, max_blocks)
    symbols = tensor.symbols[:blocks]
    words = decode_words(code, symbols, tensor.segment_blocks).reshape(-1).copy()

    uncorrected = words.copy()
    slots: list[list[int]] = [[] for _ in range(blocks)]
    if patches_per_block:
        patches = tensor.patches
        inside = patches.positions < words.size
        words[patches.positions[inside]] ^= patches.differences[inside]
        for position, difference in zip(patches.positions[inside], patches.differences[inside], strict=True):
            block, at = divmod(int(position), code.n_out)
            slots[block].append(pack_patch(at, int(difference), n_out=code.n_out, n_w=n_w))
    differences = words ^ uncorrected
    words ^= words.dtype.type(tensor.inversion)
    words = inverse(tensor.transform, words, n_w)
    kept = np.zeros(words.size, bool)
    kept[: min(tensor.n, words.size)] = tensor.mask[: words.size]
    if mask:
        words[~kept] = 0

    first = np.arange(blocks) % tensor.segment_blocks == 0
    last = np.roll(first, -1)
    if blocks:
        last[-1] = blocks == tensor.blocks or blocks % tensor.segment_blocks == 0
    width = patch_bits(code.n_out, n_w)
    lists = [sum(patch << (p * width) for p, patch in enumerate(slot)) for slot in slots]
    if dense_corrections(code.n_out, n_w, patches_per_block):
        lists = _pack(differences.reshape(blocks, code.n_out), n_w)
    return Vectors(
        symbols=remarked(_pack(symbols, n_w), code.n_in * n_w, first, last),
        weights=remarked(_pack(words.reshape(blocks, code.n_out), n_w), code.n_out * n_w, first, last),
        masks=_pack(kept.reshape(blocks, code.n_out).astype(np.uint8), 1),
        patches=lists if patches_per_block else [],
    )


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
