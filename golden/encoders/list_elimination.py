"""A list of right-hand sides on top of elimination: fewer unmatched bits from the same window.

Greedy elimination satisfies every independent equation and lets dependent ones fall as they may. Giving up an
independent equation on purpose (cost 1) changes right-hand sides in the window, and may satisfy several dependent
ones later. All alternatives share the echelon form, which depends on the mask alone; they differ in the right-hand
sides of the rows in the window, one bit a row and plane. So the elimination runs once for all planes, recording for
each equation which kept rows reduce it, and then each plane keeps up to N alternatives, the cheapest ones, and merges
those that have become equal when columns leave the window. With no limit this is the exact optimum.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.code.code import Code
from xorweave.golden.encoders.elimination import eliminate, encode_segment, rotated_rows, width_of

# Alternatives beyond this would take gigabytes; exactness is then the trellis's business.
MAX_ALTERNATIVES = 1 << 20


# An alternative is a column of `states`; its right-hand sides, a ring mask, are a row of `sides`.
_COST, _NEWEST, _TIP = 0, 1, 2  # equations given up; the last of them; its node in `nodes`, -1: none
# A node is an equation that was given up, and the node of the one given up before it (-1: none).
_EQUATION, _BEFORE = 0, 1


@njit(cache=True, nogil=True)
def _parity(a, b, width):  # type: ignore[no-untyped-def]
    fold = np.uint64(0)
    for j in range(len(width)):
        fold ^= a[j] & b[j]
    fold ^= fold >> np.uint64(32)
    fold ^= fold >> np.uint64(16)
    fold ^= fold >> np.uint64(8)
    fold ^= fold >> np.uint64(4)
    fold ^= fold >> np.uint64(2)
    fold ^= fold >> np.uint64(1)
    return fold & np.uint64(1)


@njit(cache=True, nogil=True)
def _drop_slot(sides, count, slot, n_in, width):  # type: ignore[no-untyped-def]
    # The symbol in this slot leaves the window, and its right-hand sides with it.
    leaving = np.zeros(len(width), np.uint64)
    for place in range(slot * n_in, (slot + 1) * n_in):
        leaving[place >> 6] |= np.uint64(1) << np.uint64(place & 63)
    for a in range(count):
        for j in range(len(width)):
            sides[a, j] &= ~leaving[j]


@njit(cache=True, nogil=True)
def _merge(sides, states, count, width):  # type: ignore[no-untyped-def]
    # Equal right-hand sides have the same future: of such alternatives the cheapest stays, among equals the one
    # whose last give-up is newest. Returns how many are left.
    mixed = np.empty(count, np.uint64)
    for a in range(count):
        h = np.uint64(0)
        for j in range(len(width)):
            h = (h ^ sides[a, j]) * np.uint64(0x9E3779B97F4A7C15)
            h ^= h >> np.uint64(29)
        mixed[a] = h
    order = np.argsort(mixed)
    keep = np.ones(count, np.bool_)
    leader = order[0]
    for i in range(1, count):
        a = order[i]
        same = mixed[a] == mixed[leader]
        if same:
            for j in range(len(width)):
                same = same and sides[a, j] == sides[leader, j]
        if not same:
            leader = a
        elif states[_COST, a] < states[_COST, leader] or (
            states[_COST, a] == states[_COST, leader] and states[_NEWEST, a] > states[_NEWEST, leader]
        ):
            keep[leader] = False
            leader = a
        else:
            keep[a] = False
    fill = 0
    for a in range(count):
        if keep[a]:
            if fill != a:
                sides[fill] = sides[a]
                states[:, fill] = states[:, a]
            fill += 1
    return fill


@njit(cache=True, nogil=True)
def _forget(nodes, taken, states, count):  # type: ignore[no-untyped-def]
    # Drops the nodes that no alternative's path uses any more. Returns how many are left, moved to the front.
    used = np.zeros(taken, np.bool_)
    for a in range(count):
        node = states[_TIP, a]
        while node >= 0 and not used[node]:
            used[node] = True
            node = nodes[node, _BEFORE]
    moved = np.full(taken, -1, np.int64)
    fill = 0
    for node in range(taken):
        if used[node]:
            moved[node] = fill
            before = nodes[node, _BEFORE]
            nodes[fill, _EQUATION] = nodes[node, _EQUATION]
            nodes[fill, _BEFORE] = moved[before] if before >= 0 else -1
            fill += 1
    for a in range(count):
        if states[_TIP, a] >= 0:
            states[_TIP, a] = moved[states[_TIP, a]]
    return fill


@njit(cache=True, nogil=True, forceinline=True)
def _give_up(states, a, cost, equation, before, nodes, taken):  # type: ignore[no-untyped-def]
    states[_COST, a] = cost
    nodes[taken, _EQUATION] = equation
    nodes[taken, _BEFORE] = before
    states[_TIP, a] = taken
    return taken + 1


@njit(cache=True, nogil=True, forceinline=True)
def _room_for(states, count, limit):  # type: ignore[no-untyped-def]
    # The next free alternative; in a full list the costliest, among equals the one whose last give-up is oldest, for
    # it will be the first to lose its effect.
    if count < limit:
        return count
    target, cost, newest = 0, states[_COST, 0], states[_NEWEST, 0]
    for c in range(1, count):
        if states[_COST, c] > cost or (states[_COST, c] == cost and states[_NEWEST, c] < newest):
            target, cost, newest = c, states[_COST, c], states[_NEWEST, c]
    return target


@njit(cache=True, nogil=True, forceinline=True)
def _branch(sides, states, count, nodes, taken, m, place, limit, spawn):  # type: ignore[no-untyped-def]
    # Each alternative may give up the independent equation m, kept at `place`: the `spawn` cheapest children enter
    # the list. Returns how many alternatives and nodes there are.
    parents = count
    added = 0
    level = highest = states[_COST, 0]
    for a in range(parents):
        level = min(level, states[_COST, a])
        highest = max(highest, states[_COST, a])
    while level <= highest and added < spawn:
        for a in range(parents):
            if states[_COST, a] != level or states[_NEWEST, a] == m or added >= spawn:
                continue
            target = _room_for(states, count, limit)
            if target < count and (states[_COST, target] < level + 1 or target == a):
                return count, taken
            count = max(count, target + 1)
            sides[target] = sides[a]
            sides[target, place >> 6] ^= np.uint64(1) << np.uint64(place & 63)
            taken = _give_up(states, target, level + 1, m, states[_TIP, a], nodes, taken)
            states[_NEWEST, target] = m
            added += 1
        level += 1
    return count, taken


@njit(cache=True, nogil=True)
def _search(plane, places, combinations, block_ends, n_in, slots, limit, spawn, width):  # type: ignore[no-untyped-def]
    # plane: wanted bit of each equation; places, combinations: of `eliminate`; block_ends[t]: equations up to and
    # with block t. Returns which equations the best alternative leaves unsatisfied.
    sides = np.zeros((limit, len(width)), np.uint64)
    states = np.full((3, limit), -1, np.int64)
    states[_COST] = 0
    count = 1
    nodes = np.empty((max(1 << 16, 8 * limit), 2), np.int64)
    taken = 0
    m = 0
    for t in range(block_ends.size):
        if t >= slots:
            _drop_slot(sides, count, t % slots, n_in, width)
            if count > 1:
                count = _merge(sides, states, count, width)
        while m < block_ends[t]:
            if taken + 2 * count + 2 > len(nodes):
                taken = _forget(nodes, taken, states, count)
                if taken + 2 * count + 2 > len(nodes) // 2:
                    nodes = np.concatenate((nodes, np.empty_like(nodes)))
            wanted = np.uint64(plane[m])
            combination = combinations[m]
            place = places[m]
            if place < 0:
                for a in range(count):
                    if _parity(combination, sides[a], width) != wanted:
                        cost = states[_COST, a] + 1
                        taken = _give_up(states, a, cost, m, states[_TIP, a], nodes, taken)
            else:
                for a in range(count):
                    wrong = _parity(combination, sides[a], width) ^ wanted
                    sides[a, place >> 6] |= wrong << np.uint64(place & 63)
                count, taken = _branch(sides, states, count, nodes, taken, m, place, limit, spawn)
            m += 1
    unsatisfied = np.zeros(plane.size, np.bool_)
    node = states[_TIP, np.argmin(states[_COST, :count])]
    while node >= 0:
        unsatisfied[nodes[node, _EQUATION]] = True
        node = nodes[node, _BEFORE]
    return unsatisfied


def encode_segment_with_list(
    code: Code,
    targets: Words,
    mask: NDArray[np.bool_],
    n_w: int,
    effort: int,
    rows: NDArray[np.uint64] | None = None,
) -> Words:
    """Encode one segment with up to `effort` right-hand-side alternatives for each plane.

    Parameters
    ----------
    code : Code
    targets : ndarray of unsigned words, shape (n,), scan order
    mask : ndarray of bool, shape (n,), scan order
    n_w : int
        Bit-planes of the words.
    effort : int
        Alternatives kept for each plane, 1 (greedy) or more. With as many as the window can hold (2^(n_in * n_s) and
        the branches within a block) the number of unmatched bits is the least possible.
    rows : ndarray of uint64, optional
        ``rotated_rows(code)``.

    Returns
    -------
    ndarray of unsigned words, shape (ceil(n / n_out), n_in)

    Raises
    ------
    InputError
        The effort is out of range.
    """
    if not 1 <= effort <= MAX_ALTERNATIVES:
        raise InputError(f"the effort must be between 1 and {MAX_ALTERNATIVES}, not {effort}")
    rows = rotated_rows(code) if rows is None else rows
    care = np.flatnonzero(mask)
    if effort == 1 or care.size == 0:
        return encode_segment(code, targets, mask, rows)
    width = width_of(rows)
    places = np.empty(care.size, np.int64)
    combinations = np.zeros((care.size, len(width)), np.uint64)
    eliminate(rows, code.n_in, mask, places, combinations, width)
    blocks = -(-targets.size // code.n_out)
    block_ends = np.searchsorted(care, np.arange(1, blocks + 1) * code.n_out)
    spawn = max(1, effort // 8) if effort < 4096 else effort
    wanted = targets[care]
    given_up = np.zeros_like(wanted)
    one = targets.dtype.type(1)
    for q in range(n_w):
        plane = ((wanted >> targets.dtype.type(q)) & one).astype(np.uint8)
        unsatisfied = _search(
            plane, places, combinations, block_ends, code.n_in, code.n_s + 1, effort, spawn, width
        )
        given_up |= unsatisfied.astype(targets.dtype) << targets.dtype.type(q)
    # with the given-up bits turned round the system is consistent, and greedy elimination solves it
    adjusted = targets.copy()
    adjusted[care] ^= given_up
    return encode_segment(code, adjusted, mask, rows)
