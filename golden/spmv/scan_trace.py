"""What the scan engine must show in every cycle: weights as they were stored, their addresses, sums as they grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.spmv.sums import check_sums
from xorweave.golden.spmv.trace import check_activations
from xorweave.golden.tensor.decode import decode_scan
from xorweave.golden.tensor.stored import EncodedTensor


@dataclass(frozen=True, eq=False)
class ScanTrace:
    """Golden trace of y = W x in the order of the scan, `lanes` weights a cycle.

    A block takes ceil(n_out / lanes) cycles, in the last of which the lanes may be more than its weights.

    Attributes
    ----------
    weights : ndarray of unsigned words, shape (cycles, lanes)
        0 at padding.
    rows, columns : ndarray of int64, shape (cycles, lanes)
        0 at padding.
    inside : ndarray of bool, shape (cycles, lanes)
        Which are no padding.
    sums : ndarray of int32, shape (cycles, lanes, batch)
        The accumulator of each weight's row in its lane, with the weight's product; 0 at padding.
    results : ndarray of int32, shape (rows, batch)
    """

    weights: Words
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    inside: NDArray[np.bool_]
    sums: NDArray[np.int32]
    results: NDArray[np.int32]


@njit(cache=True, nogil=True)
def _grow(weights, rows, columns, inside, vectors, held, sums):  # type: ignore[no-untyped-def]
    # held: each lane's own accumulators, (lanes, matrix rows, batch)
    for t in range(weights.shape[0]):
        for lane in range(weights.shape[1]):
            if inside[t, lane]:
                row, column = rows[t, lane], columns[t, lane]
                for v in range(vectors.shape[0]):
                    held[lane, row, v] += weights[t, lane] * np.int32(vectors[v, column])
                    sums[t, lane, v] = held[lane, row, v]


def trace_scan(tensor: EncodedTensor, activations: NDArray[np.int8], lanes: int) -> ScanTrace:
    """Compute the golden trace: the software decoder, and the scan's own positions.

    Parameters
    ----------
    tensor : EncodedTensor
        Of INT4 or INT8, of any kind; taken as a matrix.
    activations : ndarray of int8, shape (cols,) or (batch, cols)
    lanes : int
        1 to n_out.

    Raises
    ------
    InputError
        The activations do not fit, or a sum might need more than 32 bits.
    """
    if not 1 <= lanes <= tensor.n_out:
        raise InputError(f"the lanes must be between 1 and n_out = {tensor.n_out}, not {lanes}")
    shape, form = matrix_shape(tensor.shape), tensor.number_format
    vectors = check_activations(shape[1], activations)
    words = decode_scan(tensor)
    check_sums(form.from_words(tensor.scan.from_scan(words)).reshape(shape), vectors)
    elements = tensor.scan.positions()

    def by_cycle(values: NDArray, padding: int) -> NDArray:
        """Put values in scan order into cycles: blocks filled up, then each block's cycles."""
        blocks = np.full((tensor.blocks, tensor.n_out), padding, values.dtype)
        blocks.reshape(-1)[: values.size] = values
        filled = np.pad(blocks, ((0, 0), (0, -tensor.n_out % lanes)), constant_values=padding)
        return filled.reshape(-1, lanes)

    at = by_cycle(elements, -1)
    inside = at >= 0
    rows, columns = np.divmod(np.maximum(at, 0), shape[1])
    given = np.where(inside, by_cycle(words, 0), form.word.type(0))
    sums = np.zeros((*at.shape, vectors.shape[0]), np.int32)
    held = np.zeros((lanes, shape[0], vectors.shape[0]), np.int32)
    _grow(form.from_words(given).astype(np.int32), rows, columns, inside, vectors, held, sums)
    return ScanTrace(given, rows, columns, inside, sums, held.sum(axis=0, dtype=np.int32))
