"""Search for the encoded bits of a shaped mask: elimination for the ones, a beam for the zeros.

A mask bit that must be 1 makes all its parities 1: A linear equations. They are brought into the form in which
each has a newest bit of its own, by elimination from the newest bit to older ones. Going forward in time, such a
bit is then determined by older ones, and every choice of the other, free bits gives all ones right: no path of a
search ends in a one that cannot be had. (Without this, most of a beam dies wherever ones cluster; the ones, not
the zeros, make the demand for encoded bits fluctuate.)

The free bits are then chosen by a beam over the paths, for the fewest zeros that come out as ones. The ones cost all
paths the same: an equation that was kept holds on every path, and one that contradicts others on none. How many paths
are needed at a time is foretold: the deficit of free bits against the information that the zeros ahead need, followed
backwards as a queue.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.encoders.bit_scan import count_ones
from xorweave.golden.mask.shaped_mask import ShapedMaskCode

_CHUNK = 512  # free bits between two decisions on those of the chunk before
_GROWTH = 0.4  # paths double for every 2.5 bits of deficit
_NO_LIMIT = 1 << 30
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
    beam: int = 8192,
) -> ShapedMask:
    """Encode a mask, shape (n,), in scan order.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
    code : ShapedMaskCode
    cost_of_false_one : float
        Bits that a false one costs elsewhere; says where the search needs many paths.
    beam : int
        Most paths kept at a time, 1 to 32768. Time grows with it, cost falls.

    Raises
    ------
    InputError
        The beam or the cost is out of range.
    """
    if not 1 <= beam <= MAX_BEAM:
        raise InputError(f"the beam must be between 1 and {MAX_BEAM} paths, not {beam}")
    if not 0 < cost_of_false_one <= 100:
        raise InputError(f"a false one must cost more than 0 and at most 100 bits, not {cost_of_false_one}")
    wanted = np.ascontiguousarray(mask, np.uint8).reshape(-1)
    n = wanted.size
    steps = code.blocks(n) * code.n_in
    outputs, window_masks = code.outputs_of_bit, code.window_masks
    pivot = np.zeros(steps, np.bool_)
    pivot_masks = np.zeros(steps, np.uint64)
    pivot_sides = np.zeros(steps, np.uint8)
    _eliminate(wanted, outputs, window_masks, pivot, pivot_masks, pivot_sides)
    q = 2.0**-code.parities
    demand = -np.log2(1 - q + q * 2.0**-cost_of_false_one)
    paths = _paths_needed(wanted, outputs, pivot, demand, beam)
    bits = np.zeros(steps, np.uint8)
    _search(wanted, outputs, window_masks, beam, pivot, pivot_masks, pivot_sides, paths, bits)
    _fill_determined(pivot, pivot_masks, pivot_sides, bits)
    symbols = bits.reshape(-1, code.n_in)
    decoded = code.decode(symbols, n)
    return ShapedMask(
        code=code,
        symbols=symbols,
        decoded=decoded,
        false_ones=np.flatnonzero(decoded & (wanted == 0)),
        false_zeros=np.flatnonzero(~decoded & (wanted == 1)),
    )


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
def _add_false_ones(recent, alive, masks, ones, cost):  # type: ignore[no-untyped-def]
    """Add to the cost of each path whether a mask bit comes out as 1. Loop by loop, this is vector code."""
    one = np.uint64(1)
    for i in range(alive):
        ones[i] = one
    for mask in masks:
        for i in range(alive):
            ones[i] &= count_ones(recent[i] & mask)
    for i in range(alive):
        cost[i] += np.int32(ones[i])


@njit(cache=True, nogil=True)
def _add_false_ones_of_both(recent, alive, masks, ones, zeros, price):  # type: ignore[no-untyped-def]
    """Add to price[bit, i] whether a mask bit comes out as 1 if the next bit of path i is `bit`.

    Every parity takes the next bit (lag 0), so the two bits make complementary parities.
    """
    one = np.uint64(1)
    for i in range(alive):
        ones[i] = one
        zeros[i] = one
    for mask in masks:
        older = mask >> one
        for i in range(alive):
            word = count_ones(recent[i] & older)
            ones[i] &= word
            zeros[i] &= ~word
    for i in range(alive):
        price[0, i] += np.int32(ones[i])
        price[1, i] += np.int32(zeros[i])


@njit(cache=True, nogil=True)
def _last_kept_cost(price, alive, most, guess):  # type: ignore[no-untyped-def]
    """Return (limit, room): the `most` cheapest cost less than `limit`, or `limit` for `room` of them."""
    while True:
        below = 0
        equal = 0
        for bit in range(2):
            for i in range(alive):
                below += price[bit, i] < guess
                equal += price[bit, i] == guess
        if below > most:
            guess -= 1
        elif below + equal <= most:
            guess += 1
        else:
            return guess, most - below


@njit(cache=True, nogil=True)
def _search(  # type: ignore[no-untyped-def]
    wanted, outputs, window_masks, beam, pivot, pivot_masks, pivot_sides, paths, bits
):  # fmt: skip
    """Choose the free bits. A path is its last 64 bits, its cost and where it was when the chunk began."""
    one = np.uint64(1)
    # one place more than paths: what is not kept is written, too, and overwritten by the next
    recent = np.zeros((2, beam + 1), np.uint64)
    cost = np.zeros((2, beam + 1), np.int32)
    ancestor = np.zeros((2, beam + 1), np.uint16)  # the path's index at the start of the running chunk
    came_from = np.empty((2 * _CHUNK, beam + 1), np.uint16)  # 2 * index + bit
    step_of = np.empty(2 * _CHUNK, np.int64)
    ones = np.empty(beam, np.uint64)
    zeros = np.empty(beam, np.uint64)
    price = np.empty((2, beam), np.int32)
    alive = 1
    now = 0
    position = 0
    free = 0
    limit = 0
    for step in range(bits.size):
        phase = step % outputs.size
        end = min(outputs[phase], wanted.size - position)
        if pivot[step]:
            older = pivot_masks[step] >> one
            side = np.uint64(pivot_sides[step])
            for i in range(alive):
                word = recent[now, i]
                recent[now, i] = word << one | (count_ones(word & older) & one) ^ side
            for j in range(end):
                if wanted[position + j] == 0:
                    _add_false_ones(recent[now], alive, window_masks[phase, j], ones, cost[now])
            position += outputs[phase]
            continue
        price[0, :alive] = cost[now, :alive]
        price[1, :alive] = cost[now, :alive]
        for j in range(end):
            if wanted[position + j] == 0:
                _add_false_ones_of_both(recent[now], alive, window_masks[phase, j], ones, zeros, price)
        position += outputs[phase]
        most = paths[step]
        room = 0
        if 2 * alive > most:
            limit, room = _last_kept_cost(price, alive, most, limit)
        origin = came_from[free % (2 * _CHUNK)]
        step_of[free % (2 * _CHUNK)] = step
        # no branch depends on a path: half of them would be guessed wrong
        bound = limit if 2 * alive > most else _NO_LIMIT
        after = 1 - now
        kept = 0
        for i in range(alive):
            for bit in range(2):
                value = price[bit, i]
                recent[after, kept] = recent[now, i] << one | np.uint64(bit)
                cost[after, kept] = value
                ancestor[after, kept] = ancestor[now, i]
                origin[kept] = 2 * i + bit
                at_limit = np.int64(value == bound) & np.int64(room > 0)
                room -= at_limit
                kept += np.int64(value < bound) | at_limit
        alive = kept
        now = after
        free += 1
        if free % _CHUNK == 0:
            alive = _decide(free, now, alive, recent, cost, ancestor, came_from, step_of, bits)
    at = np.int64(_cheapest(cost[now], alive))
    for earlier in range(free - 1, max(0, free // _CHUNK * _CHUNK - _CHUNK) - 1, -1):
        choice = np.int64(came_from[earlier % (2 * _CHUNK), at])
        bits[step_of[earlier % (2 * _CHUNK)]] = choice & 1
        at = choice >> 1


@njit(cache=True, nogil=True)
def _cheapest(cost, alive):  # type: ignore[no-untyped-def]
    best = 0
    for i in range(alive):
        if cost[i] < cost[best]:
            best = i
    return best


@njit(cache=True, nogil=True)
def _decide(free, now, alive, recent, cost, ancestor, came_from, step_of, bits):  # type: ignore[no-untyped-def]
    """At the end of a chunk, settle the chunk before it by the best path and drop paths that disagree."""
    kept = alive
    if free >= 2 * _CHUNK:
        root = ancestor[now, _cheapest(cost[now], alive)]
        at = np.int64(root)
        for earlier in range(free - _CHUNK - 1, free - 2 * _CHUNK - 1, -1):
            choice = np.int64(came_from[earlier % (2 * _CHUNK), at])
            bits[step_of[earlier % (2 * _CHUNK)]] = choice & 1
            at = choice >> 1
        kept = 0
        origin = came_from[(free - 1) % (2 * _CHUNK)]
        for i in range(alive):
            if ancestor[now, i] == root:
                recent[now, kept] = recent[now, i]
                cost[now, kept] = cost[now, i]
                origin[kept] = origin[i]
                kept += 1
    for i in range(kept):
        ancestor[now, i] = i
    return kept


@njit(cache=True, nogil=True)
def _fill_determined(pivot, masks, sides, bits):  # type: ignore[no-untyped-def]
    """Set the bits that are determined by those before them."""
    one = np.uint64(1)
    recent = np.uint64(0)
    for step in range(bits.size):
        if pivot[step]:
            bits[step] = count_ones(recent & masks[step] >> one) & one ^ np.uint64(sides[step])
        recent = recent << one | np.uint64(bits[step])
