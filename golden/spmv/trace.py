"""What an SpMV engine must show in every cycle: blocks before and after the mask, and sums as they grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.sums import check_sums
from xorweave.golden.tensor.decode import decode_scan
from xorweave.golden.tensor.stored import EncodedTensor


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
        Accumulators as each block leaves them.
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


def lanes_of(matrix: EncodedTensor) -> LaneLayout:
    """Return the lanes that a matrix was stored for.

    Raises
    ------
    InputError
        It is scanned otherwise.
    """
    if not isinstance(matrix.scan, LaneLayout):
        raise InputError(f"the matrix must be stored with the scan lanes, not {matrix.scan.spec}")
    return matrix.scan


def trace_spmv(matrix: EncodedTensor, activations: NDArray[np.int8]) -> SpmvTrace:
    """Compute the golden trace.

    Parameters
    ----------
    matrix : EncodedTensor
        Integer weights (INT4 or INT8), raw planes, scanned by a `LaneLayout`.
    activations : ndarray of int8, shape (cols,) or (batch, cols)

    Raises
    ------
    InputError
        The matrix is stored otherwise, the activations do not fit it, or a sum might need more than 32 bits.
    """
    layout, values = lanes_of(matrix), matrix.raw
    vectors = check_activations(layout.cols, activations)
    decoded = decode_words(matrix.code, matrix.symbols[:], matrix.segment_blocks).reshape(-1)
    words = values.words_of(decoded, matrix.number_format.word)
    masked = decode_scan(matrix)
    # a patch lies where the mask is 1: there it makes no difference on which side of the mask it is
    words[matrix.patches.positions] ^= matrix.patches.differences
    weights = matrix.number_format.from_words(masked).reshape(layout.blocks, layout.lanes)
    check_sums(layout.restore(weights), vectors)

    batch = vectors.shape[0]
    seen = vectors[:, layout.columns()].transpose(1, 2, 0).astype(np.int64)  # (cols, lanes, batch)
    steps = weights[layout.lead :].reshape(layout.passes, layout.cols, layout.interleave, layout.lanes)
    products = steps[..., None].astype(np.int64) * seen[None, :, None]
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
