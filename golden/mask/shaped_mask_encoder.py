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
from xorweave.golden.encoders.bit_scan import count_ones, trailing_zeros
from xorweave.golden.mask.shaped_mask import ShapedMaskCode, encoded_bits_asked

_CHUNK = 512  # free bits between two decisions on those of the chunk before
_GROWTH = 0.4  # paths double for every 2.5 bits of deficit
_NO_LIMIT = 1 << 30
_NEW = 48  # most determined bits in a row that are kept as planes
_DIGITS = 6  # of what a path is charged between two free bits, where every false one costs 1
MAX_BEAM = 32768
MOST_FEE = 63


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
    fees: NDArray[np.int8] | None = None,
) -> ShapedMask:
    """Encode a mask, shape (n,), in scan order.

    Parameters
    ----------
    mask : ndarray of bool, shape (n,)
        True = it must come out as 1.
    code : ShapedMaskCode
    cost_of_false_one : float
        Bits that a false one costs elsewhere; says where the search needs many paths. With `fees`: that a fee of 1
        stands for.
    beam : int
        Most paths kept at a time, 1 to 32768. Time grows with it, cost falls.
    fees : ndarray of int8, same shape, optional
        What a position costs that comes out as 1; if negative, -fee is what it costs if it comes out as 0. From -63
        to 63; 1 everywhere by default. Those of positions that must come out as 1 are not looked at.

    Returns
    -------
    ShapedMask
        Its false ones and false zeros are counted against `mask`, whatever the fees.

    Raises
    ------
    InputError
        The beam, the cost or a fee is out of range.
    """
    if not 1 <= beam <= MAX_BEAM:
        raise InputError(f"the beam must be between 1 and {MAX_BEAM} paths, not {beam}")
    if not 0 < cost_of_false_one <= 100:
        raise InputError(f"a false one must cost more than 0 and at most 100 bits, not {cost_of_false_one}")
    wanted = np.ascontiguousarray(mask, np.uint8).reshape(-1)
    n = wanted.size
    fees = np.ones(n, np.int8) if fees is None else np.ascontiguousarray(fees, np.int8).reshape(-1)
    if fees.size != n or (n and max(int(fees.max()), -int(fees.min())) > MOST_FEE):
        raise InputError(f"there must be {n} fees from {-MOST_FEE} to {MOST_FEE}")
    steps = code.blocks(n) * code.n_in
    outputs, window_masks = code.outputs_of_bit, code.window_masks
    pivot = np.zeros(steps, np.bool_)
    pivot_masks = np.zeros(steps, np.uint64)
    pivot_sides = np.zeros(steps, np.uint8)
    _eliminate(wanted, outputs, window_masks, pivot, pivot_masks, pivot_sides)
    demands = encoded_bits_asked(cost_of_false_one * np.arange(-MOST_FEE, MOST_FEE + 1), code.parities)
    paths = _paths_needed(wanted, fees, outputs, pivot, demands, beam)
    bits = np.zeros(steps, np.uint8)
    _search(wanted, fees, outputs, _lags_of(window_masks), beam, pivot, pivot_masks, pivot_sides, paths, bits)
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


