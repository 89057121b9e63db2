"""Chains: outputs made from one another, as the difference of two rows may be much lighter than either.

`difference_network` lets every row start from the row that is nearest to it; `chain_network` follows runs
of consecutive rows, as the chain family has them, and turns a run into a prefix network if its depth must
be bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import tap_lists
from xorweave.hw.xor.network import Gate, XorNetwork, as_matrix
from xorweave.hw.xor.pairs import share_pairs


def nearest_rows(matrix: ArrayLike) -> NDArray[np.int64]:
    """Let every row start from another row, or from nothing, so that the fewest ones are left over.

    Parameters
    ----------
    matrix : array of 0 and 1, shape (outputs, inputs)

    Returns
    -------
    ndarray of int64, shape (outputs,)
        The row each starts from, -1 for none: a minimum spanning tree (Prim) under the Hamming distance,
        rooted at nothing, where a row of weight w costs w - 1.
    """
    array = as_matrix(matrix)
    ones = array.astype(np.float32)
    weights = ones.sum(axis=1)
    parents = np.full(len(array), -1, np.int64)
    cost = weights - 1
    waiting = np.ones(len(array), bool)
    for _ in range(len(array)):
        row = int(np.argmin(np.where(waiting, cost, np.inf)))
        waiting[row] = False
        distance = weights + weights[row] - 2 * (ones @ ones[row])
        nearer = waiting & (distance < cost)
        cost[nearer] = distance[nearer]
        parents[nearer] = row
    return parents


def difference_network(matrix: ArrayLike, *, seed: int = 0) -> XorNetwork:
    """Make every row from its nearest row and a difference, the differences shared by greedy pairs.

    Not bounded in depth: a row may be many rows away from one that starts from nothing.

    Parameters
    ----------
    matrix : array of 0 and 1, shape (outputs, inputs)
    seed : int
        Chooses among equally good pairs.
    """
    array = as_matrix(matrix)
    inputs = array.shape[1]
    parents = nearest_rows(array)
    differences = array.copy()
    chained = parents >= 0
    differences[chained] ^= array[parents[chained]]
    rows = [[int(s) for s in np.flatnonzero(row)] for row in differences]
    gates, sums = share_pairs(rows, levels=[0] * inputs, seed=seed)
    signals: dict[int, int] = {-1: -1}
    for start in range(len(array)):
        path = [start]
        while path[-1] not in signals:
            path.append(int(parents[path[-1]]))
        for row in reversed(path[:-1]):
            signals[row] = _joined(gates, inputs, signals[int(parents[row])], sums[row])
    outputs = tuple(None if signals[row] < 0 else signals[row] for row in range(len(array)))
    return XorNetwork(inputs, tuple(gates), outputs).pruned()


def serial_network(code: Code) -> XorNetwork:
    """Make every row from the row before it where that is cheaper, else from nothing; no sums are shared.

    For chains within a few gates of `difference_network`, and made at once: enough to estimate from.
    """
    starts, ages, bits, goes_on = tap_lists(code)
    columns = (ages * code.n_in + bits).tolist()
    inputs = code.constraint_length
    gates: list[Gate] = []
    outputs: list[int | None] = []
    signal = -1
    for row in range(code.n_out):
        signal = signal if goes_on[row] else -1
        for column in columns[starts[row] : starts[row + 1]]:
            signal = _joined(gates, inputs, signal, column)
        outputs.append(None if signal < 0 else signal)
    return XorNetwork(inputs, tuple(gates), tuple(outputs))


def _joined(gates: list[Gate], inputs: int, a: int, b: int) -> int:
    """Signal of a + b, where -1 is nothing; a gate is added only if it takes one."""
    if a == b:
        return -1
    if a < 0 or b < 0:
        return max(a, b)
    gates.append((a, b))
    return inputs + len(gates) - 1


def prefix_plan(levels: Sequence[int], limit: int) -> list[int] | None:
    """Cut a chain into steps and groups so that all its prefix sums fit in a depth with the fewest gates.

    A group of g items is bridged by the sum of its items, one gate past the group's start, while the
    outputs inside it go on serially from there: 2 g - 1 gates for g outputs instead of g, as in a
    carry-skip adder. A plan of ones is the serial chain.

    Parameters
    ----------
    levels : sequence of int
        Level of every item; the first is the start of the chain.
    limit : int
        Most levels for any prefix sum.

    Returns
    -------
    list of int or None
        Lengths of the groups that cover items 1 onwards, or None if no such plan fits.
    """
    count = len(levels)
    if levels[0] > limit:
        return None
    tree = {}  # level of the balanced sum of the items first .. last-1
    for first in range(1, count):
        load = 0
        for last in range(first + 1, count + 1):
            load += 1 << levels[last - 1]
            tree[first, last] = (load - 1).bit_length()
    reached: list[dict[int, tuple[int, int, int]]] = [
        {} for _ in range(count)
    ]  # level: (gates, level before, group)
    reached[0][levels[0]] = (0, 0, 0)
    for item in range(count - 1):
        for level, (gates, _, _) in reached[item].items():
            inside = level
            for group in range(1, count - item):
                after = max(level, tree[item + 1, item + 1 + group]) + 1
                if after > limit:
                    break
                if group > 1:  # the outputs inside, each from the one before
                    inside = max(inside, levels[item + group - 1]) + 1
                    if inside > limit:
                        break
                cost = gates + 2 * group - 1
                place = reached[item + group]
                if after not in place or cost < place[after][0]:
                    place[after] = (cost, level, group)
    if not reached[-1]:
        return None
    level = min(reached[-1], key=lambda depth: (reached[-1][depth][0], depth))
    plan: list[int] = []
    item = count - 1
    while item:
        _, level, group = reached[item][level]
        plan.append(group)
        item -= group
    return plan[::-1]


def chain_network(
    matrix: ArrayLike, *, starts: Sequence[int] | None = None, depth_limit: int | None = None, seed: int = 0
) -> XorNetwork:
    """Make runs of consecutive rows as chains, each row from the one before, or as prefix networks of
    bounded depth.

    Parameters
    ----------
    matrix : array of 0 and 1, shape (outputs, inputs)
    starts : sequence of int, optional
        Rows that start a run. If not given, a row goes on from the one before if that leaves fewer ones.
    depth_limit : int, optional
        Most two-input XORs between an input and an output.
    seed : int
        Chooses among equally good pairs.

    Raises
    ------
    InputError
        The depth limit is less than a row needs.
    """
    array = as_matrix(matrix)
    inputs = array.shape[1]
    weights = array.sum(axis=1, dtype=np.int64)
    limit = 10**6 if depth_limit is None else depth_limit
    least = (int(weights.max(initial=1)) - 1).bit_length()
    if least > limit:
        raise InputError(f"the depth limit must be at least {least} for this matrix, not {depth_limit}")
    steps = np.zeros_like(array)
    steps[1:] = array[1:] ^ array[:-1]
    if starts is None:
        fresh = [r for r in range(len(array)) if r == 0 or int(steps[r].sum()) > max(weights[r] - 1, 0)]
    else:
        fresh = sorted({0, *starts}) if len(array) else []
    # A run whose prefix network does not fit in the depth is cut in two until it does.
    runs = list(pairwise([*fresh, len(array)]))
    items = steps.copy()
    plans: list[tuple[int, int, list[int]]] = []
    while runs:
        first, last = runs.pop(0)
        items[first] = array[first]
        levels = [(max(int(items[r].sum()), 1) - 1).bit_length() for r in range(first, last)]
        plan = prefix_plan(levels, limit)
        if plan is None:
            middle = (first + last) // 2
            items[first] = steps[first]
            runs[:0] = [(first, middle), (middle, last)]
        else:
            plans.append((first, last, plan))
    rows = [[int(s) for s in np.flatnonzero(row)] for row in items]
    # the items are made as shallow as the plans took them to be
    bounds = [(max(len(row), 1) - 1).bit_length() for row in rows]
    order = sorted(set(bounds))
    gates: list[Gate] = []
    sums = [-1] * len(rows)
    if depth_limit is None or len(order) == 1:
        gates, sums = share_pairs(
            rows, levels=[0] * inputs, depth_limit=None if depth_limit is None else order[0], seed=seed
        )
    else:
        for bound in order:
            chosen = [r for r in range(len(rows)) if bounds[r] == bound]
            made, found = share_pairs(
                [rows[r] for r in chosen], levels=[0] * inputs, depth_limit=bound, seed=seed
            )
            shift = len(gates)
            gates += [tuple(s + shift * (s >= inputs) for s in gate) for gate in made]
            for r, signal in zip(chosen, found, strict=True):
                sums[r] = signal + shift * (signal >= inputs)
    level = [0] * inputs
    signals: list[int] = [-1] * len(array)
    for first, last, plan in plans:
        signals[first] = sums[first]
        row = first
        for group in plan:
            for inside in range(row + 1, row + group):
                signals[inside] = _joined(gates, inputs, signals[inside - 1], sums[inside])
            bridge = [sums[r] for r in range(row + 1, row + group + 1) if sums[r] >= 0]
            while len(level) < inputs + len(gates):
                a, b = gates[len(level) - inputs]
                level.append(1 + max(level[a], level[b]))
            while len(bridge) > 1:
                bridge.sort(key=lambda s: level[s], reverse=True)
                a, b = bridge.pop(), bridge.pop()
                both = _joined(gates, inputs, a, b)
                if both >= len(level):
                    level.append(1 + max(level[a], level[b]))
                if both >= 0:
                    bridge.append(both)
            signals[row + group] = _joined(gates, inputs, signals[row], bridge[0] if bridge else -1)
            row += group
        assert row == last - 1
    outputs = tuple(None if s < 0 else s for s in signals)
    return XorNetwork(inputs, tuple(gates), outputs).pruned()


def chain_runs(code: Code) -> list[int] | None:
    """Return the rows that start a run in a code of the chain family, None for any other code."""
    if code.family != "chain":
        return None
    return list(range(0, code.n_out, code.parameters["run"]))
