"""What people would use instead: CSR (the paper's Algorithm 1), a bitmap with packed values, and dense INT8.

All three take INT8 weights and vectors and give INT32 products, so that they can be compared bit for bit; each is
as fast as we could make it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from xorweave.golden.spmv.vector_ops import aligned_zeros, byte_dot, sum_lanes

_COLUMNS = 64  # of a vector of bytes
_STEP = 4  # vectors handled together: as many sums are independent of each other


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
    """Algorithm 1: compressed sparse rows, one byte a value, two or four a column index, eight a row."""

    def __init__(self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int = 1) -> None:
        rows, columns = np.nonzero(mask)
        self._values = np.ascontiguousarray(matrix[rows, columns])
        self._columns = columns.astype(np.uint16 if matrix.shape[1] <= 1 << 16 else np.uint32)
        self._starts = np.searchsorted(rows, np.arange(matrix.shape[0] + 1)).astype(np.int64)
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


def _row_step(expanding: bool) -> Callable[..., int]:
    """Return ``step(sums, values, mask, vector)``: 256 columns of one row into 4 vectors of sums; the bytes it read.

    All but the result are addresses: 4 vectors of int32 sums, the row's next values, its next 4 mask words (not used
    for a dense row), and 256 unsigned bytes of the vector.
    """

    @intrinsic
    def step(typing, sums, values, mask, vector):  # type: ignore[no-untyped-def]
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            i8, i64 = ir.IntType(8), ir.IntType(64)
            line, bits, ints = (
                ir.VectorType(kind, n) for kind, n in ((i8, 64), (ir.IntType(1), 64), (ir.IntType(32), 16))
            )
            value = builder.inttoptr(arguments[1], i8.as_pointer())
            words = builder.inttoptr(arguments[2], i64.as_pointer())
            factors = builder.inttoptr(arguments[3], ints.as_pointer())
            totals = builder.inttoptr(arguments[0], ints.as_pointer())
            read = ir.Constant(i64, 0)
            for k in range(_STEP):
                at = builder.gep(value, [read])
                if expanding:
                    word = builder.load(builder.gep(words, [ir.Constant(i64, k)]), align=8)
                    load = builder.module.declare_intrinsic(
                        "llvm.masked.expandload.v64i8",
                        (),
                        ir.FunctionType(line, [i8.as_pointer(), bits, line]),
                    )
                    weights = builder.call(
                        load, [at, builder.bitcast(word, bits), ir.Constant(line, [0] * 64)]
                    )
                    count = builder.ctpop(word)
                else:
                    weights = builder.load(builder.bitcast(at, line.as_pointer()), align=1)
                    count = ir.Constant(i64, 64)
                read = builder.add(read, count)
                place = builder.gep(totals, [ir.Constant(i64, k)])
                factor = builder.load(builder.gep(factors, [ir.Constant(i64, k)]), align=8)
                total = byte_dot(
                    builder, builder.load(place, align=8), factor, builder.bitcast(weights, ints)
                )
                builder.store(total, place, align=8)
            return read

        return types.intp(*[types.intp] * 4), generate

    return step


_expand_step = _row_step(True)
_dense_step = _row_step(False)


@njit(cache=True, nogil=True)
def _rows(  # type: ignore[no-untyped-def]
    values, mask, steps, starts, sums_of_rows, vectors, vector_step, first, last, expanding, sums, product
):  # fmt: skip
    for row in range(first, last):
        for v in range(product.shape[0]):
            at = values + starts[row]
            words = mask + row * steps * 32
            factors = vectors + v * vector_step
            sum_lanes(sums, True)
            for _ in range(steps):
                if expanding:
                    at += _expand_step(sums, at, words, factors)
                else:
                    at += _dense_step(sums, at, words, factors)
                words += 32
                factors += 256
            # the vector's bytes were its values plus 128
            product[v, row] = sum_lanes(sums, False) - 128 * sums_of_rows[row]


class BitmapProduct:
    """A bit a weight and packed INT8 values, expanded in registers; ``dense=True`` keeps all values and no bitmap."""

    def __init__(
        self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int = 1, *, dense: bool = False
    ) -> None:
        rows, columns = matrix.shape
        self._steps = -(-columns // (_STEP * _COLUMNS))
        width = self._steps * _STEP * _COLUMNS
        padded = np.zeros((rows, width), bool)
        padded[:, :columns] = mask
        packed = np.packbits(padded, axis=1, bitorder="little")
        self._mask = aligned_zeros((0,) if dense else packed.shape, np.uint8)
        if dense:
            padded[:] = True
            wide = np.zeros((rows, width), np.int8)
            wide[:, :columns] = np.where(mask, matrix, 0)
            values = wide.reshape(-1)
        else:
            self._mask[:] = packed
            values = matrix[mask]
        # a vector more than there is, so that the last load stays inside
        self._values = aligned_zeros((values.size + _COLUMNS,), np.int8)
        self._values[: values.size] = values
        self._starts = np.concatenate([[0], np.cumsum(padded.sum(axis=1))]).astype(np.int64)
        self._row_sums = np.where(mask, matrix, 0).sum(axis=1, dtype=np.int32)
        self._dense = dense
        self._rows = _Rows(self._starts, threads)
        self._width, self._columns = width, columns

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads."""
        return self._values.nbytes + self._mask.nbytes + self._starts.nbytes + self._row_sums.nbytes

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.int32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        batch = np.atleast_2d(vectors)
        shifted = aligned_zeros((batch.shape[0], self._width), np.uint8)
        shifted[:, : self._columns] = batch.view(np.uint8) ^ np.uint8(128)
        product = np.empty((batch.shape[0], self._row_sums.size), np.int32)

        def work(first: int, last: int) -> None:
            sums = aligned_zeros((_STEP * 16,), np.int32)
            _rows(
                self._values.ctypes.data, self._mask.ctypes.data, self._steps, self._starts, self._row_sums,
                shifted.ctypes.data, shifted.strides[0], first, last, not self._dense, sums.ctypes.data, product,
            )  # fmt: skip

        self._rows.each(work)
        return product.reshape(*vectors.shape[:-1], -1)
