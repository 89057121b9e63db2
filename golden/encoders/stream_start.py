"""Where to start a stream, so that every kept weight can be encoded whatever its value.

A stream starts with an empty history: its first blocks must do with the columns of the first symbols. The scan is a
ring, so it may start anywhere; started where the blocks that follow have the fewest care bits, nothing is short. What
is left are rare rings among the equations of a structured code. They depend on where the blocks' borders fall, so a
start a position further on deals all of them anew.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.code import Code
from xorweave.golden.encoders.elimination import eliminate, rotated_rows, width_of


def best_start(mask: NDArray[np.bool_], code: Code, phase: int = 0) -> int:
    """Return the position to start the scan at, so that the window never runs short of columns near its start.

    Block after block, N_in columns come and the block's care bits take some. Of all starts this is the one whose
    smallest surplus of columns, over all prefixes of the ring of blocks, is the largest. (If columns suffice in all, no
    prefix runs short: the cycle lemma.)

    Parameters
    ----------
    mask : ndarray of bool, shape (n,), scan order
    code : Code
    phase : int
        Position of the blocks' borders: the start is ``phase`` plus a whole number of blocks, modulo n.
    """
    blocks = mask.size // code.n_out
    if blocks < 2:
        return phase % max(1, mask.size)
    care = np.roll(mask, -phase)[: blocks * code.n_out].reshape(blocks, code.n_out).sum(axis=1)
    balance = np.cumsum(code.n_in - care)
    before = np.concatenate(([0], balance[:-1]))
    # prefixes that end before the ring closes, and those that go on from its beginning
    rest = np.minimum.accumulate(balance[::-1])[::-1]
    wrapped = (
        np.minimum.accumulate(np.concatenate(([np.iinfo(np.int64).max >> 1], balance[:-1]))) + balance[-1]
    )
    least = np.minimum(rest, wrapped) - before
    return int(phase + int(np.argmax(least)) * code.n_out) % mask.size


def dependent_positions(code: Code, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the scan positions whose equation depends on those of the kept positions before it.

    Without any, every choice of values under this mask is encoded without an unmatched bit.

    Parameters
    ----------
    code : Code
    mask : ndarray of bool, shape (n,), scan order

    Returns
    -------
    ndarray of int64, rising
    """
    rows = rotated_rows(code)
    care = np.flatnonzero(mask)
    places = np.empty(care.size, np.int64)
    eliminate(rows, code.n_in, np.ascontiguousarray(mask), places, None, width_of(rows))
    return care[places < 0]


def error_free_start(mask: NDArray[np.bool_], code: Code, tries: int = 16) -> tuple[int | None, int]:
    """Find a start from which every value under this mask can be encoded.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,), scan order
        The scan is taken as a ring: a start at p encodes positions p .. n - 1, then 0 .. p - 1.
    code : Code
    tries : int
        Starts to look at, each with the blocks' borders a position further on.

    Returns
    -------
    (int or None, int)
        The start, or None if none of them serves; and how many were looked at.
    """
    for attempt in range(tries):
        start = best_start(mask, code, attempt)
        if not dependent_positions(code, np.roll(mask, -start)).size:
            return start, attempt + 1
    return None, tries
