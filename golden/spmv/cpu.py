"""Algorithm 2 on a processor: decoding 512 lanes at a time, and multiplying what comes out at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.errors import InputError
from xorweave.golden.spmv.sliced import SlicedMatrix, tap_program
from xorweave.golden.spmv.vector_ops import LINE, accumulate, aligned_zeros, clear, make_add, make_unpack

GROUP_WORDS = 2 * LINE  # 32-bit words that one thread decodes together
_TILE = 8 * LINE  # 64-bit words that one position decodes to: 512 bytes
_OFFSET = 128  # a decoded byte is its value plus this

_unpack8, _unpack4 = make_unpack(8), make_unpack(4)
_add8, _add4 = make_add(8), make_add(4)


# Everything below goes by addresses: arrays handed to an intrinsic would have their references counted at each call,
# which costs as much as the decoding itself.
@njit(cache=True, nogil=True)
def _run(
    symbols, zeros, block, n_out, positions, starts, offsets, goes_on, mask, flip, n_w, state, out, out_step,
    factors, sums, sums_stride, tiles, words, word, rotation, row_groups,
):  # type: ignore[no-untyped-def]  # fmt: skip
    # A row of `factors` for each vector; without one, all is decoded to `out`. Sums of vector v and row 8 g + j:
    # sums + (8 v + j) * sums_stride + 4 g; groups g beyond row_groups are those that wrapped around.
    vectors = factors.shape[0]
    tile, column_group, shift, r = 0, 0, 0, 0
    for _ in range(positions):
        if not goes_on[r]:
            clear(state)
        tap, last = starts[r], starts[r + 1]
        while last - tap > 2:
            if n_w == 8:
                _add8(state, symbols + offsets[tap])
            else:
                _add4(state, symbols + offsets[tap])
            tap += 1
        first = symbols + offsets[tap] if last > tap else zeros
        second = symbols + offsets[tap + 1] if last > tap + 1 else zeros
        if n_w == 8:
            _unpack8(state, first, second, mask, flip, out)
        else:
            _unpack4(state, first, second, mask, flip, out)
        group = tile * words + word + shift
        if group >= row_groups:
            group -= row_groups
        for v in range(vectors):
            accumulate(sums + 8 * v * sums_stride + 4 * group, sums_stride, out, factors[v, column_group])
        out += out_step
        mask += 64
        tile += 1
        if tile == tiles:
            tile = 0
            column_group += 1
            shift += rotation
            if shift >= row_groups:
                shift -= row_groups
        r += 1
        if r == n_out:
            r = 0
            symbols += block


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
        self.threads = threads
        self._n_w = fmt.n_w
        groups, _steps, n_in, n_w, _words = matrix.symbols.shape
        self._block = n_in * n_w * LINE
        flat = matrix.symbols.view(np.uint64).reshape(groups, -1)
        self._symbols = aligned_zeros(flat.shape, np.uint64)
        self._symbols[:] = flat
        self._zeros = aligned_zeros((_TILE,), np.uint64)  # stands for a tap that is not there
        self._mask = aligned_zeros((groups, matrix.length * LINE), np.uint64)
        self._mask[:] = matrix.mask.view(np.uint64).reshape(groups, -1)
        self._program = tap_program(matrix.code, n_w, 4 * GROUP_WORDS)
        inversion = matrix.encoded.inversion
        self._flip = np.array([-(inversion >> q & 1) & (2**64 - 1) for q in range(8)], np.uint64)

    def _group(
        self, group: int, out: int, out_step: int, factors: NDArray[np.int64], sums: int, stride: int
    ) -> None:
        matrix, order = self.matrix, self.matrix.order
        starts, offsets, goes_on = self._program
        scratch = aligned_zeros((_TILE,), np.uint64)
        _run(
            self._symbols[group].ctypes.data + 8 * matrix.code.n_s * self._block, self._zeros.ctypes.data,
            8 * self._block, matrix.code.n_out, order.positions, starts, offsets, goes_on,
            self._mask[group].ctypes.data, self._flip.ctypes.data, self._n_w, scratch.ctypes.data, out, out_step,
            factors, sums, stride, order.row_groups // order.words, order.words, group * GROUP_WORDS,
            order.rotation, order.row_groups,
        )  # fmt: skip

    def _each_group(self, work) -> None:  # type: ignore[no-untyped-def]
        groups = range(self._symbols.shape[0])
        if self.threads == 1:
            for group in groups:
                work(group)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(work, groups))

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
        nothing = np.zeros((0, 0), np.int64)
        self._each_group(lambda group: self._group(group, first + group * step, 8 * _TILE, nothing, 0, 0))
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
        factors = order.place(batch).view("<i4").astype(np.int64)
        groups = self._symbols.shape[0]
        stride = order.row_groups + GROUP_WORDS
        sums = aligned_zeros((groups, batch.shape[0], 8, stride), np.int32)
        tiles = [aligned_zeros((_TILE,), np.uint64) for _ in range(groups)]
        self._each_group(
            lambda group: self._group(
                group, tiles[group].ctypes.data, 0, factors, sums[group].ctypes.data, 4 * stride
            )
        )
        total = sums.sum(axis=0, dtype=np.int32)
        total[..., :GROUP_WORDS] += total[..., order.row_groups :]
        product = (
            total[..., : order.row_groups].transpose(0, 2, 1).reshape(batch.shape[0], -1)[:, : order.rows]
        )
        # each byte was its weight plus 128: every row has 128 times the sum of all factors too much
        product = product - _OFFSET * batch.sum(axis=1, dtype=np.int32)[:, None]
        if matrix.patch_rows.size:
            wrong = matrix.patch_differences * batch[:, matrix.patch_columns].astype(np.int32)
            for v in range(batch.shape[0]):
                np.add.at(product[v], matrix.patch_rows, wrong[v])
        return product[0] if vectors.ndim == 1 else product
