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
from xorweave.golden.encoders.bit_scan import trailing_zeros
from xorweave.golden.encoders.elimination import encode_segment, rotated_rows, width_of

# Alternatives beyond this would take gigabytes; exactness is then the trellis's business.
MAX_ALTERNATIVES = 1 << 20


@njit(cache=True, nogil=True)
def _record(rows, n_in, mask, places, combinations, width):  # type: ignore[no-untyped-def]
    # Eliminates and records how each equation is reduced.
    # places[m]: ring column under which equation m is kept, or -1; combinations[m]: ring mask of the pivots
    # that reduce it. Equations are the care bits in scan order.
    words = len(width)
    slots = rows.shape[0]
    n_out = rows.shape[1]
    n = mask.shape[0]
    blocks = (n + n_out - 1) // n_out
    has = np.zeros(words, np.uint64)
    exists = np.zeros(words, np.uint64)
    pivot_rows = np.zeros((words * 64, words), np.uint64)
    row = np.zeros(words, np.uint64)
    m = 0
    for t in range(blocks):
        slot = t % slots
        for b in range(n_in):
            p = slot * n_in + b
            bit = np.uint64(1) << np.uint64(p & 63)
            exists[p >> 6] |= bit
            has[p >> 6] &= ~bit
        start = ((t + 1) % slots) * n_in
        first = start >> 6
        below = (np.uint64(1) << np.uint64(start & 63)) - np.uint64(1)
        for r in range(min(n_out, n - t * n_out)):
            if not mask[t * n_out + r]:
                continue
            for j in range(words):
                row[j] = rows[slot, r, j] & exists[j]
            found = -1
            for step in range(words + 1):
                k = first + step
                if k >= words:
                    k -= words
                select = ~np.uint64(0)
                if step == 0:
                    select = ~below
                elif step == words:
                    select = below
                todo = row[k] & select
                while todo != np.uint64(0):
                    bit_index = trailing_zeros(todo)
                    place = (k << 6) + bit_index
                    bit = np.uint64(1) << np.uint64(bit_index)
                    if has[k] & bit == np.uint64(0):
                        found = place
                        break
                    for j in range(words):
                        row[j] ^= pivot_rows[place, j]
                    combinations[m, k] |= bit
                    todo = row[k] & select
                if found >= 0:
                    break
            places[m] = found
            if found >= 0:
                has[found >> 6] |= np.uint64(1) << np.uint64(found & 63)
                for j in range(words):
                    pivot_rows[found, j] = row[j]
            m += 1


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
def _search(plane, places, combinations, block_ends, n_in, slots, limit, spawn, flips, width):  # type: ignore[no-untyped-def]
    # plane: wanted bit of each equation; block_ends[t]: equations up to and with block t. Marks in `flips` the
    # equations that the best alternative leaves unsatisfied, and returns how many they are.
    words = len(width)
    capacity = 2 * limit
    sides = np.zeros((capacity, words), np.uint64)
    cost = np.zeros(capacity, np.int64)
    newest = np.full(capacity, -1, np.int64)
    tip = np.full(capacity, -1, np.int64)
    count = 1
    # every unsatisfied equation is a node that points at the one before it on its path
    pool = max(1 << 16, 8 * limit)
    node_equation = np.empty(pool, np.int64)
    node_before = np.empty(pool, np.int64)
    nodes = 0
    slot_mask = np.zeros(words, np.uint64)
    m = 0
    for t in range(block_ends.size):
        slot = t % slots
        slot_mask[:] = 0
        for b in range(n_in):
            p = slot * n_in + b
            slot_mask[p >> 6] |= np.uint64(1) << np.uint64(p & 63)
        if t >= slots:
            for a in range(count):
                for j in range(words):
                    sides[a, j] &= ~slot_mask[j]
            # equal right-hand sides have the same future: keep the cheapest of them
            if count > 1:
                mixed = np.empty(count, np.uint64)
                for a in range(count):
                    h = np.uint64(0)
                    for j in range(words):
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
                        for j in range(words):
                            same = same and sides[a, j] == sides[leader, j]
                    if not same:
                        leader = a
                    elif cost[a] < cost[leader] or (cost[a] == cost[leader] and newest[a] > newest[leader]):
                        keep[leader] = False
                        leader = a
                    else:
                        keep[a] = False
                fill = 0
                for a in range(count):
                    if keep[a]:
                        if fill != a:
                            sides[fill] = sides[a]
                            cost[fill] = cost[a]
                            newest[fill] = newest[a]
                            tip[fill] = tip[a]
                        fill += 1
                count = fill
        while m < block_ends[t]:
            if nodes + 2 * count + 2 > pool:
                # forget the nodes that no alternative's path uses any more
                used = np.zeros(nodes, np.bool_)
                for a in range(count):
                    node = tip[a]
                    while node >= 0 and not used[node]:
                        used[node] = True
                        node = node_before[node]
                moved = np.full(nodes, -1, np.int64)
                fill = 0
                for node in range(nodes):
                    if used[node]:
                        moved[node] = fill
                        node_equation[fill] = node_equation[node]
                        before = node_before[node]
                        node_before[fill] = moved[before] if before >= 0 else -1
                        fill += 1
                nodes = fill
                for a in range(count):
                    if tip[a] >= 0:
                        tip[a] = moved[tip[a]]
                if nodes + 2 * count + 2 > pool // 2:
                    pool *= 2
                    wider = np.empty(pool, np.int64)
                    wider[:nodes] = node_equation[:nodes]
                    node_equation = wider
                    wider = np.empty(pool, np.int64)
                    wider[:nodes] = node_before[:nodes]
                    node_before = wider
            wanted = np.uint64(plane[m])
            place = places[m]
            combination = combinations[m]
            if place < 0:
                for a in range(count):
                    if _parity(combination, sides[a], width) != wanted:
                        cost[a] += 1
                        node_equation[nodes] = m
                        node_before[nodes] = tip[a]
                        tip[a] = nodes
                        nodes += 1
                m += 1
                continue
            k = place >> 6
            bit = np.uint64(place & 63)
            best = cost[0]
            for a in range(count):
                value = _parity(combination, sides[a], width) ^ wanted
                sides[a, k] |= value << bit
                best = min(best, cost[a])
            # each alternative may give this equation up; the cheapest children enter the list
            parents = count
            added = 0
            level = best
            highest = best
            for a in range(count):
                highest = max(highest, cost[a])
            while level <= highest and added < spawn:
                for a in range(parents):
                    if cost[a] != level or newest[a] == m or added >= spawn:
                        continue
                    target = count
                    if count >= limit:
                        # the list is full: in place of the costliest, among equals the one whose last
                        # give-up is oldest, for it will be the first to lose its effect
                        target = 0
                        for c in range(1, count):
                            if cost[c] > cost[target] or (
                                cost[c] == cost[target] and newest[c] < newest[target]
                            ):
                                target = c
                        if cost[target] < level + 1 or target == a:
                            added = spawn
                            break
                    else:
                        count += 1
                    sides[target] = sides[a]
                    sides[target, k] ^= np.uint64(1) << bit
                    cost[target] = level + 1
                    newest[target] = m
                    node_equation[nodes] = m
                    node_before[nodes] = tip[a]
                    tip[target] = nodes
                    nodes += 1
                    added += 1
                level += 1
            m += 1
    best_alternative = 0
    for a in range(count):
        if cost[a] < cost[best_alternative]:
            best_alternative = a
    node = tip[best_alternative]
    while node >= 0:
        flips[node_equation[node]] = True
        node = node_before[node]
    return cost[best_alternative]


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
    _record(rows, code.n_in, mask, places, combinations, width)
    blocks = -(-targets.size // code.n_out)
    block_ends = np.searchsorted(care, np.arange(1, blocks + 1) * code.n_out)
    spawn = max(1, effort // 8) if effort < 4096 else effort
    wanted = targets[care]
    given_up = np.zeros_like(wanted)
    one = targets.dtype.type(1)
    for q in range(n_w):
        plane = ((wanted >> targets.dtype.type(q)) & one).astype(np.uint8)
        flips = np.zeros(care.size, np.bool_)
        _search(plane, places, combinations, block_ends, code.n_in, code.n_s + 1, effort, spawn, flips, width)
        given_up |= flips.astype(targets.dtype) << targets.dtype.type(q)
    # with the given-up bits turned round the system is consistent, and greedy elimination solves it
    adjusted = targets.copy()
    adjusted[care] ^= given_up
    return encode_segment(code, adjusted, mask, rows)
