"""Algorithm 2 on a GPU (or on its stand-in): factors, product and patches, in two launches."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.tiles import THREADS
from xorweave.golden.spmv.kernels import WARPS, product_source
from xorweave.golden.spmv.sums import check_columns
from xorweave.golden.spmv.tiled import TiledMatrix

MAX_VECTORS = 16  # decoded once for so many vectors; more go in several passes


class Device(Protocol):
    """Where kernels run: a GPU, or the host build of them."""

    name: str

    def array(self, values: NDArray) -> Any: ...
    def empty(self, shape: tuple[int, ...], dtype: type) -> Any: ...
    def to_host(self, values: Any) -> NDArray: ...
    def launch(self, source: str, kernel: str, blocks: int, warps: int, arguments: list[Any]) -> None: ...


def parts(count: int, size: int) -> int:
    """Return how many parts of `size` hold `count`."""
    return -(-count // size)


class TileProduct:
    """Products of a tiled matrix: INT8 or INT4 with INT8 vectors to INT32, FP16 with FP16 vectors to float32.

    Parameters
    ----------
    matrix : TiledMatrix
    device : Device

    Raises
    ------
    InputError
        Sums could overflow.
    """

    def __init__(self, matrix: TiledMatrix, device: Device) -> None:
        self.matrix, self.device, self.rows = matrix, device, matrix.order.rows
        self._halves = matrix.number_format.is_float
        if not self._halves:
            check_columns(matrix.order.columns)
        self.vector_dtype = np.dtype(np.float16 if self._halves else np.int8)
        self.sum_dtype = np.float32 if self._halves else np.int32
        layout = matrix.order.layout
        self._inverted = matrix.encoded.raw.inversion * sum(
            1 << layout.n_w * lane for lane in range(layout.packed)
        )
        self._symbols = device.array(matrix.symbols)
        self._mask = device.array(matrix.mask)
        self._places = device.array(matrix.order.placed_columns())
        self._patches = int(matrix.patch_rows.size)
        # arrays without entries have no address on some devices
        self._patch_rows = device.array(matrix.patch_rows if self._patches else np.zeros(1, np.int32))
        self._patch_columns = device.array(matrix.patch_columns if self._patches else np.zeros(1, np.int32))
        self._patch_values = device.array(
            matrix.patch_values.astype(self.sum_dtype) if self._patches else np.zeros(1, self.sum_dtype)
        )
        self._factors: dict[int, Any] = {}
        self._sources: dict[int, str] = {}

    def _launch(self, vectors: int, kernel: str, blocks: int, arguments: list[Any]) -> None:
        if vectors not in self._sources:
            self._sources[vectors] = product_source(self.matrix.code, self.matrix.order, vectors)
        self.device.launch(self._sources[vectors], kernel, blocks, WARPS, arguments)

    def padded(self, vectors: NDArray) -> NDArray:
        """Return vectors, shape (count, columns), as `run` takes them: halves as their bits."""
        return vectors.view(np.uint16) if self._halves else vectors

    def run(self, vectors: Any, product: Any, count: int) -> None:
        """Multiply `count` padded vectors (1 to 16) that are on the device into `product`, on the device too."""
        matrix, order = self.matrix, self.matrix.order
        # a matrix B of 64 words for every four registers and eight vectors
        words = order.factor_tiles * (order.layout.fragments // 4) * 64 * parts(count, 8)
        if count not in self._factors:
            self._factors[count] = self.device.empty((words,), np.uint32)
        factors = self._factors[count]
        sizes = [order.columns, order.factor_tiles, order.rows]
        blocks = parts(max(count * order.rows, words), 32 * WARPS)
        self._launch(count, "factors_kernel", blocks, [vectors, self._places, *sizes, factors, product])
        group_blocks = parts(order.groups, WARPS)
        stream = [order.groups, group_blocks, matrix.segment_groups, self._inverted]
        walk = [order.rows, order.columns, order.row_tiles, order.rotation]
        patches = [self._patches, self._patch_rows, self._patch_columns, self._patch_values, vectors]
        blocks = group_blocks + parts(self._patches, 32 * WARPS)
        matrices = [self._symbols, self._mask, factors]
        self._launch(count, "product_kernel", blocks, [*matrices, *stream, *walk, *patches, product])

    def __call__(self, vectors: NDArray) -> NDArray:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows).

        Raises
        ------
        InputError
            The vectors have another dtype or another length.
        """
        order = self.matrix.order
        if vectors.dtype != self.vector_dtype or vectors.shape[-1:] != (order.columns,) or vectors.ndim > 2:
            raise InputError(
                f"vectors must be {self.vector_dtype} of length {order.columns}, not {vectors.dtype} {vectors.shape}"
            )
        batch = np.atleast_2d(vectors)
        result = np.empty((batch.shape[0], order.rows), self.sum_dtype)
        for first in range(0, batch.shape[0], MAX_VECTORS):
            some = batch[first : first + MAX_VECTORS]
            product = self.device.empty((some.shape[0], order.rows), self.sum_dtype)
            self.run(self.device.array(self.padded(some)), product, some.shape[0])
            result[first : first + MAX_VECTORS] = self.device.to_host(product)
        return result[0] if vectors.ndim == 1 else result

    def dense(self) -> NDArray:
        """Decode to the matrix itself, shape (rows, columns), patches applied: what the product multiplies with."""
        matrix, order, layout = self.matrix, self.matrix.order, self.matrix.order.layout
        words = self.device.empty((order.groups, order.n_out, THREADS, layout.fragments), np.uint32)
        sizes = [order.groups, matrix.segment_groups, self._inverted]
        blocks = parts(order.groups, WARPS)
        self._launch(1, "weights_kernel", blocks, [self._symbols, self._mask, *sizes, words])
        # (group, output, thread, register, lane of the register) to lanes in the order of the stream
        word = matrix.number_format.word
        lanes = np.ascontiguousarray(self.device.to_host(words)).view(word).reshape(*words.shape, -1)
        if layout.n_w == 4:  # registers of bytes, whose upper halves are even and odd lanes
            pairs = lanes.reshape(*lanes.shape[:3], layout.registers, 2, 4) >> 4
            lanes = pairs.swapaxes(-1, -2).reshape(*lanes.shape[:3], layout.registers, 8)
        stream = lanes.transpose(0, 2, 4, 3, 1)
        flat = order.restore(np.ascontiguousarray(stream).reshape(order.lanes, order.n_out))
        restored = matrix.number_format.from_words(flat)
        restored[matrix.patch_rows, matrix.patch_columns] = matrix.patch_values
        return restored
