"""Inputs of the baseline decoders: a tensor as a bitmap with packed values, or as relative-index entries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words


def relative_entries(words: Words, mask: NDArray[np.bool_], index_bits: int = 4) -> list[int]:
    """Return (zeros before, value) entries, the run lowest; a run too long is broken by an entry of value 0.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (n,)
    mask : ndarray of bool, shape (n,)
        True = kept: has an entry, whatever its value.
    index_bits : int
        Bits of a run.
    """
    longest = (1 << index_bits) - 1
    entries: list[int] = []
    previous = -1
    for position in np.flatnonzero(mask):
        run = int(position) - previous - 1
        while run > longest:
            entries.append(longest)  # stands for `longest` zeros and, as its value, one more
            run -= longest + 1
        entries.append(run | int(words[position]) << index_bits)
        previous = int(position)
    return entries


def packed_blocks(words: Words, n_out: int, n_w: int) -> list[int]:
    """Return the blocks of a tensor, word r of a block in bits ``r * n_w`` and up; the last is padded with zeros."""
    padded = np.zeros(-(-words.size // n_out) * n_out, words.dtype)
    padded[: words.size] = words
    return [sum(int(w) << (r * n_w) for r, w in enumerate(block)) for block in padded.reshape(-1, n_out)]
