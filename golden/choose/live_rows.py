"""Whether a matrix is stored without its empty rows and columns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.spec import believed_weights, matrix_shape

_LEAST = 0.001  # share of a mask's bits that must be saved: what is foretold is no nearer
_HEADER = 16  # bits that tell of it, beside one for each row or column


def live_scan(kept: NDArray[np.bool_], shape: Sequence[int]) -> LiveScan | None:
    """Return the scan of the live rows, the live columns, or both, if a mask takes fewer bits with it.

    Parameters
    ----------
    kept : ndarray of bool, shape (n,)
        In the order of the tensor.
    """
    rows, columns = matrix_shape(shape)
    ones = int(np.count_nonzero(kept))
    if not ones or rows < 2:
        return None
    matrix = kept.reshape(rows, columns)
    live_rows: NDArray[np.bool_] = np.any(matrix, axis=1)
    live_columns: NDArray[np.bool_] = np.any(matrix, axis=0)
    if live_rows.all() and live_columns.all():
        return None
    plain = kept.size * binary_entropy(ones / kept.size)
    found: list[tuple[float, int, LiveScan]] = []
    for number, (by_row, by_column) in enumerate(itertools.product((False, True), repeat=2)):
        own_rows = live_rows if by_row else np.ones(rows, bool)
        own_columns = live_columns if by_column else np.ones(columns, bool)
        n = int(np.count_nonzero(own_rows)) * int(np.count_nonzero(own_columns))
        if n == kept.size:
            continue
        listed = -(-rows // 8) * by_row + -(-columns // 8) * by_column
        if kept.size > believed_weights(listed):  # a reader would take the file for a hostile one
            continue
        told = _HEADER + 8 * listed
        found.append((n * binary_entropy(ones / n) + told, number, LiveScan.of(own_rows, own_columns)))
    if not found:
        return None
    bits, _, scan = min(found, key=lambda row: row[:2])
    return scan if bits < (1 - _LEAST) * plain else None
