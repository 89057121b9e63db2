"""Rivals on a GPU with kernels of their own: a bitmap, and steps of four bits, both with packed values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.spmv.kernels import bitmap_source, delta_source
from xorweave.golden.spmv.sums import check_columns
from xorweave.golden.spmv.tile_product import MAX_VECTORS, Device, parts

_WARPS = 8
_SLOTS = 8  # of a lane
_FARTHEST = 16  # columns that a step of four bits reaches


class _RowKernel(ABC):
    """A kernel with a warp a row: INT8 or FP16 weights and vectors, INT32 or float32 products."""

    def __init__(self, matrix: NDArray, device: Device) -> None:
        self.device = device
        self.rows, self._columns = matrix.shape
        self.vector_dtype = matrix.dtype
        self.sum_dtype = np.float32 if matrix.dtype == np.float16 else np.int32
        if self.sum_dtype == np.int32:
            check_columns(self._columns)

    @abstractmethod
    def padded(self, vectors: NDArray) -> NDArray:
        """Return vectors, shape (count, columns), as `run` takes them on the device."""

    @abstractmethod
    def run(self, vectors: Any, product: Any, count: int) -> None:
        """Multiply `count` padded vectors that are on the device into `product`, on the device too."""

    def __call__(self, vectors: NDArray) -> NDArray:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        batch = np.atleast_2d(vectors)
        result = np.empty((batch.shape[0], self.rows), self.sum_dtype)
        for first in range(0, batch.shape[0], MAX_VECTORS):
            some = batch[first : first + MAX_VECTORS]
            product = self.device.empty((some.shape[0], self.rows), self.sum_dtype)
            self.run(self.device.array(self.padded(some)), product, some.shape[0])
            result[first : first + MAX_VECTORS] = self.device.to_host(product)
        return result[0] if vectors.ndim == 1 else result


class BitmapTileProduct(_RowKernel):
    """A bit a weight and packed INT8 values.

    Parameters
    ----------
    matrix : ndarray of int8, shape (rows, columns)
    mask : ndarray of bool, same shape
    device : Device
    """

    def __init__(self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], device: Device) -> None:
        super().__init__(matrix, device)
        self._steps = -(-self._columns // 1024)
        # (row, step, lane, bit): column 1024 step + 32 bit + lane
        kept = self._laid_out(mask)
        packed = np.packbits(kept.reshape(-1, 32), axis=1, bitorder="little").view("<u4")
        values = self._laid_out(matrix)[kept]
        starts = np.concatenate([[0], np.cumsum(kept.sum(axis=(1, 2, 3)))[:-1]]).astype(np.int32)
        self.bytes_read = int(values.nbytes + packed.nbytes + starts.nbytes)
        self._values = device.array(values if values.size else np.zeros(1, np.int8))
        self._mask, self._starts = device.array(packed), device.array(starts)

    def _laid_out(self, matrix: NDArray) -> NDArray:
        padded = np.zeros((self.rows, self._steps * 1024), matrix.dtype)
        padded[:, : self._columns] = matrix
        return np.ascontiguousarray(padded.reshape(self.rows, self._steps, 32, 32).transpose(0, 1, 3, 2))

    def padded(self, vectors: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return vectors, shape (count, columns), as `run` takes them: shape (count, a multiple of 1024)."""
        wide = np.zeros((vectors.shape[0], self._steps * 1024), np.int8)
        wide[:, : self._columns] = vectors
        return wide

    def run(self, vectors: Any, product: Any, count: int) -> None:
        """Multiply `count` padded vectors that are on the device into `product`, on the device too."""
        self.device.launch(
            bitmap_source(count, _WARPS),
            "bitmap_product_kernel",
            parts(self.rows, _WARPS),
            _WARPS,
            [self._values, self._mask, self._starts, vectors, self.rows, self._steps, product],
        )


@njit(cache=True)
def _step_words(mask):  # type: ignore[no-untyped-def]
    # words of steps that each row takes
    words = np.zeros(mask.shape[0], np.int64)
    for row in range(mask.shape[0]):
        slots, before = 0, -1
        for column in range(mask.shape[1]):
            if mask[row, column]:
                slots += (column - before - 1) // _FARTHEST + 1
                before = column
        words[row] = (slots + _SLOTS - 1) // _SLOTS
    return words


@njit(cache=True)
def _fill_steps(mask, matrix, starts, steps, values):  # type: ignore[no-untyped-def]
    # what lies behind a row's last value keeps its step of 0, which leads at most seven columns out of the vector
    for row in range(mask.shape[0]):
        slot, before = starts[row] * _SLOTS, -1
        for column in range(mask.shape[1]):
            if mask[row, column]:
                gap = column - before - 1
                while gap >= _FARTHEST:
                    steps[slot] = _FARTHEST - 1
                    slot += 1
                    gap -= _FARTHEST
                steps[slot] = gap
                values[slot] = matrix[row, column]
                slot += 1
                before = column


class DeltaProduct(_RowKernel):
    """Packed values and, for each, the step from the column before in four bits (after MACKO, arXiv 2511.13061).

    A step beyond 16 columns takes slots of value 0. Rows are filled up to eight slots.

    Parameters
    ----------
    matrix : ndarray of int8 or float16, shape (rows, columns)
    mask : ndarray of bool, same shape
    device : Device
    """

    def __init__(self, matrix: NDArray, mask: NDArray[np.bool_], device: Device) -> None:
        super().__init__(matrix, device)
        words = _step_words(mask)
        starts = np.concatenate([[0], np.cumsum(words)])
        room = int(starts[-1]) + 32  # a warp reads so many words, whatever a row has
        nibbles = np.zeros(room * _SLOTS, np.uint8)
        values = np.zeros(room * _SLOTS, np.uint16 if matrix.dtype == np.float16 else np.int8)
        _fill_steps(mask, matrix.view(values.dtype), starts, nibbles, values)
        self._steps = device.array((nibbles[::2] | nibbles[1::2] << 4).view("<u4"))
        self._values = device.array(values.view("<u4"))
        self._starts = device.array(starts.astype(np.int32))
        self._width = self._columns + _SLOTS
        self.bytes_read = int(starts[-1]) * (4 + _SLOTS * values.itemsize) + 4 * (self.rows + 1)

    def padded(self, vectors: NDArray) -> NDArray:
        """Return vectors, shape (count, columns), as `run` takes them: a few zeros behind, halves as their bits."""
        wide = np.zeros((vectors.shape[0], self._width), self.vector_dtype)
        wide[:, : self._columns] = vectors
        return wide.view(np.uint16) if wide.dtype == np.float16 else wide

    def run(self, vectors: Any, product: Any, count: int) -> None:
        """Multiply `count` padded vectors that are on the device into `product`, on the device too."""
        self.device.launch(
            delta_source(count, _WARPS, self.vector_dtype == np.float16),
            "delta_product_kernel",
            parts(self.rows, _WARPS),
            _WARPS,
            [self._values, self._steps, self._starts, vectors, self.rows, self._width, product],
        )
