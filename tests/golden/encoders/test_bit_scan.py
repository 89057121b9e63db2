from __future__ import annotations

import numpy as np
from numba import njit

from xorweave.golden.encoders.bit_scan import count_ones, trailing_zeros


@njit
def count(words: np.ndarray, counts: np.ndarray) -> None:
    for i in range(words.size):
        counts[i] = trailing_zeros(words[i])


def test_the_lowest_set_bit_is_found_whatever_lies_above_it() -> None:
    rng = np.random.default_rng(0)
    low = np.arange(64)
    words = [
        1 << int(k) | int(noise) << int(k) + 1
        for k, noise in zip(low, rng.integers(0, 1 << 62, 64), strict=True)
    ]
    numbers = np.array([word & (1 << 64) - 1 for word in words], np.uint64)
    counts = np.empty(64, np.int64)
    count(numbers, counts)
    assert np.array_equal(counts, low)


@njit
def weigh(words: np.ndarray, counts: np.ndarray) -> None:
    for i in range(words.size):
        counts[i] = count_ones(words[i])


def test_ones_are_counted_as_numpy_counts_them() -> None:
    words = np.random.default_rng(1).integers(0, 1 << 64, 500, np.uint64)
    words[:2] = 0, (1 << 64) - 1
    counts = np.empty(words.size, np.int64)
    weigh(words, counts)
    assert np.array_equal(counts, np.bitwise_count(words))
