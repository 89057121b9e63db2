"""Search for the encoded bits of a shaped mask: elimination for the ones, a beam for the zeros.

A mask bit that must be 1 makes all its parities 1: A linear equations. They are brought into the form in which
each has a newest bit of its own, by elimination from the newest bit to older ones. Going forward in time, such a
bit is then determined by older ones, and every choice of the other, free bits gives all ones right: no path of a
search ends in a one that cannot be had. (Without this, most of a beam dies wherever ones cluster; the ones, not
the zeros, make the demand for encoded bits fluctuate.)

The free bits are then chosen by a beam over the paths, a zero that comes out as a one costing what its value bits
cost. How many paths are needed at a time is foretold: the deficit of free bits against the information that the
zeros ahead need, followed backwards as a queue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.encoders.bit_scan import count_ones
from xorweave.golden.mask.shaped_mask import ShapedMaskCode

_COST_UNIT = 16  # costs are kept in sixteenths of a bit
_HISTOGRAM = 4096
_CHUNK = 512  # steps between two decisions on the bits of the chunk before
_GROWTH = 0.4  # paths double for every 2.5 bits of deficit
MAX_BEAM = 32768


@dataclass(frozen=True, eq=False)
class ShapedMask:
    """An encoded mask.

    Attributes
    ----------
    code : ShapedMaskCode
    symbols : ndarray of uint8 (0 or 1), shape (blocks, n_in)
    decoded : ndarray of bool, shape (n,)
        The mask that comes out.
    false_ones, false_zeros : ndarray of int64
        Positions where it differs from the mask that went in.
    """

    code: ShapedMaskCode
    symbols: NDArray[np.uint8]
    decoded: NDArray[np.bool_]
    false_ones: NDArray[np.int64]
    false_zeros: NDArray[np.int64]

    @property
    def bits(self) -> int:
        """Encoded bits."""
        return int(self.symbols.size)


def encode_mask(
    mask: NDArray[np.bool_],
    code: ShapedMaskCode,
    *,
    cost_of_false_one: float,
    cost_of_false_zero: float = 14.0,
    beam: int = 8192,
) -> ShapedMask:
    """Encode a mask, shape (n,), in scan order.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
    code : ShapedMaskCode
    cost_of_false_one, cost_of_false_zero : float
        Bits that a wrong mask bit costs elsewhere: n_w care bits, or a patch.
    beam : int
        Most paths kept at a time, 1 to 32768. Time grows with it, cost falls.

    Raises
    ------
    InputError
        The beam or a cost is out of range.
    """
    if not 1 <= beam <= MAX_BEAM:
        raise InputError(f"the beam must be between 1 and {MAX_BEAM} paths, not {beam}")
    if not (0 < cost_of_false_one <= 100 and 0 < cost_of_false_zero <= 100):
        raise InputError("a wrong mask bit must cost more than 0 and at most 100 bits")
    wanted = np.ascontiguousarray(mask, np.uint8).reshape(-1)
    n = wanted.size
    steps = code.blocks(n) * code.n_in
    outputs = np.bincount(code.bit_of_output, minlength=code.n_in)
    window_masks = _window_masks(code, outputs)
    pivot = np.zeros(steps, np.bool_)
    pivot_masks = np.zeros(steps, np.uint64)
    pivot_sides = np.zeros(steps, np.uint8)
    _eliminate(wanted, outputs, window_masks, pivot, pivot_masks, pivot_sides)
    q = 2.0**-code.parities
    demand = -np.log2(1 - q + q * 2.0**-cost_of_false_one)
    paths = _paths_needed(wanted, outputs, pivot, demand, beam)
    bits = np.zeros(steps, np.uint8)
    _search(
        wanted,
        outputs,
        window_masks,
        beam,
        round(cost_of_false_zero * _COST_UNIT),
        round(cost_of_false_one * _COST_UNIT),
        pivot,
        pivot_masks,
        pivot_sides,
        paths,
        bits,
    )
    symbols = bits.reshape(-1, code.n_in)
    decoded = code.decode(symbols, n)
    return ShapedMask(
        code=code,
        symbols=symbols,
        decoded=decoded,
        false_ones=np.flatnonzero(decoded & (wanted == 0)),
        false_zeros=np.flatnonzero(~decoded & (wanted == 1)),
    )


def _window_masks(code: ShapedMaskCode, outputs: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Parities as masks over the window, bit i = lag i; shape (n_in, most outputs of a bit, parities)."""
    masks = np.zeros((code.n_in, int(outputs.max()), code.parities), np.uint64)
    first = np.concatenate([[0], np.cumsum(outputs)])
    for r in range(code.n_out):
        bit = code.bit_of_output[r]
        for a in range(code.parities):
            masks[bit, r - first[bit], a] = sum(1 << int(lag) for lag in code.lags[r, a])
    return masks


