"""Whether 32 bits are enough for the sums of a product, in whatever order they are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

SUM_BITS = 32


def check_sums(weights: NDArray[np.integer], activations: NDArray[np.integer]) -> None:
    """Refuse a product of which a sum, or a part of one, might need more than 32 bits.

    An accumulator that wraps does so in hardware and in a golden model of 32 bits alike: comparing them shows nothing.

    Parameters
    ----------
    weights : ndarray of int, shape (rows, cols)
    activations : ndarray of int, shape (..., cols)

    Raises
    ------
    InputError
        The magnitudes of a row's weights, times the largest activation, reach 2^31.
    """
    rows = np.abs(weights.astype(np.int16)).sum(axis=1, dtype=np.int64)
    row = int(rows.argmax()) if rows.size else 0
    heaviest = int(rows[row]) if rows.size else 0
    largest = int(np.abs(activations.astype(np.int16)).max(initial=0))
    if heaviest * largest >= 1 << (SUM_BITS - 1):
        raise InputError(
            f"sums must be below 2^{SUM_BITS - 1} in magnitude to fit {SUM_BITS} bits, but the weights of row {row} "
            f"add up to {heaviest} and activations reach {largest}: {heaviest * largest}"
        )
