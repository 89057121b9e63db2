"""Compiled loops over the gates of a network, shape (gates, 2): what they compute, and which of them are needed."""

from __future__ import annotations

import numpy as np
from numba import njit

EMPTY = -1  # a place that holds no key
SHIFT = 32  # a pair's key is (a << 32) | b with a < b
NOTHING = -1  # a signal that is always 0


@njit(cache=True)
def slot(keys, key):  # type: ignore[no-untyped-def]
    """Where the key is, or the free place where it belongs (open addressing, linear probing)."""
    mask = keys.size - 1
    h = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    place = np.int64(h >> np.uint64(20)) & mask
    while keys[place] != EMPTY and keys[place] != key:
        place = (place + 1) & mask
    return place


@njit(cache=True)
def run_gates(gates, signals):  # type: ignore[no-untyped-def]
    """Fill rows of bytes, shape (inputs + gates, ...), behind those of the inputs: each is the XOR of two before it."""
    first = signals.shape[0] - gates.shape[0]
    for g in range(gates.shape[0]):
        a, b = gates[g, 0], gates[g, 1]
        for k in range(signals.shape[1]):
            signals[first + g, k] = signals[a, k] ^ signals[b, k]


@njit(cache=True)
def prune_gates(gates, outputs, inputs, kept, roots):  # type: ignore[no-untyped-def]
    """Make every pair of signals once, and only if an output, shape (outputs,), needs it.

    Fills `kept`, shape (gates, 2), with the gates that are left and `roots` with the signal of every output; returns
    how many gates are left.
    """
    size = 16
    while size < 2 * gates.shape[0]:
        size *= 2
    keys = np.full(size, EMPTY, np.int64)
    signal_of = np.zeros(size, np.int64)
    pairs = np.empty_like(gates)
    name = np.arange(inputs + gates.shape[0])
    made = 0
    for g in range(gates.shape[0]):
        a, b = name[gates[g, 0]], name[gates[g, 1]]
        if a == b or min(a, b) == NOTHING:
            name[inputs + g] = NOTHING if a == b else max(a, b)
            continue
        a, b = min(a, b), max(a, b)
        place = slot(keys, (a << SHIFT) | b)
        if keys[place] == EMPTY:
            keys[place] = (a << SHIFT) | b
            signal_of[place] = inputs + made
            pairs[made, 0], pairs[made, 1] = a, b
            made += 1
        name[inputs + g] = signal_of[place]
    needed = np.zeros(inputs + made, np.bool_)
    for r in range(outputs.size):
        roots[r] = NOTHING if outputs[r] == NOTHING else name[outputs[r]]
        if roots[r] != NOTHING:
            needed[roots[r]] = True
    for g in range(made - 1, -1, -1):
        if needed[inputs + g]:
            needed[pairs[g, 0]] = needed[pairs[g, 1]] = True
    left = 0
    for g in range(made):
        if needed[inputs + g]:
            # signals before it have their new numbers already
            kept[left, 0], kept[left, 1] = name[pairs[g, 0]], name[pairs[g, 1]]
            name[inputs + g] = inputs + left
            left += 1
    for r in range(roots.size):
        if roots[r] != NOTHING:
            roots[r] = name[roots[r]]
    return left


@njit(cache=True)
def add_edges(columns, counts, edges, run, inputs):  # type: ignore[no-untyped-def]
    """Make running sums, started anew every `run`, and of each edge, shape (outputs, 2), the XOR of two of them.

    Sum j adds the next counts[j] of `columns`, inputs, to the sum before it. Returns gates, shape (gates, 2), and the
    signal of each output.
    """
    gates = np.empty((columns.size + edges.shape[0], 2), np.int64)
    sums = np.empty(counts.size, np.int64)
    outputs = np.empty(edges.shape[0], np.int64)
    made, column = 0, 0
    for j in range(counts.size):
        signal = sums[j - 1] if j % run else NOTHING
        for _ in range(counts[j]):
            added = columns[column]
            column += 1
            if signal in (NOTHING, added):
                signal = added if signal == NOTHING else NOTHING
                continue
            gates[made, 0], gates[made, 1] = signal, added
            signal = inputs + made
            made += 1
        sums[j] = signal
    for r in range(edges.shape[0]):
        a, b = sums[edges[r, 0]], sums[edges[r, 1]]
        if a == b or min(a, b) == NOTHING:
            outputs[r] = NOTHING if a == b else max(a, b)
            continue
        gates[made, 0], gates[made, 1] = a, b
        outputs[r] = inputs + made
        made += 1
    return gates[:made], outputs
