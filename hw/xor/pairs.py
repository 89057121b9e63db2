"""Greedy pairs: share the pair of signals that most outputs have in common, over and over.

C. Paar, "Optimized arithmetic for Reed-Solomon encoders", ISIT 1997. The result never cancels: a signal's
ones are the disjoint union of its operands' ones. The depth-bounded form takes a pair in a row only if the
row can still be finished within the limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.gate_kernels import EMPTY, SHIFT, slot
from xorweave.hw.xor.network import Gate, XorNetwork, as_matrix
from xorweave.hw.xor.random_order import below

_UNLIMITED = 62  # 2**62 still fits: deeper than any network


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


class _Rows(NamedTuple):
    """The rows that are left to make, and which signal is in which; changed in place.

    signals: int32 (n, width), a row's signals in its first lengths[r] places; lengths: int64 (n,); columns: uint64
    (signals, words), bit r of a column says that row r holds the signal; loads: uint64 (n,), sum of 2**level over a
    row's signals, which must stay at most 2**limit for the row to fit in `limit` levels.
    """

    signals: NDArray[np.int32]
    lengths: NDArray[np.int64]
    columns: NDArray[np.uint64]
    loads: NDArray[np.uint64]


class _Pairs(NamedTuple):
    """How many rows each pair of signals is in, and the heap of the pairs; changed in place, larger ones made anew.

    keys, counts: hash table of int64 and int32; heap: int64 (room, 2) of (rank, key), whose ranks may be out of date;
    used: int64 (2,), places taken in the table and in the heap.
    """

    keys: NDArray[np.int64]
    counts: NDArray[np.int32]
    heap: NDArray[np.int64]
    used: NDArray[np.int64]


@njit(cache=True)
def _push(pairs, rank, key):  # type: ignore[no-untyped-def]
    """Put a pair on the heap, which must have room for it."""
    _heap_push(pairs.heap, pairs.used[1], (rank, key))
    pairs.used[1] += 1


@njit(cache=True)
def _count(pairs, key, count):  # type: ignore[no-untyped-def]
    """Enter how many rows a pair is in into the table, which must have room for it."""
    place = slot(pairs.keys, key)
    if pairs.keys[place] == EMPTY:
        pairs.keys[place] = key
        pairs.used[0] += 1
    pairs.counts[place] = count


@njit(cache=True)
def _first_pairs(pair_a, pair_b, pair_counts, level, random):  # type: ignore[no-untyped-def]
    """Make the table and the heap of the pairs that are in two rows at the start."""
    size = 1024
    while size < 4 * pair_a.size:
        size *= 2
    keys = np.full(size, EMPTY, np.int64)
    heap = np.empty((max(1024, 2 * pair_a.size), 2), np.int64)
    pairs = _Pairs(keys, np.zeros(size, np.int32), heap, np.zeros(2, np.int64))
    for i in range(pair_a.size):
        key = (np.int64(pair_a[i]) << SHIFT) | pair_b[i]
        _count(pairs, key, pair_counts[i])
        _push(pairs, _rank(pair_counts[i], max(level[pair_a[i]], level[pair_b[i]]), random), key)
    return pairs


@njit(cache=True)
def _with_room(pairs):  # type: ignore[no-untyped-def]
    """Return the pairs with room for one more in the table and in the heap."""
    keys, counts, heap, used = pairs
    if 2 * used[0] > keys.size:  # grow, and drop what cannot be merged any more
        live = 0
        for j in range(keys.size):
            if keys[j] != EMPTY and counts[j] >= 2:
                live += 1
        room = 1024
        while room < 4 * live:
            room *= 2
        fresh_keys = np.full(room, EMPTY, np.int64)
        fresh_counts = np.zeros(room, np.int32)
        for j in range(keys.size):
            if keys[j] != EMPTY and counts[j] >= 2:
                place = slot(fresh_keys, keys[j])
                fresh_keys[place] = keys[j]
                fresh_counts[place] = counts[j]
        keys, counts = fresh_keys, fresh_counts
        used[0] = live
    if used[1] == heap.shape[0]:
        larger = np.empty((2 * heap.shape[0], 2), np.int64)
        larger[: heap.shape[0]] = heap
        heap = larger
    return _Pairs(keys, counts, heap, used)


@njit(cache=True)
def _fitting_rows(rows, a, b, growth, bound, fitting):  # type: ignore[no-untyped-def]
    """Find the rows that hold a and b and may grow so much; returns how many, they come first in `fitting`."""
    fits = 0
    for word in range(rows.columns.shape[1]):
        both = rows.columns[a, word] & rows.columns[b, word]
        while both:
            low = both & (~both + np.uint64(1))
            both ^= low
            bit = 0
            while low > np.uint64(1):
                low >>= np.uint64(1)
                bit += 1
            r = word * 64 + bit
            if rows.loads[r] + growth <= bound:
                fitting[fits] = r
                fits += 1
    return fits


@njit(cache=True)
def _merge(rows, pairs, chosen, a, b, new, growth, common, touched):  # type: ignore[no-untyped-def]
    """Put `new` in the place of a and b in the chosen rows.

    Counts in common[k] how many of them hold signal k beside it; returns how many such signals there are, they come
    first in `touched`.
    """
    reach = 0
    for r in chosen:
        rows.loads[r] += growth
        word, bit = r >> 6, np.uint64(1) << np.uint64(r & 63)
        rows.columns[a, word] ^= bit
        rows.columns[b, word] ^= bit
        rows.columns[new, word] |= bit
        kept = 0
        for j in range(rows.lengths[r]):
            k = rows.signals[r, j]
            if k in (a, b):
                continue
            rows.signals[r, kept] = k
            kept += 1
            if common[k] == 0:
                touched[reach] = k
                reach += 1
            common[k] += 1
            for x in (a, b):
                place = slot(pairs.keys, (min(x, k) << SHIFT) | max(x, k))
                if pairs.keys[place] != EMPTY:
                    pairs.counts[place] -= 1
        rows.signals[r, kept] = new
        rows.lengths[r] = kept + 1
    return reach


@njit(cache=True)
def _share_pairs(rows, levels, pair_a, pair_b, pair_counts, limit, seed):  # type: ignore[no-untyped-def]
    """Merge pairs in place until no pair is in two rows; returns the gates and the levels of all signals."""
    random = np.array([seed], np.uint64)
    signals = levels.size
    capacity = rows.columns.shape[0]
    gates = np.empty((capacity - signals, 2), np.int32)
    level = np.zeros(capacity, np.int64)
    level[:signals] = levels
    pairs = _first_pairs(pair_a, pair_b, pair_counts, level, random)
    common = np.zeros(capacity, np.int32)
    touched = np.empty(capacity, np.int32)
    fitting = np.empty(rows.signals.shape[0], np.int32)
    bound = np.uint64(1) << np.uint64(limit)
    while pairs.used[1] > 0 and signals < capacity:
        top, key = pairs.heap[0, 0], pairs.heap[0, 1]
        _heap_pop(pairs.heap, pairs.used[1])
        pairs.used[1] -= 1
        place = slot(pairs.keys, key)
        count = pairs.counts[place]
        if count < 2:
            continue
        a = np.int64(key >> SHIFT)
        b = np.int64(key & 0xFFFFFFFF)
        deeper = max(level[a], level[b])
        if count < top >> 40:
            _push(pairs, _rank(count, deeper, random), key)
            continue
        growth = (np.uint64(2) << np.uint64(deeper)) - (np.uint64(1) << np.uint64(level[a]))
        growth -= np.uint64(1) << np.uint64(level[b])
        fits = _fitting_rows(rows, a, b, growth, bound, fitting)
        if fits < 2:
            pairs.counts[place] = 0  # a row's load only grows, so the pair will not fit again
            continue
        if fits < count:
            pairs.counts[place] = fits
            _push(pairs, _rank(fits, deeper, random), key)
            # rows that do not fit are left out of the count for good, as their load only grows
            if fits < top >> 40:
                continue
        new = signals
        signals += 1
        level[new] = deeper + 1
        gates[new - levels.size, 0] = a
        gates[new - levels.size, 1] = b
        reach = _merge(rows, pairs, fitting[:fits], a, b, new, growth, common, touched)
        pairs.counts[slot(pairs.keys, key)] = 0
        for i in range(reach):
            k = touched[i]
            if common[k] >= 2:
                pairs = _with_room(pairs)
                pair = (np.int64(k) << SHIFT) | new
                _count(pairs, pair, common[k])
                _push(pairs, _rank(common[k], max(level[new], level[k]), random), pair)
            common[k] = 0
    return gates[: signals - levels.size], level[:signals]


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
        held = _Rows(table, weights, columns, np.array(loads, np.uint64))
        shared, new_levels = _share_pairs(
            held, np.array(levels, np.int64), pair_a, pair_b, pair_counts, limit, seed
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
