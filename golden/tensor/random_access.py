"""Parts of a stored tensor: any blocks, any rows, read without the rest.

A block needs its own symbols and those of one window before it. What is asked for is gathered, window by window, into
one short stream and decoded at once, so that rows which a scan scatters over many blocks cost no more than the blocks.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.code.plane_group import PlaneGroup, join_planes
from xorweave.golden.tensor.decode import decode_blocks
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.packed_words import PackedWords

Blocks = NDArray[np.int64]


def runs_of(blocks: Blocks, gap: int) -> list[tuple[int, int]]:
    """Join rising block numbers into runs (first, end); a gap of at most `gap` blocks does not end one."""
    if not blocks.size:
        return []
    cut = np.flatnonzero(np.diff(blocks) > gap + 1)
    firsts, lasts = blocks[np.r_[0, cut + 1]], blocks[np.r_[cut, blocks.size - 1]]
    return [(int(a), int(b) + 1) for a, b in zip(firsts, lasts, strict=True)]


def decode_picked(tensor: EncodedTensor, blocks: Blocks) -> Words:
    """Decode some blocks, and read nothing but their symbols and those of the windows before them.

    Parameters
    ----------
    tensor : EncodedTensor
    blocks : ndarray of int64, shape (b,)
        Rising, each at least 0 and below ``tensor.blocks``.

    Returns
    -------
    ndarray of unsigned words, shape (b, n_out)
        Positions beyond the end of the scan are 0.
    """
    n_out, word = tensor.n_out, tensor.number_format.word
    words = np.zeros((blocks.size, n_out), word)
    if not blocks.size:
        return words
    if tensor.groups:
        parts = [_group_part(group, blocks, tensor.segment_blocks) for group in tensor.groups]
        words = tensor.values.words_of(join_planes(tensor.values.planes, tensor.groups, parts), word)
    kept = np.zeros((blocks.size, n_out), bool)
    for first, end in runs_of(blocks, 0):
        start, stop = first * n_out, min(end * n_out, tensor.scan.length)
        at = int(np.searchsorted(blocks, first))
        here = kept[at : at + end - first].reshape(-1)[: stop - start]
        here[:] = tensor.mask_coder.part(start, stop)
        if isinstance(tensor.values, PackedWords):
            found = tensor.values.under(here, tensor.mask_coder.ones_before(start))
            words[at : at + end - first].reshape(-1)[: stop - start] = found
    words = np.where(kept, words, word.type(0))
    home, place = np.divmod(tensor.patches.positions, n_out)
    row = np.minimum(np.searchsorted(blocks, home), blocks.size - 1)
    patched = blocks[row] == home
    words[row[patched], place[patched]] ^= tensor.patches.differences[patched]
    return words


def _group_part(group: PlaneGroup, blocks: Blocks, period: int) -> NDArray[np.unsignedinteger]:
    """Decode the planes of a group at some blocks: shape (b, n_out)."""
    n_s = group.code.n_s
    pieces, picked, length = [], [], 0
    for first, end in runs_of(blocks, n_s):
        for start in range(first // period * period, end, period):
            a, b = max(first, start), min(end, start + period)
            # what lies before the segment is zeros, not what lies before the run
            reach = max(start, a - n_s)
            pieces += [
                np.zeros((n_s - (a - reach), group.code.n_in), group.symbols.dtype),
                group.symbols[reach:b],
            ]
            picked.append(length + n_s + blocks[np.searchsorted(blocks, a) : np.searchsorted(blocks, b)] - a)
            length += n_s + b - a
    return decode_words(group.code, np.concatenate(pieces))[np.concatenate(picked)]


def decode_rows(tensor: EncodedTensor, first: int, last: int) -> NDArray:
    """Decode rows first .. last - 1 of a tensor: those indices of its first dimension.

    In a row-major scan the rows' weights lie in neighbouring blocks, which with one window are all that is read of
    symbols and mask. The scan ``lanes`` spreads a row over as many blocks as the matrix has columns, and they serve all
    rows of as many lanes; ``affine`` scatters it over the whole stream. There, too, only blocks that hold a weight of
    the rows are read, each with its window. Corrections are read when the tensor is opened, all of them.

    Parameters
    ----------
    tensor : EncodedTensor
    first, last : int

    Returns
    -------
    ndarray, shape (last - first, ...)

    Raises
    ------
    InputError
        There are no such rows.
    """
    rows = tensor.shape[0] if tensor.shape else 1
    if not 0 <= first <= last <= rows:
        raise InputError(f"rows must lie in 0 .. {rows}, not {first} .. {last}")
    side = math.prod(tensor.shape[1:])
    begin, end, n_out = first * side, last * side, tensor.n_out
    if tensor.scan.spec == "row-major":
        low, high = begin // n_out, -(-end // n_out)
        words = decode_blocks(tensor, low, max(low, high))[begin - low * n_out : end - low * n_out]
    else:
        places = tensor.scan.places(np.arange(begin, end, dtype=np.int64))
        has = places >= 0  # what has no place is 0
        blocks, row = np.unique(places[has] // n_out, return_inverse=True)
        words = np.zeros(places.size, tensor.number_format.word)
        words[has] = decode_picked(tensor, blocks)[row, places[has] % n_out]
    return tensor.number_format.from_words(words).reshape(last - first, *tensor.shape[1:])


def decode_block(tensor: EncodedTensor, block: int) -> NDArray:
    """Decode one block: its weights in the order of the scan, shape (n_out,), the last block's shorter.

    Raises
    ------
    InputError
        There is no such block.
    """
    if not 0 <= block < tensor.blocks:
        raise InputError(f"the block must lie in 0 .. {tensor.blocks - 1}, not be {block}")
    return tensor.number_format.from_words(decode_blocks(tensor, block, block + 1))
