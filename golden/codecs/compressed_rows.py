"""Compressed sparse rows (CSR), with the narrowest indices that fit and with 32-bit ones."""

from __future__ import annotations

import math

import numpy as np

from xorweave.golden.base.bit_fields import BitReader, BitWriter, width_for
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor
from xorweave.golden.scan.spec import matrix_shape


class CompressedRows(Codec):
    """CSR: rows + 1 row pointers, one column index and one word a kept weight."""

    name = "csr"
    title = "CSR, narrowest indices"
    traits = DecodeTraits(
        "variable",
        "rows of unequal length idle the lanes that share them",
        "a row pointer and a search in the row",
    )
    index_bits: int | None = None

    def _widths(self, rows: int, cols: int, n: int) -> tuple[int, int]:
        if self.index_bits is not None:
            return self.index_bits, self.index_bits
        return width_for(n), width_for(cols - 1)

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor (a tensor of more than two dimensions as first dimension x all others)."""
        pointer, column = self._widths(tensor.rows, tensor.cols, tensor.n)
        matrix = tensor.mask.reshape(tensor.rows, tensor.cols)
        starts = np.concatenate(([0], np.cumsum(matrix.sum(axis=1))))
        writer = BitWriter()
        mask_bits = writer.fields(starts, pointer) + writer.fields(np.nonzero(matrix)[1], column)
        value_bits = writer.fields(tensor.words[tensor.mask], tensor.n_w)
        return Encoding(parts={"mask": mask_bits, "values": value_bits}, stream=writer.stream())

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        n = math.prod(shape)
        rows, cols = matrix_shape(shape)
        pointer, column = self._widths(rows, cols, n)
        reader = BitReader(encoding.stream)
        starts = reader.fields(rows + 1, pointer).astype(np.int64)
        if starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] > n:
            raise InputError("row pointers must rise from 0 to at most the number of weights")
        columns = reader.fields(int(starts[-1]), column).astype(np.int64)
        if columns.size and columns.max() >= cols:
            raise InputError(f"column indices must lie below {cols}, not reach {columns.max()}")
        positions = np.repeat(np.arange(rows), np.diff(starts)) * cols + columns
        words = np.zeros(n, number_format.word)
        words[positions] = reader.fields(positions.size, number_format.n_w)
        return words


class CompressedRows32(CompressedRows):
    """CSR with 32-bit row pointers and column indices, as MKL and cuSPARSE read it."""

    name = "csr32"
    title = "CSR, 32-bit indices"
    index_bits = 32
