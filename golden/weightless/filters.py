"""One call for every kind of filter: banded, the smallest, or peeled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.weightless.banded import Banded
from xorweave.golden.weightless.bloomier import Bloomier

Filter = Bloomier | Banded

BAND = "band"


def build_filter(
    keys: NDArray[np.integer],
    values: NDArray[np.integer],
    *,
    t: int,
    layout: str = BAND,
    k: int = 4,
    key_bits: int | None = None,
    seed: int = 0,
) -> Filter:
    """Fill a filter.

    Parameters
    ----------
    keys, values : ndarray of integers, shape (n,)
        Different keys; values of t bits.
    t : int
        Bits of a cell, 1 to 32.
    layout : str
        Where the cells of a key lie: ``band`` (in one window, solved by elimination), ``uniform`` (the paper's k
        banks) or ``fuse`` (k neighbouring segments), both peeled.
    k : int
        Cells of a key, 3 or 4, where it is peeled.
    key_bits : int, optional
        Bits of a key; by default as many as the largest needs.
    seed : int
        First seed to try.

    Raises
    ------
    InputError
        As of ``Banded.build`` and ``Bloomier.build``.
    """
    if layout == BAND:
        return Banded.build(keys, values, t=t, key_bits=key_bits, seed=seed)
    return Bloomier.build(keys, values, t=t, k=k, layout=layout, key_bits=key_bits, seed=seed)
