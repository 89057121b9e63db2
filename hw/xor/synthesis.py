"""From a matrix to the best network found: the one call to make."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xorweave.golden.base.errors import InputError
from xorweave.hw.xor.chains import chain_network, difference_network
from xorweave.hw.xor.network import Gate, XorNetwork, as_matrix, balanced_trees
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.hw.xor.plateau_search import plateau_search

EFFORTS = {0: 0, 1: 1, 2: 30, 3: 300}
"""Effort, and the plateau search's work at it relative to the default effort 1."""

_LOOKS = 400_000  # default effort: moves times signals, a move costing about a look at every signal
_WHOLE = 700  # above so many signals a fixed number of moves is tried
_LARGEST = 3000  # above so many signals the table of pairs is too large: the search takes a window at a time
_WINDOW = 400


def _order(network: XorNetwork, rng: np.random.Generator) -> list[int]:
    """Gates, each after those it reads and near to what it is used with (depth first)."""
    order: list[int] = []
    seen = [False] * network.signals
    outputs = [s for s in network.outputs if s is not None]
    for root in rng.permutation(outputs) if outputs else []:
        stack = [int(root)]
        while stack:
            signal = stack[-1]
            if signal < network.inputs or seen[signal]:
                stack.pop()
                continue
            a, b = network.gates[signal - network.inputs]
            missing = [s for s in (a, b) if s >= network.inputs and not seen[s]]
            if missing:
                stack.extend(missing)
            else:
                seen[signal] = True
                order.append(signal)
                stack.pop()
    return order


def _searched_by_windows(network: XorNetwork, moves: int, rng: np.random.Generator) -> XorNetwork:
    """Search one window of gates after another; what enters a window is taken as independent."""
    order = _order(network, rng)
    offset = int(rng.integers(_WINDOW))
    edges = sorted({0, *range(offset, len(order), _WINDOW), len(order)})
    read_after: list[int] = [-1] * network.signals  # place in the order of a signal's last reader
    place = {signal: i for i, signal in enumerate(order)}
    for signal in order:
        for operand in network.gates[signal - network.inputs]:
            read_after[operand] = max(read_after[operand], place[signal])
    for output in network.outputs:
        if output is not None:
            read_after[output] = len(order)
    name = list(range(network.inputs)) + [-1] * len(network.gates)
    gates: list[Gate] = []
    for first, last in pairwise(edges):
        inside = order[first:last]
        here = set(inside)
        entering = sorted({s for g in inside for s in network.gates[g - network.inputs] if s not in here})
        local = {signal: i for i, signal in enumerate(entering)}
        inner: list[Gate] = []
        for signal in inside:
            a, b = network.gates[signal - network.inputs]
            local[signal] = len(entering) + len(inner)
            inner.append((local[a], local[b]))
        leaving = [signal for signal in inside if read_after[signal] >= last]
        part = XorNetwork(len(entering), tuple(inner), tuple(local[s] for s in leaving))
        part = plateau_search(part, moves=moves, climb=0, seed=int(rng.integers(1 << 31)))
        made = [name[s] for s in entering]
        for a, b in part.gates:
            gates.append((made[a], made[b]))
            made.append(network.inputs + len(gates) - 1)
        for signal, output in zip(leaving, part.outputs, strict=True):
            assert output is not None
            name[signal] = made[output]
    return XorNetwork(
        network.inputs, tuple(gates), tuple(None if s is None else name[s] for s in network.outputs)
    ).pruned()


def _starts(array: NDArray[np.uint8], depth_limit: int | None, seed: int) -> list[XorNetwork]:
    """Build the networks worth starting from."""
    starts = [greedy_pairs(array, depth_limit=depth_limit, seed=seed)]
    weights = array.sum(axis=1, dtype=np.int64)
    steps = (array[1:] ^ array[:-1]).sum(axis=1, dtype=np.int64)
    if np.minimum(steps, weights[1:]).sum() < 0.75 * weights[1:].sum():  # else there are no runs to speak of
        starts.append(chain_network(array, depth_limit=depth_limit, seed=seed))
    if depth_limit is None:
        starts.append(difference_network(array, seed=seed))
    return starts


def _merit(network: XorNetwork) -> tuple[int, int]:
    return network.xor2, network.depth


def optimize(
    matrix: ArrayLike, *, effort: int = 1, depth_limit: int | None = None, seed: int = 0
) -> XorNetwork:
    """Make a small network for a matrix over GF(2).

    Starts from greedy pairs (Paar), from runs of rows as chains or prefix networks, and, with no depth
    limit, from nearest rows; then walks on from the better ones by the plateau search. Networks too large
    for that are walked a window of gates at a time, if there is no depth limit.

    Parameters
    ----------
    matrix : array of 0 and 1, shape (outputs, inputs)
    effort : int
        0: constructions only. 1: under a second for 80 x 24. 2: thirty times the search. 3: three hundred
        times, from several starts.
    depth_limit : int, optional
        Most two-input XORs between an input and an output.
    seed : int
        The same matrix, effort, limit and seed give the same network.

    Returns
    -------
    XorNetwork
        The one of fewest gates found and, of those, the least deep; it computes the matrix (checked).

    Raises
    ------
    InputError
        The matrix is none, the effort is unknown, or a row has more ones than the depth limit can add.
    """
    array = as_matrix(matrix)
    if effort not in EFFORTS:
        raise InputError(f"the effort must be one of {', '.join(map(str, EFFORTS))}, not {effort}")
    weights = array.sum(axis=1, dtype=np.int64)
    least = (int(weights.max(initial=1)) - 1).bit_length()
    if depth_limit is not None and depth_limit < least:
        raise InputError(f"the depth limit must be at least {least} for this matrix, not {depth_limit}")
    rng = np.random.default_rng(seed)
    found = [balanced_trees(array), *_starts(array, depth_limit, seed)]
    found.sort(key=_merit)
    work = EFFORTS[effort]
    if work and found[0].xor2 > 1:
        found = [
            _walked(start, work, depth_limit, rng) for start in _chosen(array, found, work, depth_limit, rng)
        ]
    best = min(found, key=_merit)
    if not np.array_equal(best.matrix(), array):
        raise RuntimeError("the optimised network does not compute the matrix")
    return best


def _chosen(
    array: ArrayLike, found: list[XorNetwork], work: int, depth_limit: int | None, rng: np.random.Generator
) -> list[XorNetwork]:
    """Pick the starts worth a walk: the best, and at the highest effort greedy pairs with other choices."""
    if work < EFFORTS[3] or found[0].signals > _WHOLE:
        return found[:1]
    near = [network for network in found[:3] if network.xor2 <= 1.4 * found[0].xor2][:2]
    return near + [
        greedy_pairs(array, depth_limit=depth_limit, seed=int(rng.integers(1 << 31))) for _ in range(2)
    ]


def _walked(start: XorNetwork, work: int, depth_limit: int | None, rng: np.random.Generator) -> XorNetwork:
    """Walk on from one start for as long as the effort says."""
    size = start.signals
    if size <= _LARGEST:
        moves = work * min(40 * size, _LOOKS // size if size <= _WHOLE else 1000)
        return plateau_search(
            start, moves=moves, depth_limit=depth_limit, climb=0, seed=int(rng.integers(1 << 31))
        )
    if depth_limit is None and work > 1:
        for _ in range(work // 10):
            start = min(start, _searched_by_windows(start, 4000, rng), key=_merit)
    return start
