"""y = W x straight from what is stored: blocks are decoded, some at a time, and multiplied where their scan puts them.

Any stored tensor has this product, whatever its scan, mask coder, value coder, groups and patches; it is slow beside
the kernels. Nothing is encoded and no dense matrix is made.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.tensor.corrections import parse_format
from xorweave.golden.tensor.decode import decode_blocks
from xorweave.golden.tensor.figures import payload_bits
from xorweave.golden.tensor.stored import EncodedTensor

# Scan positions decoded together: their elements take 8 bytes each.
_POSITIONS = 1 << 17


@njit(cache=True, nogil=True)
def _add(words, weights, elements, cols, transposed, factors, sums):  # type: ignore[no-untyped-def]
    # words of padding are 0 in a sound tensor; in a damaged one they must not be added anywhere
    for i in range(words.size):
        if words[i] != 0 and elements[i] >= 0:
            row = elements[i] // cols
            column = elements[i] - row * cols
            if transposed:
                row, column = column, row
            for v in range(factors.shape[1]):
                sums[row, v] += weights[i] * factors[column, v]


def _check_wide_sums(n_w: int, length: int, vectors: NDArray) -> None:
    """Refuse integers of which a product with so many weights of `n_w` bits might not fit an int64."""
    largest = max(abs(int(vectors.max(initial=0))), abs(int(vectors.min(initial=0)))) if vectors.size else 0
    most = (length * largest) << (n_w - 1)
    if most >= 1 << 63:
        raise InputError(
            f"integer products must stay below 2^63 in magnitude, but {length} weights of {n_w} bits times up to"
            f" {largest} might reach {most}: give smaller vectors, or floats"
        )


def multiply_stored(
    tensor: EncodedTensor, vectors: NDArray, *, transposed: bool = False, threads: int = 1
) -> NDArray:
    """Multiply the matrix of a stored tensor, its first side against all others, with a batch of columns.

    Parameters
    ----------
    tensor : EncodedTensor
        Of any kind.
    vectors : ndarray, shape (columns, batch); (rows, batch) where `transposed`
    transposed : bool
        Multiply with the transposed matrix.
    threads : int
        Blocks are shared out among so many threads.

    Returns
    -------
    ndarray, shape (rows, batch); (columns, batch) where `transposed`
        int64, exact, where weights and vectors are integers; float64 (complex128) otherwise.

    Raises
    ------
    InputError
        The vectors have another length, are no numbers, or are integers so large that a sum might need more than
        64 bits.
    """
    rows, cols = matrix_shape(tensor.shape)
    taken, given = (rows, cols) if transposed else (cols, rows)
    if vectors.ndim != 2 or vectors.shape[0] != taken or vectors.dtype.kind not in "biufc":
        raise InputError(
            f"the vectors must be numbers of length {taken}, not {vectors.dtype} of shape {vectors.shape}"
        )
    form = tensor.number_format
    exact = not form.is_float and vectors.dtype.kind in "biu"
    dtype = np.dtype(np.int64) if exact else np.result_type(vectors.dtype, np.float64)
    if exact:
        _check_wide_sums(form.n_w, taken, vectors)
    factors = np.ascontiguousarray(vectors.astype(dtype))
    step = max(1, _POSITIONS // tensor.n_out)

    def part(first: int, last: int) -> NDArray:
        sums = np.zeros((given, factors.shape[1]), dtype)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            words = decode_blocks(tensor, begin, end)
            values = form.from_words(words)
            weights = (from_bfloat16(values) if form.name == "bf16" else values).astype(dtype)
            elements = tensor.scan.positions(
                begin * tensor.n_out, min(end * tensor.n_out, tensor.scan.length)
            )
            _add(words, weights, elements, cols, transposed, factors, sums)
        return sums

    edges = [tensor.blocks * k // threads for k in range(threads + 1)]
    if threads == 1:
        return part(0, tensor.blocks)
    with ThreadPoolExecutor(threads) as pool:
        total: NDArray = np.sum(list(pool.map(part, edges[:-1], edges[1:])), axis=0)
    return total


class StoredProduct:
    """Products of a stored INT4 or INT8 tensor, taken as a matrix, with INT8 vectors.

    Memory beside the tensor is a few bytes for each of some hundred thousand positions a thread, and the sums.

    Parameters
    ----------
    tensor : EncodedTensor
        Of any kind; its first side are the rows, the others multiplied the columns.
    threads : int
        Blocks are shared out among so many threads.

    Raises
    ------
    InputError
        The weights are not INT4 or INT8.
    """

    def __init__(self, tensor: EncodedTensor, threads: int = 1) -> None:
        if tensor.number_format.name not in ("int4", "int8"):
            raise InputError(f"the weights must be int4 or int8, not {tensor.number_format.name}")
        if threads < 1:
            raise InputError(f"threads must be at least 1, not {threads}")
        self.tensor, self._threads = tensor, threads
        self.rows, self.cols = matrix_shape(tensor.shape)

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads: mask, symbols and patches as they are stored."""
        tensor = self.tensor
        form = parse_format(tensor.correction_format, tensor.n_out)
        patches = form.bits(tensor.patches, tensor.scan.length, tensor.number_format.n_w)
        return -(-(tensor.mask_coder.bits + payload_bits(tensor) + patches) // 8)

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.int64]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows); no sum wraps.

        Raises
        ------
        InputError
            The vectors are not INT8, or have another length.
        """
        if vectors.dtype != np.int8 or vectors.shape[-1:] != (self.cols,) or vectors.ndim not in (1, 2):
            raise InputError(
                f"vectors must be int8 of length {self.cols}, not {vectors.dtype} {vectors.shape}"
            )
        total = multiply_stored(self.tensor, np.atleast_2d(vectors).T, threads=self._threads)
        return total[:, 0] if vectors.ndim == 1 else total.T
