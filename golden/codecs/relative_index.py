"""Relative indices: the gap to the next kept weight in a few bits, padding zeros where it is too long.

EIE (Han et al., ISCA 2016) stores the columns of the matrix this way with 4-bit runs, MACKO-SpMV the rows
with 4-bit deltas; both spend a whole entry (gap and a zero word) on each padding.
"""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import BitReader, BitWriter, width_for
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.codecs.codec import Codec, DecodeTraits, Encoding, PrunedTensor


def padded_runs(
    mask: NDArray[np.bool_], run_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Split every line of a mask into entries of a run of zeros and one weight.

    Parameters
    ----------
    mask : ndarray of bool, shape (lines, length)
    run_bits : int
        An entry holds a run of 0 .. 2^run_bits - 1 pruned weights and the weight after it.

    Returns
    -------
    runs : ndarray of int64, shape (entries,)
    real : ndarray of bool, shape (entries,)
        False for a padding entry: the longest run, and a zero in place of a kept weight.
    per_line : ndarray of int64, shape (lines,)
        Entries of each line. Zeros after a line's last kept weight are not stored.
    """
    line, at = np.nonzero(mask)
    previous = np.empty_like(at)
    if at.size:
        previous[0] = -1
        previous[1:] = np.where(line[1:] == line[:-1], at[:-1], -1)
    gap = at - previous - 1
    span = 1 << run_bits
    padding = gap // span
    ends = np.cumsum(padding + 1)
    runs = np.full(int(ends[-1]) if ends.size else 0, span - 1, np.int64)
    real = np.zeros(runs.size, bool)
    runs[ends - 1] = gap - padding * span
    real[ends - 1] = True
    per_line = np.bincount(line, weights=padding + 1, minlength=mask.shape[0]).astype(np.int64)
    return runs, real, per_line


class RelativeIndex(Codec):
    """Relative indices along the lines of a matrix, and pointers to where each line's entries start."""

    run_bits: ClassVar[int] = 4
    by_columns: ClassVar[bool] = False
    pointer_bits: ClassVar[int | None] = None
    traits = DecodeTraits(
        "variable",
        "lines of unequal length; one entry more for each padding",
        "a pointer, then the line up to it",
    )

    def encode(self, tensor: PrunedTensor) -> Encoding:
        """Store a tensor (a tensor of more than two dimensions as first dimension x all others)."""
        mask = tensor.mask.reshape(tensor.rows, tensor.cols)
        words = tensor.words.reshape(tensor.rows, tensor.cols)
        if self.by_columns:
            mask, words = mask.T, words.T
        runs, real, per_line = padded_runs(mask, self.run_bits)
        values = np.zeros(runs.size, tensor.words.dtype)
        values[real] = words[mask]
        pointer = self.pointer_bits or width_for(tensor.n)
        writer = BitWriter()
        mask_bits = writer.fields(np.concatenate(([0], np.cumsum(per_line))), pointer)
        writer.fields(runs, self.run_bits)
        writer.fields(values, tensor.n_w)
        kept = int(real.sum())
        return Encoding(
            stream=writer.stream(),
            parts={
                "mask": mask_bits + kept * self.run_bits,
                "values": kept * tensor.n_w,
                "padding": (runs.size - kept) * (self.run_bits + tensor.n_w),
            },
        )

    def decode(self, encoding: Encoding, shape: tuple[int, ...], number_format: NumberFormat) -> Words:
        """Read the words back."""
        n = math.prod(shape)
        rows = shape[0] if len(shape) > 1 else 1
        cols = n // rows if rows else 0
        lines, length = (cols, rows) if self.by_columns else (rows, cols)
        reader = BitReader(encoding.stream)
        starts = reader.fields(lines + 1, self.pointer_bits or width_for(n)).astype(np.int64)
        if starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] > n:
            raise InputError("line pointers must rise from 0 to at most the number of weights")
        entries = int(starts[-1])
        steps = reader.fields(entries, self.run_bits).astype(np.int64) + 1
        values = reader.fields(entries, number_format.n_w)
        line = np.repeat(np.arange(lines), np.diff(starts))
        travelled = np.concatenate(([0], np.cumsum(steps)))
        at = travelled[1:] - travelled[starts[line]] - 1
        if at.size and at.max() >= length:
            raise InputError(f"runs must stay within lines of {length} weights")
        matrix = np.zeros((lines, length), number_format.word)
        matrix[line, at] = values
        return (matrix.T if self.by_columns else matrix).reshape(-1).copy()


class Eie(RelativeIndex):
    """EIE: the columns, 4-bit runs, padding zeros, the narrowest column pointers that fit."""

    name = "eie"
    title = "EIE, 4-bit runs by column"
    by_columns = True


class Macko(RelativeIndex):
    """MACKO-SpMV: the rows, 4-bit deltas, padding zeros, 32-bit row pointers."""

    name = "macko"
    title = "MACKO, 4-bit deltas by row"
    pointer_bits = 32
