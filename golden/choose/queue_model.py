"""The window as a queue: what a code will cost on a mask, foretold from the care bits of its blocks alone.

Each block brings N_in new columns; each care bit takes one. Columns that leave the window untaken are lost, and a
care bit that finds no free column is a dependent equation. Nothing else matters to the first order, so a code can
be judged in one pass over the block counts, without encoding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True)
class QueueForecast:
    """Forecast for one plane of a segment.

    Attributes
    ----------
    dependent : float
        Expected care bits whose equation is dependent on those before it.
    payload_bits : int
        Encoded bits, blocks * n_in.
    """

    dependent: float
    payload_bits: int


@njit(cache=True, nogil=True)
def _run(counts, n_in, buffer):  # type: ignore[no-untyped-def]
    free = 0.0
    dependent = 0.0
    for t in range(counts.size):
        free = min(free, float(buffer)) + n_in
        if free - counts[t] > 40.0:  # too many free columns for any row to miss them all
            free -= counts[t]
            continue
        for _ in range(counts[t]):
            # a random row misses all free columns with probability 2^-free
            chance = 2.0 ** (-free) if free < 40.0 else 0.0
            dependent += chance
            free -= 1.0 - chance
    return dependent


def forecast(counts: NDArray[np.integer], n_in: int, n_s: int) -> QueueForecast:
    """Forecast the dependent equations of a uniform code on a segment.

    Parameters
    ----------
    counts : ndarray of int, shape (blocks,)
        Care bits of each block.
    n_in, n_s : int
        Encoded bits a block, and earlier symbols in the window.
    """
    dependent = _run(np.ascontiguousarray(counts, np.int64), n_in, n_in * n_s)
    return QueueForecast(dependent=float(dependent), payload_bits=int(counts.size) * n_in)
