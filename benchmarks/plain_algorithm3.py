"""Algorithm 3 of Park et al. as written, compiled: every branch of every state for every block.

The baseline for the encoders' speed. It keeps one survivor a state and block (2^(N_in * N_s) bytes a block).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.code.code import Code


@njit(cache=True, nogil=True)
def _weight(word):  # type: ignore[no-untyped-def]
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(cache=True, nogil=True)
def _encode(sums, n_in, n_s, care, wanted, symbols):  # type: ignore[no-untyped-def]
    # sums[age, value]: what a symbol of that age adds to a block, 128 bits in two words
    values = 1 << n_in
    states = 1 << (n_in * n_s)
    blocks = symbols.size
    infinity = np.int64(1) << np.int64(40)
    cost = np.full(states, infinity)
    cost[0] = 0
    survivors = np.zeros((blocks, states), np.uint8)
    for t in range(blocks):
        after = np.full(states, infinity)
        for state in range(states):
            if cost[state] >= infinity:
                continue
            low = wanted[t, 0]
            high = wanted[t, 1]
            rest = state
            for age in range(n_s, 0, -1):
                low ^= sums[age, rest % values, 0]
                high ^= sums[age, rest % values, 1]
                rest //= values
            oldest = state % values
            for x in range(values):
                distance = _weight((low ^ sums[0, x, 0]) & care[t, 0])
                distance += _weight((high ^ sums[0, x, 1]) & care[t, 1])
                following = (x << (n_in * (n_s - 1))) + state // values
                reached = cost[state] + np.int64(distance)
                if reached < after[following]:
                    after[following] = reached
                    survivors[t, following] = oldest
        cost = after
    state = np.argmin(cost)
    least = cost[state]
    for t in range(blocks - 1, -1, -1):
        x = state >> (n_in * (n_s - 1))
        symbols[t] = x
        state = (state - (x << (n_in * (n_s - 1)))) * values + survivors[t, state]
    return least


def encode_plane(
    code: Code, plane: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], int]:
    """Encode one bit-plane, shape (n,), n a whole number of blocks; N_in = 8, N_s >= 1, N_out <= 128.

    Returns the symbols as numbers, shape (blocks,), and the unmatched bits.
    """
    values = 1 << code.n_in
    blocks = plane.size // code.n_out
    bits = ((np.arange(values)[:, None] >> np.arange(code.n_in)) & 1).astype(np.uint8)
    sums = np.zeros((code.n_s + 1, values, 2), np.uint64)
    for age in range(code.n_s + 1):
        part = code.generator[:, age * code.n_in : (age + 1) * code.n_in]
        rows = np.zeros((values, 128), np.uint8)
        rows[:, : code.n_out] = bits @ part.T % 2
        sums[age] = np.packbits(rows, axis=1, bitorder="little").view("<u8")

    def words(flags: NDArray) -> NDArray[np.uint64]:
        padded = np.zeros((blocks, 128), np.uint8)
        padded[:, : code.n_out] = flags.reshape(blocks, code.n_out)
        return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)

    symbols = np.zeros(blocks, np.int64)
    least = _encode(sums, code.n_in, code.n_s, words(mask), words(plane), symbols)
    return symbols, int(least)
