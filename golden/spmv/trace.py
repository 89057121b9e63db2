"""What an SpMV engine must show in every cycle: blocks before and after the mask, and sums as they grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.choose.lane_code import LaneTensor
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.values.transforms import inverse


@dataclass(frozen=True, eq=False)
class SpmvTrace:
    """Golden trace of y = W x on lanes (Park et al., Algorithm 2), block by block.

    Attributes
    ----------
    blocks : ndarray of unsigned words, shape (blocks, lanes)
        What the decoder gives out, corrections included, before the mask.
    weights : ndarray of unsigned words, shape (blocks, lanes)
        The same after the mask.
    sums : ndarray of int32, shape (blocks - lead, lanes, batch)
        Accumulators as each block leaves them, modulo 2^32.
    results : ndarray of int32, shape (groups, lanes, batch)
        Sums of finished rows in the order they leave; row ``layout.group_rows()[group, lane]``.
    """

    blocks: Words
    weights: Words
    sums: NDArray[np.int32]
    results: NDArray[np.int32]


def check_activations(cols: int, activations: NDArray) -> NDArray[np.int8]:
    """Return activations as an int8 array of shape (batch, cols).

    Raises
    ------
    InputError
        The shape is neither (cols,) nor (batch, cols), or the dtype is not int8.
    """
    if activations.dtype != np.int8:
        raise InputError(f"activations must be int8, not {activations.dtype}")
    vectors = activations.reshape(1, -1) if activations.ndim == 1 else activations
    if vectors.ndim != 2 or vectors.shape[1] != cols or vectors.shape[0] < 1:
        raise InputError(f"activations must have shape ({cols},) or (batch, {cols}), not {activations.shape}")
    return vectors


def trace_spmv(matrix: LaneTensor, activations: NDArray[np.int8]) -> SpmvTrace:
    """Compute the golden trace.

    Parameters
    ----------
    matrix : LaneTensor
        Integer weights (INT4 or INT8).
    activations : ndarray of int8, shape (cols,) or (batch, cols)
    """
    layout, tensor = matrix.layout, matrix.tensor
    vectors = check_activations(layout.cols, activations)
    words = decode_words(tensor.code, tensor.symbols, tensor.segment_blocks).reshape(-1)
    words[tensor.patches.positions] ^= tensor.patches.differences
    words ^= words.dtype.type(tensor.inversion)
    words = inverse(tensor.transform, words, tensor.number_format.n_w)
    masked = np.where(tensor.mask, words, words.dtype.type(0))
    values = tensor.number_format.from_words(masked).reshape(layout.blocks, layout.lanes)

    batch = vectors.shape[0]
    seen = vectors[:, layout.columns()].transpose(1, 2, 0).astype(np.int64)  # (cols, lanes, batch)
    steps = values[layout.lead :].reshape(layout.passes, layout.cols, layout.interleave, layout.lanes)
    products = steps[..., None].astype(np.int64) * seen[None, :, None]
    # 32-bit accumulators wrap; so does the cast
    sums = np.cumsum(products, axis=1).astype(np.int32)
    return SpmvTrace(
        blocks=words.reshape(layout.blocks, layout.lanes),
        weights=masked.reshape(layout.blocks, layout.lanes),
        sums=sums.reshape(-1, layout.lanes, batch),
        results=sums[:, -1].reshape(-1, layout.lanes, batch),
    )


def gather_results(layout: LaneLayout, results: NDArray[np.int32]) -> NDArray[np.int32]:
    """Put results, shape (groups, lanes, batch), into the rows' order: shape (batch, rows)."""
    flat = results.reshape(-1, results.shape[-1])
    return flat[np.argsort(layout.group_rows().reshape(-1), kind="stable")][: layout.rows].T
