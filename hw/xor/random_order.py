"""Random numbers inside compiled searches: the same for a seed on every machine and with every Numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def next_word(state: NDArray[np.uint64]) -> np.uint64:
    """Return the next 64 random bits (SplitMix64: Steele, Lea, Flood, OOPSLA 2014) of a one-word state."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    word = state[0]
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@njit(cache=True)
def below(state: NDArray[np.uint64], bound: int) -> int:
    """Return a random integer in 0 .. bound - 1; its bias, bound / 2**32, does not matter here."""
    return int(((next_word(state) >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))
