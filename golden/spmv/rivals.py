"""What people would use instead: CSR (the paper's Algorithm 1), a bitmap with packed values, and dense INT8.

All three take INT8 weights and vectors and give INT32 products, so that they can be compared bit for bit; each is
as fast as we could make it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv import native
from xorweave.golden.spmv.sums import check_columns

_INT8, _INT32 = np.dtype(np.int8), np.dtype(np.int32)
_LINE = 64  # bytes that are read at once
_GROUP = 256  # columns that rows are padded to: four lines, as many sums are independent of each other


def _parts(total: NDArray[np.int64], threads: int) -> list[tuple[int, int]]:
    """Cut rows into `threads` runs of about equal work; `total` is the work before each row, and all, (rows + 1,)."""
    cuts = np.searchsorted(total, np.arange(threads + 1) * (total[-1] / threads)).tolist()
    cuts[0], cuts[-1] = 0, total.size - 1
    return list(itertools.pairwise(cuts))


class _Rows:
    """Runs of rows, each worked on by its own thread; the threads wait between products."""

    def __init__(self, total: NDArray[np.int64], threads: int) -> None:
        self._parts = _parts(total, threads)
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def each(self, work: Callable[[int, int], None]) -> None:
        """Do ``work(first row, row after the last)`` for every run."""
        if self._pool is None:
            work(*self._parts[0])
        else:
            list(self._pool.map(lambda part: work(*part), self._parts))


@njit(cache=True, nogil=True)
def _csr(values, columns, starts, vectors, first, last, product):  # type: ignore[no-untyped-def]
    # Algorithm 1: for each row, for each of its kept weights
    for row in range(first, last):
        for v in range(vectors.shape[0]):
            vector = vectors[v]
            total = np.int32(0)
            for k in range(starts[row], starts[row + 1]):
                total += np.int32(values[k]) * np.int32(vector[columns[k]])
            product[v, row] = total


class CsrProduct:
    """Algorithm 1: compressed sparse rows, one byte a value, two or four a column index, eight a row.

    Raises
    ------
    InputError
        Sums could overflow.
    """

    def __init__(self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int = 1) -> None:
        check_columns(matrix.shape[1])
        self._values = matrix[mask]
        columns = np.flatnonzero(mask) % matrix.shape[1]
        self._columns = columns.astype(np.uint16 if matrix.shape[1] <= 1 << 16 else np.uint32)
        self._starts = np.concatenate([[0], np.cumsum(np.count_nonzero(mask, axis=1))]).astype(np.int64)
        self._rows = _Rows(self._starts, threads)

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads."""
        return self._values.nbytes + self._columns.nbytes + self._starts.nbytes

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.int32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        batch = np.atleast_2d(vectors)
        product = np.empty((batch.shape[0], self._starts.size - 1), np.int32)
        self._rows.each(
            lambda first, last: _csr(self._values, self._columns, self._starts, batch, first, last, product)
        )
        return product.reshape(*vectors.shape[:-1], -1)


class BitmapProduct:
    """A bit a weight and packed INT8 values, expanded in registers; ``dense=True`` keeps all values and no bitmap.

    Parameters
    ----------
    matrix : ndarray of int8, shape (rows, columns)
    mask : ndarray of bool, same shape
        True = kept.
    threads : int
    dense : bool
    instructions : str, optional
        One of `native.INSTRUCTION_SETS`; by default the best of this processor.

    Raises
    ------
    InputError
        There is no compiler, the processor lacks the instructions, or sums could overflow.
    """

    def __init__(
        self,
        matrix: NDArray[np.int8],
        mask: NDArray[np.bool_],
        threads: int = 1,
        *,
        dense: bool = False,
        instructions: str | None = None,
    ) -> None:
        check_columns(matrix.shape[1])
        flags = native.flags_of(native.instruction_set(instructions))
        self._library = native.build('#include "rows.hpp"\n', ("-O3", *flags))
        rows, columns = matrix.shape
        width = -(-columns // _GROUP) * _GROUP
        padded = np.zeros((rows, width), bool)
        padded[:, :columns] = mask
        self._mask = native.aligned(np.packbits(padded, axis=1, bitorder="little")[: 0 if dense else rows])
        if dense:
            wide = np.zeros((rows, width), np.int8)
            wide[:, :columns] = np.where(mask, matrix, 0)
            values, counts = wide.reshape(-1), np.full(rows, width)
        else:
            values, counts = matrix[mask], np.count_nonzero(mask, axis=1)
        # a line more than there is, so that the last load stays inside
        self._values = native.aligned_zeros((values.size + _LINE,), np.int8)
        self._values[: values.size] = values
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self._row_sums = np.where(mask, matrix, 0).sum(axis=1, dtype=np.int32)
        held = (self._values, self._mask, self._starts, self._row_sums)
        sizes = (rows, columns, int(dense), threads)
        places = (part.ctypes.data for part in held)
        self._multiply = native.bound(self._library.xw_rows, *places, *sizes, rest=3)
        self._rows, self._columns = rows, columns

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads."""
        return self._values.nbytes + self._mask.nbytes + self._starts.nbytes + self._row_sums.nbytes

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.int32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows).

        Raises
        ------
        InputError
            The vectors are of another dtype or length.
        """
        shape = vectors.shape
        if vectors.dtype != _INT8 or shape[-1:] != (self._columns,) or len(shape) > 2:
            raise InputError(f"vectors must be int8 of length {self._columns}, not {vectors.dtype} {shape}")
        if not vectors.flags.c_contiguous:
            vectors = np.ascontiguousarray(vectors)
        product = np.empty((*shape[:-1], self._rows), _INT32)
        count = shape[0] if len(shape) > 1 else 1
        if self._multiply(native.address_of(vectors), count, native.address_of(product)):
            raise MemoryError
        return product
