"""The window as a queue: what a code will cost on a mask, foretold from the care bits of its blocks alone.

Each block brings N_in new columns; each care bit takes one. Columns that leave the window untaken are lost, and a
care bit that finds no free column is a dependent equation. Nothing else matters to the first order, so a code can
be judged in one pass over the block counts, without encoding.

A random row misses all f free columns with probability 2^-f, so a care bit turns f into f - 1 + 2^-f. Seen from where
f is large that is one curve F, on which every care bit is a step of one to the left: F(v) = v far to the right, and
F(v - 1) = F(v) - 1 + 2^-F(v). A block of c care bits therefore takes f to F(F^-1(f) - c), two looks into a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Beyond so many free columns hardly any row misses them all, and F(v) = v.
_PLENTY = 20
_NONE = -24  # F of it is 0 but for 1e-12
_STEPS = 32  # of the tables for a column


def _curve() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return F over _NONE .. _PLENTY and its inverse over 0 .. _PLENTY, _STEPS values for each column."""
    free = _PLENTY + 20 + np.arange(_STEPS) / _STEPS
    columns = []
    for v in range(_PLENTY + 20, _NONE - 1, -1):
        if v <= _PLENTY:
            columns.append(free)
        free = free - 1 + 2.0**-free
    curve = np.concatenate(columns[::-1])
    margins = _NONE + np.arange(curve.size) / _STEPS
    inverse = np.interp(np.arange((_PLENTY + 1) * _STEPS) / _STEPS, curve, margins)
    return curve, inverse


CURVE, INVERSE = _curve()


@njit(cache=True, nogil=True)
def _look_up(table, at):  # type: ignore[no-untyped-def]
    whole = np.uint32(at)
    return table[whole] + (table[whole + np.uint32(1)] - table[whole]) * (at - whole)


@njit(cache=True, nogil=True)
def take(free, count):  # type: ignore[no-untyped-def]
    # free columns after `count` care bits
    left = free - count
    if left >= _PLENTY or count == 0:
        return left
    if free < _PLENTY:
        left = _look_up(INVERSE, free * _STEPS) - count
    if left <= _NONE:
        return 0.0
    return _look_up(CURVE, (left - _NONE) * _STEPS)


@njit(cache=True, nogil=True)
def _run(counts, n_in, buffer):  # type: ignore[no-untyped-def]
    free = 0.0
    dependent = 0.0
    for count in counts:
        free = min(free, buffer) + n_in
        left = take(free, count)
        dependent += left - (free - count)
        free = left
    return dependent


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


def forecast(counts: NDArray[np.integer], n_in: int, n_s: int, share: float = 1.0) -> QueueForecast:
    """Forecast the dependent equations of a code on a segment.

    Parameters
    ----------
    counts : ndarray of int, shape (blocks,)
        Care bits of each block.
    n_in, n_s : int
        Encoded bits a block, and earlier symbols in the window.
    share : float
        What part of its window the code makes use of: 1 for uniform rows, see ``window_use``.
    """
    buffer = max(0.0, n_in * (n_s + 1) * share - n_in)
    dependent = _run(np.ascontiguousarray(counts, np.int64), n_in, buffer)
    return QueueForecast(dependent=float(dependent), payload_bits=int(counts.size) * n_in)