@njit(cache=True, nogil=True)
def _eliminate(wanted, outputs, window_masks, pivot, masks, sides):  # type: ignore[no-untyped-def]
    """Keep each equation of the ones under a newest bit of its own; drop those that contradict others."""
    one = np.uint64(1)
    n_in, _, parities = window_masks.shape
    position = 0
    for step in range(pivot.size):
        bit = step % n_in
        for j in range(outputs[bit]):
            if position + j >= wanted.size or wanted[position + j] == 0:
                continue
            for a in range(parities):
                row = window_masks[bit, j, a]
                side = np.uint8(1)
                newest = step
                if step < 63:  # encoded bits before the first are 0
                    row &= (one << np.uint64(step + 1)) - one
                while row != 0:
                    while row & one == 0:
                        row >>= one
                        newest -= 1
                    if not pivot[newest]:
                        pivot[newest] = True
                        masks[newest] = row
                        sides[newest] = side
                        break
                    row ^= masks[newest]
                    side ^= sides[newest]
        position += outputs[bit]


@njit(cache=True, nogil=True)
def _paths_needed(wanted, outputs, pivot, demand, beam):  # type: ignore[no-untyped-def]
    """Follow the deficit of free bits backwards and turn it into a number of paths for every step."""
    steps = pivot.size
    paths = np.empty(steps, np.int64)
    first = np.zeros(outputs.size + 1, np.int64)
    for bit in range(outputs.size):
        first[bit + 1] = first[bit] + outputs[bit]
    least = max(16.0, beam / 128.0)
    deficit = 0.0
    for step in range(steps - 1, -1, -1):
        paths[step] = np.int64(min(float(beam), least * 2.0 ** (_GROWTH * min(deficit, 40.0))))
        block = step // outputs.size
        bit = step % outputs.size
        zeros = 0
        for j in range(outputs[bit]):
            position = block * first[-1] + first[bit] + j
            if position < wanted.size and wanted[position] == 0:
                zeros += 1
        deficit = max(0.0, deficit + zeros * demand - (0.0 if pivot[step] else 1.0))
    return paths


@njit(cache=True, nogil=True)
def _add_prices(  # type: ignore[no-untyped-def]
    recent, alive, wanted, position, masks, outputs, false_zero, false_one, ones, zeros, price
):  # fmt: skip
    """Add to price[bit, i] what the outputs of a step cost path i if its next bit is `bit`.

    Every parity takes the next bit (lag 0), so the two bits make complementary parities. Parity by parity over all
    paths, the loops are vector code.
    """
    one = np.uint64(1)
    parities = masks.shape[1]
    for i in range(alive):
        price[0, i] = 0
        price[1, i] = 0
    for j in range(min(outputs, wanted.size - position)):
        for i in range(alive):
            ones[i] = one
            zeros[i] = one
        for a in range(parities):
            older = masks[j, a] >> one
            for i in range(alive):
                word = count_ones(recent[i] & older)
                ones[i] &= word
                zeros[i] &= ~word
        if wanted[position + j]:
            for i in range(alive):
                price[0, i] += false_zero * (1 - np.int32(ones[i]))
                price[1, i] += false_zero * (1 - np.int32(zeros[i]))
        else:
            for i in range(alive):
                price[0, i] += false_one * np.int32(ones[i])
                price[1, i] += false_one * np.int32(zeros[i])


