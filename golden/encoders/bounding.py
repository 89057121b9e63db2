"""Keeping every block within a bound of patches, so that hardware of fixed width corrects without ever stalling.

Dependent equations come in bursts: when the window has no free column, every further care bit of the block is one.
Giving up a care bit a little earlier frees a column for the burst. So the encoder gives up, before it starts, care
bits in the blocks just before each burst, and encodes again, until no block needs more patches than the bound.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words

# Each round clears most bursts; more than this says that the rate is too high for the bound.
_ROUNDS = 60

Encode = Callable[[NDArray[np.bool_]], tuple[Words, NDArray[np.int64]]]


def encode_bounded(
    encode: Encode, mask: NDArray[np.bool_], n_out: int, reach: int, limit: int
) -> tuple[Words, NDArray[np.int64]]:
    """Encode a segment so that no block has more than `limit` unmatched words.

    Parameters
    ----------
    encode : callable
        Takes a mask of the equations to satisfy, shape (n,), and returns the symbols and the scan positions,
        rising, whose words do not match under the segment's full mask.
    mask : ndarray of bool, shape (n,)
    n_out, reach : int
        Positions of a block, and how many blocks back a given-up care bit still helps (the window's blocks).
    limit : int
        Patches allowed in a block.

    Raises
    ------
    InputError
        The bound cannot be kept at this rate.
    """
    blocks = -(-mask.size // n_out)
    given_up = np.zeros(blocks, np.int64)
    care = np.zeros(blocks * n_out, bool)
    care[: mask.size] = mask
    by_block = [np.flatnonzero(row) + t * n_out for t, row in enumerate(care.reshape(blocks, n_out))]
    for _round in range(_ROUNDS):
        active = mask.copy()
        for t in np.flatnonzero(given_up).tolist():
            active[by_block[t][: given_up[t]]] = False
        symbols, wrong = encode(active)
        needed = np.bincount(wrong // n_out, minlength=blocks)
        if (needed <= limit).all():
            return symbols, wrong
        # room for further give-ups; a given-up bit may match by luck, but is counted as a patch all the same
        room = np.minimum(limit - np.maximum(needed, given_up), [b.size for b in by_block] - given_up)
        before = given_up.copy()
        for t in np.flatnonzero(needed > limit).tolist():
            excess = int(needed[t]) - limit
            for back in range(t - 1, max(-1, t - 4 * reach - 1), -1):
                take = min(excess, max(0, int(room[back])))
                given_up[back] += take
                room[back] -= take
                excess -= take
                if excess == 0:
                    break
        if np.array_equal(given_up, before):
            break  # no block has room for more: every further round would be this one again
    raise InputError(
        f"at most {limit} patches a block cannot be kept at this rate; use a lower rate or a higher bound"
    )
