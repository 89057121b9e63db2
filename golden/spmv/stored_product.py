"""y = W x straight from what is stored: blocks are decoded, some at a time, and multiplied where their scan puts them.

Any stored tensor of whole numbers has this product, whatever its scan, mask coder, value coder, groups and patches.
Nothing is encoded and no dense matrix is made.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.tensor.corrections import parse_format
from xorweave.golden.tensor.decode import decode_blocks
from xorweave.golden.tensor.figures import payload_bits
from xorweave.golden.tensor.stored import EncodedTensor

# Scan positions decoded together: their elements take 8 bytes each.
_POSITIONS = 1 << 17


@njit(cache=True, nogil=True)
def _add(weights, elements, cols, factors, sums):  # type: ignore[no-untyped-def]
    # weights of padding are 0 in a sound tensor; in a damaged one they must not be added anywhere
    for i in range(weights.size):
        weight = np.int64(weights[i])
        if weight != 0 and elements[i] >= 0:
            row = elements[i] // cols
            column = elements[i] - row * cols
            for v in range(factors.shape[1]):
                sums[row, v] += weight * factors[column, v]


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
        factors = np.ascontiguousarray(np.atleast_2d(vectors).T)
        blocks = self.tensor.blocks
        edges = [blocks * k // self._threads for k in range(self._threads + 1)]
        work = partial(self._part, factors)
        if self._threads == 1:
            total = work(0, blocks)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                total = np.sum(list(pool.map(work, edges[:-1], edges[1:])), axis=0)
        return total[:, 0] if vectors.ndim == 1 else total.T

    def _part(self, factors: NDArray[np.int8], first: int, last: int) -> NDArray[np.int64]:
        """Return what blocks first .. last - 1 add to the product, shape (rows, batch)."""
        tensor, n_out = self.tensor, self.tensor.n_out
        sums = np.zeros((self.rows, factors.shape[1]), np.int64)
        step = max(1, _POSITIONS // n_out)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            weights = tensor.number_format.from_words(decode_blocks(tensor, begin, end))
            elements = tensor.scan.positions(begin * n_out, min(end * n_out, tensor.scan.length))
            _add(weights, elements, self.cols, factors, sums)
        return sums
