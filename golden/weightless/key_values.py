"""What may be put into a filter: different keys, and a value of t bits for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError


def checked_key_values(
    keys: NDArray[np.integer], values: NDArray[np.integer], t: int, key_bits: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return keys and values as int64 of shape (n,), and the bits of a key: as many as the largest needs, if None.

    Raises
    ------
    InputError
        t is not 1 to 32, a key or value is out of range, they are not equally many, or keys repeat.
    """
    keys = np.asarray(keys, np.int64).reshape(-1)
    values = np.asarray(values, np.int64).reshape(-1)
    if keys.shape != values.shape:
        raise InputError(f"keys and values must be equally many, not {keys.size} and {values.size}")
    if not 1 <= t <= 32:
        raise InputError(f"t must be between 1 and 32, not {t}")
    largest = int(keys.max()) if keys.size else 0
    key_bits = max(1, largest.bit_length()) if key_bits is None else key_bits
    if keys.size and (keys.min() < 0 or largest >= 1 << min(key_bits, 32)):
        raise InputError(f"keys must lie between 0 and {(1 << min(key_bits, 32)) - 1}")
    if values.size and (values.min() < 0 or values.max() >= 1 << t):
        raise InputError(f"values must lie between 0 and {(1 << t) - 1}, as a cell has {t} bits")
    ordered = np.sort(keys)
    if (ordered[1:] == ordered[:-1]).any():
        raise InputError("keys must differ from each other")
    return keys, values, key_bits
