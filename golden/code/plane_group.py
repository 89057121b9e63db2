"""Planes that share a code: their symbols, and how any blocks of them are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_words


@dataclass(frozen=True, eq=False)
class PlaneGroup:
    """Planes with the same care bits, and the code they share.

    Attributes
    ----------
    first, end : int
        Planes first .. end - 1 of what the planes make together, counted from the highest bit of a plane word.
    code : Code
        All groups of a tensor's values have one n_out, and so have all those of its mask.
    symbols : ndarray of unsigned words, shape (blocks, n_in)
        Bit j of ``symbols[t, b]`` is bit b of x_t of plane ``end - 1 - j``.
    """

    first: int
    end: int
    code: Code
    symbols: NDArray[np.unsignedinteger]

    @property
    def planes(self) -> int:
        """Planes of the group."""
        return self.end - self.first


def join_planes(planes: int, groups: Sequence[PlaneGroup], decoded: list[Words]) -> Words:
    """Put the decoded bits of each group, arrays of one shape, in their places of plane words of so many bits."""
    if len(groups) == 1 and groups[0].planes == planes:
        return decoded[0]
    # every weight passes here once for each group: no wider than the planes need
    word = np.min_scalar_type((1 << planes) - 1)
    joined = np.zeros(decoded[0].shape if decoded else (0,), word)
    for group, words in zip(groups, decoded, strict=True):
        joined |= words.astype(word) << word.type(planes - group.end)
    return joined


def decode_groups(
    planes: int, groups: Sequence[PlaneGroup], first: int, last: int, segment_blocks: int
) -> Words:
    """Decode blocks first .. last - 1 of groups and read nothing but their symbols and the window before them.

    Parameters
    ----------
    planes : int
        Bits of a plane word.
    groups : sequence of PlaneGroup
        At least one.
    segment_blocks : int
        The history is cleared before every block t with t % segment_blocks == 0.

    Returns
    -------
    ndarray of plane words, shape ((last - first) * n_out,)
    """
    parts = []
    for group in groups:
        # the segment that is entered with the window before it, then whole segments
        start = first // segment_blocks * segment_blocks
        reach, entered = max(start, first - group.code.n_s), min(last, start + segment_blocks)
        whole = decode_words(group.code, group.symbols[reach:entered])[first - reach :]
        if entered < last:
            rest = decode_words(group.code, group.symbols[entered:last], segment_blocks)
            whole = np.concatenate([whole, rest])
        parts.append(whole.reshape(-1))
    return join_planes(planes, groups, parts)
