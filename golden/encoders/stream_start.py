"""Where to start a stream, so that every kept weight can be encoded whatever its value.

A stream starts with an empty history: its first blocks must do with the columns of the first symbols. The scan is a
ring, so it may start anywhere; started where the blocks that follow have the fewest care bits, nothing is short. What
is left are rare rings among the equations of a structured code. They depend on where the blocks' borders fall, so a
start a position further on deals all of them anew.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.code.code import Code
from xorweave.golden.encoders.elimination import reduce_row, rotated_rows, width_of


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


@njit(cache=True, nogil=True)
def _dependent(rows, n_in, mask, found, width):  # type: ignore[no-untyped-def]
    # elimination as in `solve_segment`, without right-hand sides: writes the dependent positions to `found`
    words = len(width)
    slots = rows.shape[0]
    n_out = rows.shape[1]
    has = np.zeros(words, np.uint64)
    exists = np.zeros(words, np.uint64)
    pivot_rows = np.zeros((words * 64, words), np.uint64)
    no_rhs = np.zeros(words * 64, np.uint8)
    row = np.zeros(words, np.uint64)
    count = 0
    for t in range((mask.size + n_out - 1) // n_out):
        slot = t % slots
        for b in range(n_in):
            place = slot * n_in + b
            bit = np.uint64(1) << np.uint64(place & 63)
            exists[place >> 6] |= bit
            has[place >> 6] &= ~bit
        start = ((t + 1) % slots) * n_in
        for r in range(min(n_out, mask.size - t * n_out)):
            if not mask[t * n_out + r]:
                continue
            for j in range(words):
                row[j] = rows[slot, r, j] & exists[j]
            place, _rhs = reduce_row(row, np.uint8(0), has, pivot_rows, no_rhs, start, width)
            if place < 0:
                if count < found.size:
                    found[count] = t * n_out + r
                count += 1
                continue
            has[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
            for j in range(words):
                pivot_rows[place, j] = row[j]
    return count


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
    found = np.zeros(int(np.count_nonzero(mask)), np.int64)
    count = _dependent(rows, code.n_in, np.ascontiguousarray(mask), found, width_of(rows))
    return found[:count]


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
