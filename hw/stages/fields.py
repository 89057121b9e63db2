"""Fields of the words on a decoder's streams: their widths, and words made of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def length_bits(n_out: int) -> int:
    """Bits that hold a block length from 0 to n_out."""
    return n_out.bit_length()


def position_bits(n_out: int) -> int:
    """Bits that number the words of a block (at least one, so that the field never vanishes)."""
    return max(1, (n_out - 1).bit_length())


def patch_bits(n_out: int, n_w: int) -> int:
    """Width of one patch: difference (n_w bits, lowest), position, and a valid bit (highest)."""
    return n_w + position_bits(n_out) + 1


def dense_corrections(n_out: int, n_w: int, patches_per_block: int) -> bool:
    """Whether a list of so many patches is no shorter than the difference of every word, without positions."""
    return patches_per_block * patch_bits(n_out, n_w) >= n_out * n_w


def correction_bits(n_out: int, n_w: int, patches_per_block: int) -> int:
    """Width of the correction stage's input: a list of patches, or the differences of all words if that is less."""
    return min(patches_per_block * patch_bits(n_out, n_w), n_out * n_w)


def pack_patch(position: int, difference: int, *, n_out: int, n_w: int) -> int:
    """Return the bits of one valid patch, as the correction stage reads them."""
    return difference | position << n_w | 1 << (n_w + position_bits(n_out))


def beats(records: Sequence[int], width: int, lanes: int, *, ended: bool = True) -> list[int]:
    """Join records of `width` bits to beats as `beat_layout` has them; the last beat may be short, or empty.

    With `ended` the last beat is marked so; without, more may follow, and no beat is empty.
    """
    joined = []
    for start in range(0, len(records) + int(ended), lanes):
        some = records[start : start + lanes]
        word = sum(record << (k * width) for k, record in enumerate(some))
        word |= len(some) << (lanes * width)
        last = ended and start + lanes > len(records)
        joined.append(word | int(last) << (lanes * width + lanes.bit_length()))
    return joined


def packed(words: NDArray[np.unsignedinteger], width: int) -> list[int]:
    """Join each row of words of `width` bits to one integer, word 0 lowest."""
    shifts = np.arange(width, dtype=words.dtype)
    bits = ((words[:, :, None] >> shifts) & words.dtype.type(1)).astype(np.uint8)
    rows = np.packbits(bits.reshape(words.shape[0], -1), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]