@njit(cache=True, nogil=True)
def _search(  # type: ignore[no-untyped-def]
    wanted, outputs, window_masks, beam, false_zero, false_one, pivot, pivot_masks, pivot_sides, paths, bits
):  # fmt: skip
    """Choose the bits. A path is its last 64 bits, its cost and where it was when the chunk began."""
    one = np.uint64(1)
    steps = bits.size
    n_in = outputs.size
    # one place more than paths: what is not kept is written, too, and overwritten by the next
    recent = np.zeros((2, beam + 1), np.uint64)
    cost = np.zeros((2, beam + 1), np.int32)
    ancestor = np.zeros((2, beam + 1), np.uint16)  # the path's index at the start of the running chunk
    came_from = np.empty((2 * _CHUNK, beam + 1), np.uint16)  # 2 * index + bit
    candidate = np.empty(2 * beam, np.int32)
    histogram = np.empty(_HISTOGRAM + 1, np.int64)
    ones = np.empty(beam, np.uint64)
    zeros = np.empty(beam, np.uint64)
    price = np.empty((2, beam), np.int32)
    never = np.int32(1 << 29)
    alive = 1
    now = 0
    position = 0
    for step in range(steps):
        phase = step % n_in
        m = outputs[phase]
        _add_prices(
            recent[now],
            alive,
            wanted,
            position,
            window_masks[phase],
            m,
            false_zero,
            false_one,
            ones,
            zeros,
            price,
        )
        determined = pivot[step]
        older = pivot_masks[step] >> one
        # no branch depends on a path: half of them would be guessed wrong
        lowest = never
        if determined:
            side = np.int64(pivot_sides[step])
            for i in range(alive):
                must = np.int64(count_ones(recent[now, i] & older) & one) ^ side
                total = cost[now, i] + price[must, i]
                candidate[2 * i + must] = total
                candidate[2 * i + 1 - must] = never
                lowest = min(lowest, total)
        else:
            for i in range(alive):
                for bit in range(2):
                    total = cost[now, i] + price[bit, i]
                    candidate[2 * i + bit] = total
                    lowest = min(lowest, total)
        # keep the cheapest: everything below a limit, and as many as fit at the limit
        limit = _HISTOGRAM
        room = 0
        if (alive if determined else 2 * alive) > paths[step]:
            histogram[:] = 0
            for i in range(2 * alive):
                histogram[min(candidate[i] - lowest, _HISTOGRAM)] += 1
            limit = 0
            room = paths[step]
            while limit < _HISTOGRAM and histogram[limit] <= room:
                room -= histogram[limit]
                limit += 1
        after = 1 - now
        kept = 0
        origin = came_from[step % (2 * _CHUNK)]
        for i in range(2 * alive):
            above = candidate[i] - lowest
            at_limit = np.int64(above == limit) & np.int64(room > 0)
            room -= at_limit
            parent = i >> 1
            recent[after, kept] = (recent[now, parent] << one) | np.uint64(i & 1)
            cost[after, kept] = above
            ancestor[after, kept] = ancestor[now, parent]
            origin[kept] = i
            kept += np.int64(above < limit) | at_limit
        alive = kept
        now = after
        position += m
        if (step + 1) % _CHUNK == 0 and step + 1 < steps:
            alive = _decide(step, now, alive, recent, cost, ancestor, came_from, bits)
    best = 0
    for i in range(alive):
        if cost[now, i] < cost[now, best]:
            best = i
    at = np.int64(best)
    for step in range(steps - 1, max(-1, (steps - 1) // _CHUNK * _CHUNK - _CHUNK - 1), -1):
        choice = np.int64(came_from[step % (2 * _CHUNK), at])
        bits[step] = choice & 1
        at = choice >> 1


@njit(cache=True, nogil=True)
def _decide(step, now, alive, recent, cost, ancestor, came_from, bits):  # type: ignore[no-untyped-def]
    """At the end of a chunk, settle the chunk before it by the best path and drop paths that disagree."""
    best = 0
    for i in range(alive):
        if cost[now, i] < cost[now, best]:
            best = i
    kept = alive
    if step >= _CHUNK:
        root = ancestor[now, best]
        at = np.int64(root)
        for earlier in range(step - _CHUNK, step - 2 * _CHUNK, -1):
            choice = np.int64(came_from[earlier % (2 * _CHUNK), at])
            bits[earlier] = choice & 1
            at = choice >> 1
        kept = 0
        for i in range(alive):
            if ancestor[now, i] == root:
                recent[now, kept] = recent[now, i]
                cost[now, kept] = cost[now, i]
                came_from[step % (2 * _CHUNK), kept] = came_from[step % (2 * _CHUNK), i]
                kept += 1
    for i in range(kept):
        ancestor[now, i] = i
    return kept