def _lags_of(window_masks: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the lags of every parity, rising, shape (n_in, most outputs of a bit, parities, most taps); 64 is none."""
    set_bits = window_masks[..., None] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
    lags = np.sort(np.where(set_bits != 0, np.arange(64), 64), axis=-1)
    return np.ascontiguousarray(lags[..., : int(set_bits.sum(axis=-1).max())])


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
def _paths_needed(wanted, fees, outputs, pivot, demands, beam):  # type: ignore[no-untyped-def]
    """Follow the deficit of free bits backwards and turn it into a number of paths for every step.

    demands[fee + MOST_FEE]: the encoded bits that a position of this fee asks for.
    """
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
        asked = 0.0
        for j in range(outputs[bit]):
            position = block * first[-1] + first[bit] + j
            if position < wanted.size and wanted[position] == 0:
                asked += demands[np.int64(fees[position]) + MOST_FEE]
        deficit = max(0.0, deficit + asked - (0.0 if pivot[step] else 1.0))
    return paths


@njit(cache=True, nogil=True)
def _to_planes(recent, width, planes):  # type: ignore[no-untyped-def]
    """Turn the words of 64 * width paths into planes: row _NEW + l gets the bits at lag l of all paths.

    Path 64 * w + t is bit t of word w of a plane. Halves of rows are exchanged, as a matrix of 64 x 64 bits is
    transposed.
    """
    for k in range(64):
        row = planes[_NEW + k]
        for w in range(width):
            row[w] = recent[64 * w + k]
    half = 32
    low = np.uint64(0xFFFFFFFF)
    while half:
        shift = np.uint64(half)
        for first in range(0, 64, 2 * half):
            for k in range(_NEW + first, _NEW + first + half):
                one, two = planes[k], planes[k + half]
                for w in range(width):
                    change = (one[w] >> shift ^ two[w]) & low
                    one[w] ^= change << shift
                    two[w] ^= change
        half >>= 1
        low ^= low << np.uint64(half)


@njit(cache=True, nogil=True)
def _determine(planes, top, mask, side, width):  # type: ignore[no-untyped-def]
    """Make the plane of a bit that is determined by those before it."""
    newest = planes[top]
    newest[:width] = ~np.uint64(0) if side else np.uint64(0)
    left = mask >> np.uint64(1)
    while left:
        older = planes[top + 1 + trailing_zeros(left)]
        left &= left - np.uint64(1)
        for w in range(width):
            newest[w] ^= older[w]


@njit(cache=True, nogil=True)
def _row(top, lags, a, k):  # type: ignore[no-untyped-def]
    """Return the row of a parity's lag k; of a lag that there is not, the row that is empty."""
    lag = lags[a, k] if k < lags.shape[1] else 64
    return top + lag if lag < 64 else _NEW + 64


@njit(cache=True, nogil=True)
def _all_odd(planes, top, lags, width, parity, odd, even):  # type: ignore[no-untyped-def]
    """Set `odd` and `even`: paths whose parities of these lags, shape (parities, taps), are all 1, and all 0.

    Row top + l of `planes` is lag l; the last row is empty, for lags that there are not.
    """
    odd[:width] = ~np.uint64(0)
    even[:width] = ~np.uint64(0)
    for a in range(lags.shape[0]):
        for first in range(0, lags.shape[1], 3):
            one = planes[_row(top, lags, a, first)]
            two = planes[_row(top, lags, a, first + 1)]
            three = planes[_row(top, lags, a, first + 2)]
            if first == 0:
                for w in range(width):
                    parity[w] = one[w] ^ two[w] ^ three[w]
            else:
                for w in range(width):
                    parity[w] ^= one[w] ^ two[w] ^ three[w]
        for w in range(width):
            odd[w] &= parity[w]
            even[w] &= ~parity[w]


@njit(cache=True, nogil=True)
def _count(flags, counter, first, digits, width):  # type: ignore[no-untyped-def]
    """Add 2^first to the numbers of the paths in `flags`, which is used up; row b of `counter` has their bits b."""
    for b in range(first, digits):
        for w in range(width):
            was = counter[b, w]
            counter[b, w] = was ^ flags[w]
            flags[w] &= was


@njit(cache=True, nogil=True)
def _charge(flags, fee, counter, digits, width, carry):  # type: ignore[no-untyped-def]
    """Add what an output costs to the numbers of the paths that pay it; `flags` and `carry` are used up.

    `flags` are the paths on which it comes out as 1. They pay `fee`; if it is negative, the others pay -fee.
    """
    left = abs(fee)
    if fee < 0:
        for w in range(width):
            flags[w] = ~flags[w]
    place = 0
    while left > 1:
        if left & 1:
            carry[:width] = flags[:width]
            _count(carry, counter, place, digits, width)
        left >>= 1
        place += 1
    _count(flags, counter, place, digits, width)


@njit(cache=True, nogil=True)
def _add_numbers(counter, digits, width, cost):  # type: ignore[no-untyped-def]
    """Add the numbers of `counter`, of so many digits, to the costs of the paths."""
    for b in range(digits):
        place = np.uint64(b)
        for w in range(width):
            word = counter[b, w]
            for t in range(64):
                cost[64 * w + t] += np.int32((word >> np.uint64(t) & np.uint64(1)) << place)


@njit(cache=True, nogil=True)
def _append_bits(planes, top, width, recent):  # type: ignore[no-untyped-def]
    """Append to the words of paths the bits that came since they were turned into planes, from row _NEW - 1 to top."""
    for row in range(_NEW - 1, top - 1, -1):
        for w in range(width):
            word = planes[row, w]
            for t in range(64):
                recent[64 * w + t] = recent[64 * w + t] << np.uint64(1) | word >> np.uint64(t) & np.uint64(1)


@njit(cache=True, nogil=True)
def _digits(counted):  # type: ignore[no-untyped-def]
    digits = 0
    while counted >> digits:
        digits += 1
    return digits


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
def _ties_kept(price, alive, bound, room):  # type: ignore[no-untyped-def]
    """Return p: of the continuations that cost `bound`, path by path, the first `room` are among the first p of all."""
    if room == 0:
        return 0
    for first in range(0, alive, 64):
        last = min(first + 64, alive)
        ties = 0
        for i in range(first, last):
            ties += np.int64(price[0, i] == bound) + np.int64(price[1, i] == bound)
        if ties < room:
            room -= ties
            continue
        for i in range(first, last):
            for bit in range(2):
                room -= np.int64(price[bit, i] == bound)
                if room == 0:
                    return 2 * i + bit + 1
    return 2 * alive


@njit(cache=True, nogil=True)
def _survivors(price, alive, bound, room, origin):  # type: ignore[no-untyped-def]
    """List the continuations, 2 * path + bit, that cost less than `bound`, and the first `room` that cost as much.

    Returns how many there are.

    No branch depends on a path: half of them would be guessed wrong.
    """
    kept = 0
    ties = _ties_kept(price, alive, bound, room)
    for i in range(ties // 2):
        for bit in range(2):
            origin[kept] = 2 * i + bit
            kept += np.int64(price[bit, i] <= bound)
    if ties % 2:
        origin[kept] = ties - 1
        kept += np.int64(price[0, ties // 2] <= bound)
        origin[kept] = ties
        kept += np.int64(price[1, ties // 2] < bound)
    for i in range((ties + 1) // 2, alive):
        for bit in range(2):
            origin[kept] = 2 * i + bit
            kept += np.int64(price[bit, i] < bound)
    return kept


@njit(cache=True, nogil=True)
def _search(  # type: ignore[no-untyped-def]
    wanted, fees, outputs, lags, beam, pivot, pivot_masks, pivot_sides, paths, bits
):  # fmt: skip
    """Choose the free bits. A path is its last 64 bits, its cost and where it was when the chunk began.

    From one free bit to the next, nothing is compared: there the bits and false ones of 64 paths are made together,
    in planes.
    """
    places = -(-(beam + 1) // 64) * 64
    # one place more than paths: what is not kept is written, too, and overwritten by the next
    recent = np.zeros((2, places), np.uint64)
    cost = np.zeros((2, places), np.int32)
    ancestor = np.zeros((2, places), np.uint16)  # the path's index at the start of the running chunk
    came_from = np.empty((2 * _CHUNK, places), np.uint16)  # 2 * index + bit
    step_of = np.empty(2 * _CHUNK, np.int64)
    planes = np.zeros((_NEW + 64 + 1, places // 64), np.uint64)
    parity, odd, even, carry = np.zeros((4, places // 64), np.uint64)
    most = max(1, np.abs(fees).max()) if fees.size else 1
    digits = _DIGITS + _digits(most) - 1
    counter = np.zeros((2, digits, places // 64), np.uint64)
    price = np.zeros((2, places), np.int32)
    alive, width, now, position, free, limit = 1, 1, 0, 0, 0, 0
    top = _NEW  # row of the newest bits
    counted = 0  # what a path may have been charged since it was added to its cost
    for step in range(bits.size):
        phase = step % outputs.size
        end = min(outputs[phase], wanted.size - position)
        if counted + end * most >= 1 << digits or top == 0:
            _add_numbers(counter[0], digits, width, cost[now])
            _append_bits(planes, top, width, recent[now])
            _to_planes(recent[now], width, planes)
            counter[0, :, :width] = 0
            counted, top = 0, _NEW
        if pivot[step]:
            top -= 1
            _determine(planes, top, pivot_masks[step], pivot_sides[step], width)
            for j in range(end):
                fee = np.int64(fees[position + j])
                if wanted[position + j] == 0 and fee != 0:
                    counted += abs(fee)
                    _all_odd(planes, top, lags[phase, j], width, parity, odd, even)
                    if fee == 1:  # by far the most frequent
                        _count(odd, counter[0], 0, _digits(counted), width)
                    else:
                        _charge(odd, fee, counter[0], _digits(counted), width, carry)
            position += outputs[phase]
            continue
        # the next bit, lag 0 of every parity, is 0 or 1: parities are as without it, or all turned
        counter[1, :, :width] = counter[0, :, :width]
        for j in range(end):
            fee = np.int64(fees[position + j])
            if wanted[position + j] == 0 and fee != 0:
                counted += abs(fee)
                _all_odd(planes, top - 1, lags[phase, j, :, 1:], width, parity, odd, even)
                if fee == 1:
                    _count(odd, counter[0], 0, _digits(counted), width)
                    _count(even, counter[1], 0, _digits(counted), width)
                else:
                    _charge(odd, fee, counter[0], _digits(counted), width, carry)
                    _charge(even, fee, counter[1], _digits(counted), width, carry)
        position += outputs[phase]
        for bit in range(2):
            price[bit, : 64 * width] = cost[now, : 64 * width]
            _add_numbers(counter[bit], _digits(counted), width, price[bit])
        _append_bits(planes, top, width, recent[now])
        bound, room = _NO_LIMIT, 0
        if 2 * alive > paths[step]:
            limit, room = _last_kept_cost(price, alive, paths[step], limit)
            bound = limit
        origin = came_from[free % (2 * _CHUNK)]
        step_of[free % (2 * _CHUNK)] = step
        after = 1 - now
        kept = _survivors(price, alive, bound, room, origin)
        for k in range(kept):
            i, bit = np.int64(origin[k]) >> 1, np.int64(origin[k]) & 1
            recent[after, k] = recent[now, i] << np.uint64(1) | np.uint64(bit)
            cost[after, k] = price[bit, i]
            ancestor[after, k] = ancestor[now, i]
        alive = kept
        now = after
        free += 1
        if free % _CHUNK == 0:
            alive = _decide(free, now, alive, recent, cost, ancestor, came_from, step_of, bits)
        width = (alive + 63) // 64
        _to_planes(recent[now], width, planes)
        counter[:, :, :width] = 0
        counted, top = 0, _NEW
    # what a last run of determined bits costs decides, too
    _add_numbers(counter[0], digits, width, cost[now])
    best = np.int64(_cheapest(cost[now], alive))
    _settle(best, free, max(0, free // _CHUNK * _CHUNK - _CHUNK), came_from, step_of, bits)


@njit(cache=True, nogil=True)
def _cheapest(cost, alive):  # type: ignore[no-untyped-def]
    best = 0
    for i in range(alive):
        if cost[i] < cost[best]:
            best = i
    return best


@njit(cache=True, nogil=True)
def _settle(path, end, start, came_from, step_of, bits):  # type: ignore[no-untyped-def]
    """Set the free bits from number start to end - 1, those that lead to `path`."""
    for earlier in range(end - 1, start - 1, -1):
        choice = np.int64(came_from[earlier % (2 * _CHUNK), path])
        bits[step_of[earlier % (2 * _CHUNK)]] = choice & 1
        path = choice >> 1


@njit(cache=True, nogil=True)
def _decide(free, now, alive, recent, cost, ancestor, came_from, step_of, bits):  # type: ignore[no-untyped-def]
    """At the end of a chunk, settle the chunk before it by the best path and drop paths that disagree."""
    kept = alive
    if free >= 2 * _CHUNK:
        root = ancestor[now, _cheapest(cost[now], alive)]
        _settle(np.int64(root), free - _CHUNK, free - 2 * _CHUNK, came_from, step_of, bits)
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
