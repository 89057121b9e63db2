"""Algorithm 2 on a processor: decoding 512 lanes at a time, and multiplying what comes out at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.sliced import SlicedMatrix, tap_program
from xorweave.golden.spmv.vector_ops import LINE, aligned_zeros, make_walk

GROUP_WORDS = 2 * LINE  # 32-bit words that one thread decodes together
_TILE = 8 * LINE  # 64-bit words that one position decodes to: 512 bytes
_OFFSET = 128  # a decoded byte is its value plus this

_decode8, _decode4 = make_walk(8, False), make_walk(4, False)
_multiply8, _multiply4 = make_walk(8, True), make_walk(4, True)


@njit(cache=True, nogil=True)
def _run(  # type: ignore[no-untyped-def]
    symbols, block, n_out, positions, zeros, starts, offsets, goes_on, mask, flip, places, n_w, state, out,
    factors, vectors, factors_step, sums, sums_step, row_step,
):  # fmt: skip
    # Addresses and numbers only. Without vectors, all is decoded to `out`.
    for first in range(0, positions, n_out):
        count = min(n_out, positions - first)
        if vectors:
            if n_w == 8:
                _multiply8(
                    state, symbols, zeros, starts, offsets, goes_on, count, mask, flip, out,
                    places, factors, vectors, factors_step, sums, sums_step, row_step,
                )  # fmt: skip
            else:
                _multiply4(
                    state, symbols, zeros, starts, offsets, goes_on, count, mask, flip, out,
                    places, factors, vectors, factors_step, sums, sums_step, row_step,
                )  # fmt: skip
        elif n_w == 8:
            _decode8(
                state, symbols, zeros, starts, offsets, goes_on, count, mask, flip, out,
                places, factors, vectors, factors_step, sums, sums_step, row_step,
            )  # fmt: skip
        else:
            _decode4(
                state, symbols, zeros, starts, offsets, goes_on, count, mask, flip, out,
                places, factors, vectors, factors_step, sums, sums_step, row_step,
            )  # fmt: skip
        symbols += block
        mask += 64 * n_out
        out += 512 * n_out
        places += 8 * n_out


@njit(cache=True, nogil=True)
def _patch(product, batch, rows, columns, differences):  # type: ignore[no-untyped-def]
    for i in range(rows.size):
        for v in range(batch.shape[0]):
            product[v, rows[i]] += differences[i] * np.int32(batch[v, columns[i]])


class EncodedProduct:
    """Products of an encoded INT8 or INT4 matrix with INT8 vectors, decoded as they are multiplied.

    Parameters
    ----------
    matrix : SlicedMatrix
        Sliced into groups of 16 words that walk.
    threads : int
        Groups are shared out among so many threads.

    Raises
    ------
    InputError
        The matrix is sliced otherwise.
    """

    def __init__(self, matrix: SlicedMatrix, threads: int = 1) -> None:
        fmt, order = matrix.encoded.number_format, matrix.order
        if (
            fmt.is_float
            or fmt.n_w not in (4, 8)
            or not order.rotating
            or matrix.symbols.shape[-1] != GROUP_WORDS
        ):
            raise InputError(
                "the matrix must be INT8 or INT4 in groups of 16 words that walk through the rows"
            )
        self.matrix = matrix
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._n_w = fmt.n_w
        groups, _steps, n_in, n_w, _words = matrix.symbols.shape
        self._block = n_in * n_w * LINE
        flat = matrix.symbols.view(np.uint64).reshape(groups, -1)
        self._symbols = aligned_zeros(flat.shape, np.uint64)
        self._symbols[:] = flat
        self._zeros = aligned_zeros((_TILE,), np.uint64)  # stands for a tap that is not there
        self._mask = aligned_zeros((groups, matrix.length * LINE), np.uint64)
        self._mask[:] = matrix.mask.view(np.uint64).reshape(groups, -1)
        starts, offsets, goes_on = tap_program(matrix.code, n_w, 4 * GROUP_WORDS)
        self._program = (starts, offsets, goes_on.astype(np.int64))
        self._columns = order.placed_columns()
        # where the sums of a position's first word lie, in bytes, and its column group
        row_group, column_group = (cells[::GROUP_WORDS] for cells in order.cells())
        self._places = np.stack([4 * row_group, column_group], axis=-1).astype(np.int32)
        inversion = matrix.encoded.raw.inversion
        self._flip = np.array([-(inversion >> q & 1) & (2**64 - 1) for q in range(8)], np.uint64)
        # asked of NumPy once: the addresses of a product would take it longer than a small product itself
        self._addresses = [self._fixed_arguments(group) for group in range(groups)]

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads."""
        return self.matrix.bytes_read + self._places.nbytes

    def _fixed_arguments(self, group: int) -> tuple[int, ...]:
        matrix = self.matrix
        return (
            self._symbols[group].ctypes.data + 8 * matrix.code.n_s * self._block, 8 * self._block,
            matrix.code.n_out, matrix.order.positions, self._zeros.ctypes.data,
            *(part.ctypes.data for part in self._program), self._mask[group].ctypes.data, self._flip.ctypes.data,
            self._places[group].ctypes.data, self._n_w,
        )  # fmt: skip

    def _group(self, group: int, out: int, factors: NDArray[np.int64], sums: NDArray[np.int32]) -> None:
        scratch = aligned_zeros((_TILE,), np.uint64)
        _run(  # type: ignore[call-arg]
            *self._addresses[group], scratch.ctypes.data, out,
            factors.ctypes.data, factors.shape[0], factors.strides[0], sums.ctypes.data, *sums.strides[:2],
        )  # fmt: skip

    def _each_group(self, work: Callable[[int], None]) -> None:
        groups = range(self._symbols.shape[0])
        if self._pool is None:
            for group in groups:
                work(group)
        else:
            list(self._pool.map(work, groups))

    def decode(self, out: NDArray[np.uint64] | None = None) -> NDArray[np.uint64]:
        """Decode all weights to bytes, in the order they are decoded in.

        Returns
        -------
        ndarray of uint64, shape (groups, positions * 64)
            512 bytes a position, each a weight plus 128 (128 where pruned); patches are not applied.
        """
        groups = self._symbols.shape[0]
        if out is None:
            out = aligned_zeros((groups, self.matrix.order.positions * _TILE), np.uint64)
        first, step = out.ctypes.data, out.strides[0]
        nothing, sums = np.zeros((0, 1), np.int64), np.zeros((0, 0, 0), np.int32)
        self._each_group(lambda group: self._group(group, first + group * step, nothing, sums))
        return out

    def dense(self) -> NDArray[np.int8]:
        """Decode to the matrix itself, shape (rows, columns), patches applied."""
        order, positions = self.matrix.order, self.matrix.order.positions
        decoded = self.decode().view(np.uint8).reshape(-1, positions, 8, 2 * LINE, 4)
        # (group, position, row, word, column) to (group, word, column, row, position): lanes in their order
        lanes = decoded.transpose(0, 3, 4, 2, 1).reshape(order.lanes, positions)
        weights = order.restore((lanes.astype(np.int16) - _OFFSET).astype(np.int8))
        weights[self.matrix.patch_rows, self.matrix.patch_columns] += self.matrix.patch_differences.astype(
            np.int8
        )
        return weights

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.int32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows).

        Raises
        ------
        InputError
            The vectors are not INT8, or have another length.
        """
        order, matrix = self.matrix.order, self.matrix
        if vectors.dtype != np.int8 or vectors.shape[-1:] != (order.columns,) or vectors.ndim > 2:
            raise InputError(
                f"vectors must be int8 of length {order.columns}, not {vectors.dtype} {vectors.shape}"
            )
        batch = np.atleast_2d(vectors)
        padded = np.zeros((batch.shape[0], self._columns.size), np.int8)
        padded[:, : order.columns] = batch
        factors = np.ascontiguousarray(padded[:, self._columns]).view("<i4").astype(np.int64)
        groups = self._symbols.shape[0]
        stride = order.row_groups + GROUP_WORDS
        sums = aligned_zeros((groups, batch.shape[0], 8, stride), np.int32)
        self._each_group(lambda group: self._group(group, 0, factors, sums[group]))
        total = sums.sum(axis=0, dtype=np.int32)
        total[..., :GROUP_WORDS] += total[..., order.row_groups :]
        product = (
            total[..., : order.row_groups].transpose(0, 2, 1).reshape(batch.shape[0], -1)[:, : order.rows]
        )
        # each byte was its weight plus 128: every row has 128 times the sum of all factors too much
        product = product - _OFFSET * batch.sum(axis=1, dtype=np.int32)[:, None]
        _patch(product, batch, matrix.patch_rows, matrix.patch_columns, matrix.patch_differences)
        return product[0] if vectors.ndim == 1 else product
