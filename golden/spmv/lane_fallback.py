"""Lanes decoded and multiplied by Numba, where there is no C++ compiler: the same results, several times slower."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.code.decoder import tap_lists
from xorweave.golden.spmv.lanes import LaneMatrix

_ONES = np.uint64(0x0101010101010101)
_BYTE = np.uint64(255)
_TOP = np.uint64(0xF0F0F0F0F0F0F0F0)
_FOUR = np.uint64(4)


@njit(cache=True, nogil=True)
def _decode_line(symbols, base, starts, offsets, goes_on, inversion, r, line):  # type: ignore[no-untyped-def]
    if not goes_on[r]:
        line[:] = inversion
    for k in range(starts[r], starts[r + 1]):
        row = symbols[base + offsets[k]]
        for j in range(8):
            line[j] ^= row[j]


@njit(cache=True, nogil=True)
def _decode(symbols, blocks, first, n_in, starts, offsets, goes_on, inversion, out):  # type: ignore[no-untyped-def]
    n_out = goes_on.size
    line = np.zeros(8, np.uint64)
    for t in range(blocks):
        for r in range(n_out):
            _decode_line(symbols, first + t * n_in, starts, offsets, goes_on, inversion, r, line)
            out[t * n_out + r] = line


@njit(cache=True, nogil=True)
def _multiply(  # type: ignore[no-untyped-def]
    symbols, mask, first, n_in, together, program, factors, sums
):  # fmt: skip
    starts, offsets, goes_on, inversion = program
    n_out, parts = goes_on.size, mask.shape[2] // 8
    pass_blocks = mask.shape[0] // sums.shape[1]
    line = np.zeros(8, np.uint64)
    lines = np.zeros((n_out, parts, 8), np.uint64)
    weights = lines.view(np.int8)
    for t in range(mask.shape[0]):
        for r in range(n_out):
            _decode_line(symbols, first + t * n_in, starts, offsets, goes_on, inversion, r, line)
            for part in range(parts):
                for j in range(8):
                    kept = (mask[t, r // 8, 8 * part + j] >> np.uint64(r % 8)) & _ONES
                    word = line[j]
                    if parts == 2:
                        word = (word << _FOUR if part == 0 else word) & _TOP
                    lines[r, part, j] = word & (kept * _BYTE)
        place = t % pass_blocks * (n_out // together)
        for v in range(factors.shape[0]):
            for r in range(n_out):
                total = sums[v, t // pass_blocks, r % together]
                for part in range(parts):
                    x = factors[v, place + r // together, 4 * part : 4 * part + 4]
                    w = weights[r, part]
                    for i in range(16):
                        total[i] += (
                            w[4 * i] * x[0] + w[4 * i + 1] * x[1] + w[4 * i + 2] * x[2] + w[4 * i + 3] * x[3]
                        )


class FallbackKernel:
    """What the compiled kernels do, by Numba."""

    def __init__(self, matrix: LaneMatrix) -> None:
        code, fmt = matrix.code, matrix.number_format
        self._matrix = matrix
        self._symbols = matrix.symbols.reshape(-1, 64).view(np.uint64)
        self._mask = matrix.mask_lines().view(np.uint64)
        starts, ages, bits, goes_on = tap_lists(code)
        word = np.array(matrix.encoded.raw.inversion, fmt.word)
        if fmt.n_w == 4:
            word |= word << 4
        inversion = np.tile(word, 8 // word.itemsize).view(np.uint64)[0]
        self._program = (starts, bits - ages * code.n_in, goes_on, inversion)
        self._first = code.n_s * code.n_in

    def multiply(self, vectors: NDArray) -> NDArray:
        """Multiply vectors, shape (columns,) or (batch, columns), to (rows,) or (batch, rows)."""
        matrix, batch = self._matrix, np.atleast_2d(vectors)
        product = self._unpatched(batch)
        values = matrix.patch_values.astype(product.dtype)[:, None] * batch.T[matrix.patch_columns]
        np.add.at(product.T, matrix.patch_rows, values)
        return product if vectors.ndim > 1 else product[0]

    def _unpatched(self, batch: NDArray) -> NDArray:
        matrix, scan = self._matrix, self._matrix.scan
        if matrix.number_format.is_float:
            return batch @ scan.restore(self.decode()).astype(np.float32).T
        factors: NDArray = np.zeros((batch.shape[0], scan.placed_columns.size), np.int32)
        factors[:, : scan.columns] = batch[:, scan.placed_columns[: scan.columns]]
        factors = factors.reshape(len(batch), factors.shape[1] // scan.cell_columns, scan.cell_columns)
        sums = np.zeros((batch.shape[0], scan.passes, scan.together, 16), np.int32)
        _multiply(
            self._symbols,
            self._mask,
            self._first,
            matrix.code.n_in,
            scan.together,
            self._program,
            factors,
            sums,
        )
        product = sums.transpose(0, 2, 1, 3).reshape(len(batch), scan.passes * scan.together * 16)[
            :, : scan.rows
        ]
        return product >> 4 if matrix.number_format.n_w == 4 else np.ascontiguousarray(product)

    def decode(self) -> NDArray:
        """Decode all weights in scan order, shape (lanes, lane_length), 0 where pruned or patched; BF16 as float32."""
        matrix, fmt = self._matrix, self._matrix.number_format
        lines = np.empty((matrix.scan.lane_length, 8), np.uint64)
        _decode(self._symbols, matrix.blocks, self._first, matrix.code.n_in, *self._program, lines)
        words = lines.view(fmt.word)
        if fmt.n_w == 4:
            words = np.concatenate([words & 15, words >> 4], axis=1)
        words[~matrix.mask] = 0
        return matrix.plain(np.ascontiguousarray(words.T))
