"""Products of any stored tensor with vectors, straight from the definition: some blocks are decoded at a time.

Slow beside the kernels, but for every scan, mask and value coder, and never with the whole matrix in memory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.tensor.decode import decode_blocks
from xorweave.golden.tensor.stored import EncodedTensor

_WEIGHTS = 1 << 18  # decoded at a time


def multiply_by_blocks(tensor: EncodedTensor, vectors: NDArray, *, transposed: bool = False) -> NDArray:
    """Multiply the matrix of a stored tensor, its first dimension against all others, with a batch of columns.

    Parameters
    ----------
    tensor : EncodedTensor
    vectors : ndarray, shape (columns, batch); (rows, batch) where `transposed`
    transposed : bool
        Multiply with the transposed matrix.

    Returns
    -------
    ndarray, shape (rows, batch); (columns, batch) where `transposed`
        int64, exact unless it overflows, where weights and vectors are integers; float64 (complex128) otherwise.

    Raises
    ------
    InputError
        The vectors have another length, or are no numbers.
    """
    rows, cols = matrix_shape(tensor.shape)
    taken, given = (rows, cols) if transposed else (cols, rows)
    if vectors.ndim != 2 or vectors.shape[0] != taken or vectors.dtype.kind not in "biufc":
        raise InputError(
            f"the vectors must be numbers of length {taken}, not {vectors.dtype} of shape {vectors.shape}"
        )
    form = tensor.number_format
    exact = not form.is_float and vectors.dtype.kind in "biu"
    dtype = np.int64 if exact else np.result_type(vectors.dtype, np.float64)
    factors = vectors.astype(dtype)
    product = np.zeros((given, vectors.shape[1]), dtype)
    step = max(1, _WEIGHTS // tensor.n_out)
    for first in range(0, tensor.blocks, step):
        words = decode_blocks(tensor, first, min(first + step, tensor.blocks))
        here = np.flatnonzero(words)
        at = first * tensor.n_out
        element = tensor.scan.positions(at, at + words.size)[here]
        here, element = here[element >= 0], element[element >= 0]
        values = form.from_words(words[here])
        weights = (from_bfloat16(values) if form.name == "bf16" else values).astype(dtype)
        row, col = np.divmod(element, cols)
        source, target = (row, col) if transposed else (col, row)
        for k in range(vectors.shape[1]):
            np.add.at(product[:, k], target, weights * factors[source, k])
    return product
