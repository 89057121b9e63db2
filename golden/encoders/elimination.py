"""Encoding by elimination in a sliding window: every care bit is one linear equation over GF(2).

A care bit of block t is an equation in the K encoded bits of the symbols x_(t-N_s) .. x_t. Block after block the
equations move along a band. They are taken in order; each is reduced by the rows kept so far and then kept under
its oldest column that is still free, so that the columns about to leave the window are used first. A row that
reduces to nothing is dependent: it holds by luck or is an unmatched bit. Back-substitution from the last symbol to
the first gives the symbols. There are no states, so K can be hundreds; and since all planes share mask and
generator, the right-hand side is an n_w-bit word and one elimination serves all planes.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words
from xorweave.golden.code.code import Code
from xorweave.golden.encoders.bit_scan import trailing_zeros


@njit(cache=True, nogil=True)
def _rotate(generator, n_in, packed):  # type: ignore[no-untyped-def]
    slots = packed.shape[0]
    for r in range(generator.shape[0]):
        for column in range(generator.shape[1]):
            if generator[r, column] == 0:
                continue
            age, b = divmod(column, n_in)
            for phase in range(slots):
                place = (phase - age) % slots * n_in + b
                packed[phase, r, place >> 6] |= np.uint64(1) << np.uint64(place & 63)


def rotated_rows(code: Code) -> NDArray[np.uint64]:
    """Pack the rows of G for each phase of the ring of symbols.

    The window is a ring of n_s + 1 slots of n_in columns; x_t lives in slot t mod (n_s + 1).

    Returns
    -------
    ndarray of uint64, shape (n_s + 1, n_out, words)
        Element [t mod (n_s + 1), r] is row r of block t: ring column slot * n_in + b at bit (column mod 64) of
        word (column // 64); `words` is the constraint length / 64, rounded up to a power of two.
    """
    words = 1 << (-(-code.constraint_length // 64) - 1).bit_length()
    packed = np.zeros((code.n_s + 1, code.n_out, words), np.uint64)
    _rotate(code.generator, code.n_in, packed)
    return packed


def width_of(rows: NDArray[np.uint64]) -> tuple[int, ...]:
    """Return a tuple with as many elements as a row has words.

    A tuple's length belongs to its type, so to the compiler it is a constant: loops over words are unrolled, and
    each width is compiled once and kept on disk.
    """
    return (0,) * rows.shape[-1]


@njit(cache=True, nogil=True)
def _reduce(row, rhs, has, pivot_rows, pivot_rhs, start, width, used=None):  # type: ignore[no-untyped-def]
    # Eliminates `row` from the oldest column (ring bit `start`) on. Returns the oldest free column that is
    # left in the row, or -1 if nothing is left, and the reduced right-hand side; sets the bits of the pivots it took
    # in the ring mask `used`, if there is one. The word at hand stays in a register, so the chain from one pivot to
    # the next is: count zeros, load, exclusive-or.
    words = len(width)
    first = start >> 6
    below = (np.uint64(1) << np.uint64(start & 63)) - np.uint64(1)
    for step in range(words + 1):
        k = first + step
        if k >= words:
            k -= words
        select = ~np.uint64(0)
        if step == 0:
            select = ~below
        elif step == words:
            select = below
        word = row[k]
        known = has[k]
        todo = word & select
        while todo != np.uint64(0):
            bit = trailing_zeros(todo)
            column = (k << 6) + bit
            if (known >> np.uint64(bit)) & np.uint64(1) == np.uint64(0):
                return column, rhs
            for j in range(words):
                row[j] ^= pivot_rows[column, j]
            word ^= pivot_rows[column, k]
            rhs ^= pivot_rhs[column]
            if used is not None:
                used[k] |= np.uint64(1) << np.uint64(bit)
            todo = word & select
    return -1, rhs


@njit(cache=True, nogil=True)
def _load(row, rows, slot, r, exists, width):  # type: ignore[no-untyped-def]
    # Before the stream's first symbols there is nothing: those columns do not exist.
    for j in range(len(width)):
        row[j] = rows[slot, r, j] & exists[j]


@njit(cache=True, nogil=True)
def _keep(row, place, has, pivot_rows, width):  # type: ignore[no-untyped-def]
    has[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
    for j in range(len(width)):
        pivot_rows[place, j] = row[j]


@njit(cache=True, nogil=True)
def eliminate(rows, n_in, mask, places, combinations, width):  # type: ignore[no-untyped-def]
    """Eliminate the equations of a mask, without right-hand sides.

    The equations are the care bits in scan order. places, int64, shape (care bits,): gets the ring column under which
    each is kept, -1 for a dependent one. combinations, uint64, shape (care bits, words), zeros: gets the ring masks of
    the pivots that reduce each; None: not wanted.
    """
    words = len(width)
    slots = rows.shape[0]
    n_out = rows.shape[1]
    n = mask.shape[0]
    has = np.zeros(words, np.uint64)
    exists = np.zeros(words, np.uint64)
    pivot_rows = np.zeros((words * 64, words), np.uint64)
    no_rhs = np.zeros(words * 64, np.uint8)
    row = np.zeros(words, np.uint64)
    m = 0
    for t in range((n + n_out - 1) // n_out):
        slot = t % slots
        for place in range(slot * n_in, (slot + 1) * n_in):
            bit = np.uint64(1) << np.uint64(place & 63)
            exists[place >> 6] |= bit
            has[place >> 6] &= ~bit
        start = ((t + 1) % slots) * n_in
        for r in range(min(n_out, n - t * n_out)):
            if not mask[t * n_out + r]:
                continue
            _load(row, rows, slot, r, exists, width)
            used = None if combinations is None else combinations[m]
            place, _rhs = _reduce(row, np.uint8(0), has, pivot_rows, no_rhs, start, width, used)
            places[m] = place
            if place >= 0:
                _keep(row, place, has, pivot_rows, width)
            m += 1


@njit(cache=True, nogil=True)
def _back_substitute(kept, kept_rows, kept_rhs, n_in, slots, symbols):  # type: ignore[no-untyped-def]
    """Solve the kept rows from the last symbol to the first; free columns become 0. Fills `symbols`.

    kept: bool, one for each encoded bit; kept_rows: uint64 ring masks; kept_rhs: n_w-bit words. The sum of the
    solved words over a row is taken four columns at a time from tables of the sixteen possible sums.
    """
    blocks = symbols.shape[0]
    columns = slots * n_in
    groups = (columns + 3) // 4
    tables = np.zeros((groups, 16), symbols.dtype)
    solved = np.zeros(groups * 4, symbols.dtype)
    for t in range(blocks - 1, -1, -1):
        slot = t % slots
        for b in range(n_in - 1, -1, -1):
            column = t * n_in + b
            place = slot * n_in + b
            value = symbols.dtype.type(0)
            if kept[column]:
                value = kept_rhs[column]
                # the pivot's own bit is in the row: take out what its place held before (a newer block's bit)
                value ^= solved[place]
                for g in range(groups):
                    nibble = (kept_rows[column, g >> 4] >> np.uint64((g & 15) << 2)) & np.uint64(15)
                    value ^= tables[g, np.int64(nibble)]
            symbols[t, b] = value
            change = value ^ solved[place]
            solved[place] = value
            if change != 0:
                group = place >> 2
                bit = 1 << (place & 3)
                for index in range(16):
                    if index & bit:
                        tables[group, index] ^= change


@njit(cache=True, nogil=True)
def _solve(rows, n_in, targets, mask, symbols, width):  # type: ignore[no-untyped-def]
    # As `eliminate`, with the targets as right-hand sides; each kept row is put aside when its column leaves.
    words = len(width)
    slots = rows.shape[0]
    n_out = rows.shape[1]
    blocks = symbols.shape[0]
    n = targets.shape[0]

    has = np.zeros(words, np.uint64)
    exists = np.zeros(words, np.uint64)
    pivot_rows = np.zeros((words * 64, words), np.uint64)
    pivot_rhs = np.zeros(words * 64, targets.dtype)
    row = np.zeros(words, np.uint64)
    kept = np.zeros(blocks * n_in, np.bool_)
    kept_rows = np.empty((blocks * n_in, words), np.uint64)
    kept_rhs = np.empty(blocks * n_in, targets.dtype)

    for t in range(blocks + slots):
        slot = t % slots
        for b in range(n_in):
            place = slot * n_in + b
            bit = np.uint64(1) << np.uint64(place & 63)
            exists[place >> 6] |= bit
            if has[place >> 6] & bit:  # the symbol of `slots` blocks ago leaves the window
                column = (t - slots) * n_in + b
                kept[column] = True
                kept_rhs[column] = pivot_rhs[place]
                for j in range(words):
                    kept_rows[column, j] = pivot_rows[place, j]
                has[place >> 6] ^= bit
        if t >= blocks:
            continue
        start = ((t + 1) % slots) * n_in
        for r in range(min(n_out, n - t * n_out)):
            position = t * n_out + r
            if not mask[position]:
                continue
            _load(row, rows, slot, r, exists, width)
            place, rhs = _reduce(row, targets[position], has, pivot_rows, pivot_rhs, start, width)
            if place >= 0:
                pivot_rhs[place] = rhs
                _keep(row, place, has, pivot_rows, width)
    _back_substitute(kept, kept_rows, kept_rhs, n_in, slots, symbols)


def encode_segment(code: Code, targets: Words, mask: NDArray[np.bool_], rows: NDArray[np.uint64]) -> Words:
    """Encode one segment: find symbols whose decoded block words equal `targets` wherever `mask` is set.

    Parameters
    ----------
    code : Code
    targets : ndarray of unsigned words, shape (n,), scan order
    mask : ndarray of bool, shape (n,), scan order
    rows : ndarray of uint64
        ``rotated_rows(code)``, made once for all segments.

    Returns
    -------
    ndarray of unsigned words, shape (ceil(n / n_out), n_in)
        Greedy: an equation is given up only when it depends on those before it.
    """
    blocks = -(-targets.size // code.n_out)
    symbols = np.zeros((blocks, code.n_in), targets.dtype)
    _solve(rows, code.n_in, np.ascontiguousarray(targets), mask, symbols, width_of(rows))
    return symbols
