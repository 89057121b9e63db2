"""The paper's Algorithm 3 as it stands, in plain Python: all states, all branches, nothing clever. An oracle."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.code import Code


def _window_costs(code: Code, plane: NDArray[np.uint8], mask: NDArray[np.bool_], t: int) -> list[int]:
    """Unmatched care bits of block t for every content of the window (bit c of the index = column c of G)."""
    costs = []
    for window in range(1 << code.constraint_length):
        bits = np.array([window >> c & 1 for c in range(code.constraint_length)])
        decoded = code.generator.astype(int) @ bits % 2
        cost = 0
        for r in range(code.n_out):
            position = t * code.n_out + r
            if position < plane.size and mask[position] and decoded[r] != plane[position]:
                cost += 1
        costs.append(cost)
    return costs


def plain_algorithm3(code: Code, plane: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[list[int], int]:
    """Return (symbols, fewest unmatched bits) by dynamic programming over 2^(N_in*N_s) states, 2^N_in branches.

    A state is an integer: bits i*n_in .. of it are the symbol x_(t-1-i).
    """
    blocks = -(-plane.size // code.n_out)
    keep = (1 << (code.n_in * code.n_s)) - 1
    best: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    for t in range(blocks):
        costs = _window_costs(code, plane, mask, t)
        following: dict[int, tuple[int, list[int]]] = {}
        for state, (cost, path) in best.items():
            for u in range(1 << code.n_in):
                window = u | state << code.n_in
                after = window & keep
                total = cost + costs[window]
                if after not in following or total < following[after][0]:
                    following[after] = (total, [*path, u])
        best = following
    cost, path = min(best.values(), key=lambda entry: entry[0])
    return path, cost


def unmatched(code: Code, symbols: list[int], plane: NDArray[np.uint8], mask: NDArray[np.bool_]) -> int:
    """Count the unmatched care bits of given symbols, straight from the definition of the code."""
    total = 0
    for position in range(plane.size):
        if not mask[position]:
            continue
        t, r = divmod(position, code.n_out)
        bit = 0
        for age in range(min(code.n_s, t) + 1):
            for b in range(code.n_in):
                bit ^= int(code.generator[r, age * code.n_in + b]) & (symbols[t - age] >> b & 1)
        total += bit != plane[position]
    return total


def brute_force(code: Code, plane: NDArray[np.uint8], mask: NDArray[np.bool_]) -> int:
    """Return the fewest unmatched bits over all symbol sequences there are."""
    blocks = -(-plane.size // code.n_out)
    sequences = itertools.product(range(1 << code.n_in), repeat=blocks)
    return min(unmatched(code, list(symbols), plane, mask) for symbols in sequences)
