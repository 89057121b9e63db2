"""From the stored tensor back to words, any blocks of it: XOR decoders, value coder, mask, patches."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.code.plane_group import decode_groups
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.packed_words import PackedWords

_PIECE = 1 << 20  # positions or symbols that are decoded together


def decode_blocks(tensor: EncodedTensor, first: int, last: int) -> Words:
    """Decode blocks first .. last - 1 and read nothing but their symbols and those of the window before them.

    Returns
    -------
    ndarray of unsigned words, shape (positions,)
        In scan order; the last block of the tensor may be shorter.

    Raises
    ------
    InputError
        There are no such blocks.
    """
    if not 0 <= first <= last <= tensor.blocks:
        raise InputError(f"blocks must lie in 0 .. {tensor.blocks}, not {first} .. {last}")
    word, n_out = tensor.number_format.word, tensor.n_out
    begin, end = (min(block * n_out, tensor.scan.length) for block in (first, last))
    words = np.zeros(end - begin, word)
    if tensor.groups:
        planes = decode_groups(tensor.values.planes, tensor.groups, first, last, tensor.segment_blocks)
        words = tensor.values.words_of(planes[: end - begin], word)
    kept = tensor.mask_coder.part(begin, end)
    if isinstance(tensor.values, PackedWords):
        words = tensor.values.under(kept, tensor.mask_coder.ones_before(begin))
    words = words * kept
    at = tensor.patches.positions
    here = slice(np.searchsorted(at, begin), np.searchsorted(at, end))
    words[at[here] - begin] ^= tensor.patches.differences[here]
    return words


def decode_scan(tensor: EncodedTensor) -> Words:
    """Decode to words in scan order, shape (scan.length,), exactly as the hardware pipeline does."""
    words = np.empty(tensor.scan.length, tensor.number_format.word)
    n_out = tensor.n_out
    # a piece at a time: unpacked symbols may be many times the size of packed ones, and of the words
    widest = max([n_out, *(group.code.n_in for group in tensor.groups)])
    window = max((group.code.n_s for group in tensor.groups), default=0)
    step = max(1, window, _PIECE // widest)
    for first in range(0, tensor.blocks, step):
        last = min(first + step, tensor.blocks)
        words[first * n_out : last * n_out] = decode_blocks(tensor, first, last)
    return words


def checksum_of(words: Words) -> int:
    """Return the CRC-32 of words, each in little-endian bytes."""
    return zlib.crc32(np.ascontiguousarray(words, words.dtype.newbyteorder("<")).view(np.uint8).data)


def segment_checksums(tensor_blocks: int, segment_blocks: int, n_out: int, words: Words) -> tuple[int, ...]:
    """Return the checksum of each segment's words, given in scan order; none where there is one segment."""
    if segment_blocks >= tensor_blocks:
        return ()
    step = segment_blocks * n_out * words.itemsize
    # bytes, not arrays: of segments of one block there may be millions
    data = np.ascontiguousarray(words, words.dtype.newbyteorder("<")).view(np.uint8).data
    return tuple(zlib.crc32(data[at : at + step]) for at in range(0, len(data), step))


def decode_tensor(tensor: EncodedTensor) -> NDArray:
    """Decode to the tensor that was encoded, bit for bit; pruned weights are the zero of their type.

    Raises
    ------
    InputError
        The words are not those that were encoded: their checksum is another. What is stored is damaged.
    """
    words = tensor.scan.from_scan(decode_scan(tensor))
    if tensor.checksum is not None and checksum_of(words) != tensor.checksum:
        raise InputError("the stored tensor is damaged: the checksum of its decoded words is another")
    return tensor.number_format.from_words(words).reshape(tensor.shape)
