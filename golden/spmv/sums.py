"""Whether 32 bits are enough for the sums of a product, in whatever order they are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

SUM_BITS = 32
#: So many products of two INT8 numbers, -128 times -128 each, are below 2^31.
MOST_COLUMNS = (1 << 17) - 1


def check_columns(columns: int) -> None:
    """Refuse a kernel with sums of 32 bits for rows of which the product with some INT8 vector needs more.

    Raises
    ------
    InputError
        There are too many columns.
    """
    if columns > MOST_COLUMNS:
        raise InputError(
            f"the columns must be at most {MOST_COLUMNS} for products in {SUM_BITS} bits, not {columns}"
        )


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
