"""Greedy pairs: share the pair of signals that most outputs have in common, over and over.

C. Paar, "Optimized arithmetic for Reed-Solomon encoders", ISIT 1997. The result never cancels: a signal's
ones are the disjoint union of its operands' ones. The depth-bounded form takes a pair in a row only if the
row can still be finished within the limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.network import Gate, XorNetwork, as_matrix
from xorweave.hw.xor.random_order import below

_EMPTY = -1
_SHIFT = 32  # a pair's key is (a << 32) | b with a < b
_UNLIMITED = 62  # 2**62 still fits: deeper than any network


@njit(cache=True)
def _slot(keys, key):  # type: ignore[no-untyped-def]
    """Where the key is, or the free place where it belongs (open addressing, linear probing)."""
    mask = keys.size - 1
    h = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    place = np.int64(h >> np.uint64(20)) & mask
    while keys[place] != _EMPTY and keys[place] != key:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def _heap_push(heap, size, value):  # type: ignore[no-untyped-def]
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if heap[parent, 0] >= value[0]:
            break
        heap[child, 0], heap[child, 1] = heap[parent, 0], heap[parent, 1]
        child = parent
    heap[child, 0], heap[child, 1] = value[0], value[1]


@njit(cache=True)
def _heap_pop(heap, size):  # type: ignore[no-untyped-def]
    """Take the top off a heap of `size` entries; the caller has read it."""
    last_rank, last_key = heap[size - 1, 0], heap[size - 1, 1]
    size -= 1
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1, 0] > heap[child, 0]:
            child += 1
        if last_rank >= heap[child, 0]:
            break
        heap[parent, 0], heap[parent, 1] = heap[child, 0], heap[child, 1]
        parent = child
    heap[parent, 0], heap[parent, 1] = last_rank, last_key


@njit(cache=True)
def _rank(count, level, random):  # type: ignore[no-untyped-def]
    """Order of the heap: more rows first, then shallower, then by chance."""
    chance = below(random, 1 << 30)
    return np.int64(count) << 40 | np.int64(63 - min(level, 63)) << 32 | chance


@njit(cache=True)
def _share_pairs(rows, lengths, columns, levels, pair_a, pair_b, pair_counts, load, limit, seed):  # type: ignore[no-untyped-def]
    """Merge pairs in place until no pair is in two rows; returns the gates and the number of them.

    rows: int32 (n, width), a row's signals in its first lengths[r] places; columns: uint64 (signals,
    words), bit r of a column says that row r holds the signal; load: uint64 (n,), sum of 2**level over a
    row's signals, which must stay at most 2**limit for the row to fit in `limit` levels.
    """
    random = np.array([seed], np.uint64)
    signals = levels.size
    capacity = columns.shape[0]
    words = columns.shape[1]
    gates = np.empty((capacity - signals, 2), np.int32)
    made = 0
    level = np.zeros(capacity, np.int64)
    level[:signals] = levels
    size = 1024
    while size < 4 * pair_a.size:
        size *= 2
    keys = np.full(size, _EMPTY, np.int64)
    counts = np.zeros(size, np.int32)
    used = 0
    heap = np.empty((max(1024, 2 * pair_a.size), 2), np.int64)
    heaped = 0
    for i in range(pair_a.size):
        key = (np.int64(pair_a[i]) << _SHIFT) | pair_b[i]
        place = _slot(keys, key)
        keys[place] = key
        counts[place] = pair_counts[i]
        used += 1
        rank = _rank(pair_counts[i], max(level[pair_a[i]], level[pair_b[i]]), random)
        _heap_push(heap, heaped, (rank, key))
        heaped += 1
    common = np.zeros(capacity, np.int32)
    touched = np.empty(capacity, np.int32)
    fitting = np.empty(rows.shape[0], np.int32)
    bound = np.uint64(1) << np.uint64(limit)
    while heaped > 0 and signals < capacity:
        top, key = heap[0, 0], heap[0, 1]
        _heap_pop(heap, heaped)
        heaped -= 1
        place = _slot(keys, key)
        count = counts[place]
        if count < 2:
            continue
        a = np.int64(key >> _SHIFT)
        b = np.int64(key & 0xFFFFFFFF)
        deeper = max(level[a], level[b])
        if count < top >> 40:
            _heap_push(heap, heaped, (_rank(count, deeper, random), key))
            heaped += 1
            continue
        growth = (np.uint64(2) << np.uint64(deeper)) - (np.uint64(1) << np.uint64(level[a]))
        growth -= np.uint64(1) << np.uint64(level[b])
        fits = 0
        for word in range(words):
            both = columns[a, word] & columns[b, word]
            while both:
                low = both & (~both + np.uint64(1))
                both ^= low
                bit = 0
                while low > np.uint64(1):
                    low >>= np.uint64(1)
                    bit += 1
                r = word * 64 + bit
                if load[r] + growth <= bound:
                    fitting[fits] = r
                    fits += 1
        if fits < 2:
            counts[place] = 0  # a row's load only grows, so the pair will not fit again
            continue
        if fits < count:
            counts[place] = fits
            _heap_push(heap, heaped, (_rank(fits, deeper, random), key))
            heaped += 1
            # rows that do not fit are left out of the count for good, as their load only grows
            if fits < top >> 40:
                continue
        new = signals
        signals += 1
        level[new] = deeper + 1
        gates[made, 0] = a
        gates[made, 1] = b
        made += 1
        reach = 0
        for i in range(fits):
            r = fitting[i]
            load[r] += growth
            bit_word, bit = r >> 6, np.uint64(1) << np.uint64(r & 63)
            columns[a, bit_word] ^= bit
            columns[b, bit_word] ^= bit
            columns[new, bit_word] |= bit
            kept = 0
            for j in range(lengths[r]):
                k = rows[r, j]
                if k in (a, b):
                    continue
                rows[r, kept] = k
                kept += 1
                if common[k] == 0:
                    touched[reach] = k
                    reach += 1
                common[k] += 1
                for x in (a, b):
                    place = _slot(keys, (min(x, k) << _SHIFT) | max(x, k))
                    if keys[place] != _EMPTY:
                        counts[place] -= 1
            rows[r, kept] = new
            lengths[r] = kept + 1
        counts[_slot(keys, key)] = 0
        for i in range(reach):
            k = touched[i]
            if common[k] >= 2:
                if 2 * used > keys.size:  # grow, and drop what cannot be merged any more
                    live = 0
                    for j in range(keys.size):
                        if keys[j] != _EMPTY and counts[j] >= 2:
                            live += 1
                    room = 1024
                    while room < 4 * live:
                        room *= 2
                    fresh_keys = np.full(room, _EMPTY, np.int64)
                    fresh_counts = np.zeros(room, np.int32)
                    for j in range(keys.size):
                        if keys[j] != _EMPTY and counts[j] >= 2:
                            place = _slot(fresh_keys, keys[j])
                            fresh_keys[place] = keys[j]
                            fresh_counts[place] = counts[j]
                    keys, counts, used = fresh_keys, fresh_counts, live
                if heaped == heap.shape[0]:
                    larger = np.empty((2 * heaped, 2), np.int64)
                    larger[:heaped] = heap
                    heap = larger
                pair = (np.int64(k) << _SHIFT) | new
                place = _slot(keys, pair)
                if keys[place] == _EMPTY:
                    keys[place] = pair
                    used += 1
                counts[place] = common[k]
                _heap_push(heap, heaped, (_rank(common[k], max(level[new], level[k]), random), pair))
                heaped += 1
            common[k] = 0
    return gates[:made], level[:signals]


def share_pairs(
    rows: Sequence[Sequence[int]],
    *,
    levels: Sequence[int],
    depth_limit: int | None = None,
    seed: int = 0,
) -> tuple[list[Gate], list[int]]:
    """Make every row's sum by greedy pairs and then, for what is not shared, by trees as shallow as can be.

    Parameters
    ----------
    rows : sequence of sequences of int
        The signals whose XOR each row is, each once, numbered ``0 .. len(levels) - 1``.
    levels : sequence of int
        Level at which each signal is there.
    depth_limit : int, optional
        No row may be deeper.
    seed : int
        Chooses among equally good pairs.

    Returns
    -------
    (list of gates, list of int)
        The gates, gate g making signal ``len(levels) + g``; and each row's signal (-1 for an empty row).

    Raises
    ------
    InputError
        A row cannot be made within the depth limit.
    """
    signals = len(levels)
    limit = _UNLIMITED if depth_limit is None else min(depth_limit, _UNLIMITED)
    loads = [sum(1 << levels[s] for s in row) for row in rows]
    if loads and max(loads) > 1 << limit:
        least = (max(loads) - 1).bit_length()
        raise InputError(f"the depth limit must be at least {least} for this matrix, not {depth_limit}")
    weights = np.array([len(row) for row in rows], np.int64)
    total = int(weights.sum())
    gates: list[Gate] = []
    names = [list(row) for row in rows]
    level = list(levels)
    if total:
        incidence = np.zeros((len(rows), signals), np.float32)
        for r, row in enumerate(rows):
            incidence[r, list(row)] = 1
        counts = np.triu(incidence.T @ incidence, 1)
        pair_a, pair_b = np.nonzero(counts >= 2)
        pair_counts = counts[pair_a, pair_b].astype(np.int32)
        capacity = signals + max(0, (total - len(rows)) // 2 + len(rows))
        words = (len(rows) + 63) // 64
        columns = np.zeros((capacity, words), np.uint64)
        table = np.zeros((len(rows), max(1, int(weights.max()))), np.int32)
        for r, row in enumerate(rows):
            table[r, : len(row)] = row
            columns[list(row), r >> 6] |= np.uint64(1 << (r & 63))
        shared, new_levels = _share_pairs(
            table,
            weights,
            columns,
            np.array(levels, np.int64),
            pair_a,
            pair_b,
            pair_counts,
            np.array(loads, np.uint64),
            limit,
            seed,
        )
        gates = [(int(a), int(b)) for a, b in shared]
        level = [int(x) for x in new_levels]
        names = [[int(s) for s in table[r, : weights[r]]] for r in range(len(rows))]
    results: list[int] = []
    for row in names:
        front = [(level[s], s) for s in row]
        heapq.heapify(front)
        while len(front) > 1:
            (_, a), (deeper, b) = heapq.heappop(front), heapq.heappop(front)
            gates.append((a, b))
            level.append(deeper + 1)
            heapq.heappush(front, (deeper + 1, len(level) - 1))
        results.append(front[0][1] if front else -1)
    return gates, results


def greedy_pairs(matrix: ArrayLike, *, depth_limit: int | None = None, seed: int = 0) -> XorNetwork:
    """Make the network of a matrix by greedy pairs.

    Parameters
    ----------
    matrix : array of 0 and 1, shape (outputs, inputs)
    depth_limit : int, optional
        Most two-input XORs between an input and an output.
    seed : int
        Chooses among equally good pairs.

    Raises
    ------
    InputError
        A row has too many ones for the depth limit.
    """
    array = as_matrix(matrix)
    rows = [[int(s) for s in np.flatnonzero(row)] for row in array]
    gates, results = share_pairs(rows, levels=[0] * array.shape[1], depth_limit=depth_limit, seed=seed)
    outputs = tuple(None if s < 0 else s for s in results)
    return XorNetwork(array.shape[1], tuple(gates), outputs).pruned()
