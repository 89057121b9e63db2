"""A stored tensor as a linear operator."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.gpu import GpuProduct
from xorweave.golden.spmv.lanes import lane_matrix, why_not_lanes
from xorweave.golden.spmv.native import MOST_THREADS
from xorweave.golden.spmv.stored_product import multiply_stored
from xorweave.golden.spmv.sums import MOST_COLUMNS
from xorweave.golden.spmv.tiled import tiled_matrix
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.library.stored import StoredTensor
from xorweave.library.workers import cores

# Bytes of a product for which a second thread pays: one that another process keeps waiting holds up all of a small one.
_A_THREADS_SHARE = 4 << 20


class StoredMatrix(LinearOperator):
    """The matrix of a stored tensor: its first dimension against all others. Never decoded as a whole.

    Products of integers are exact (int64); all others are float64. A matrix in the scan ``cells`` is multiplied
    by compiled kernels: of integers with int8 vectors (up to 131,071 columns, in int32), of floats with float32
    vectors (in float32). On a GPU one in
    ``tiles`` is, of integers with int8 vectors, of floats with float16 vectors (in float32). Everything else goes
    block by block, slowly.
    """

    def __init__(self, tensor: EncodedTensor, on: str = "cpu", threads: int | None = None) -> None:
        integers = not tensor.number_format.is_float
        super().__init__(np.dtype(np.int64 if integers else np.float64), matrix_shape(tensor.shape))
        self._tensor, self._on, self._threads = tensor, on, threads
        if on == "gpu":
            self._kernel = GpuProduct(tiled_matrix(tensor))

    def _matvec(self, x: NDArray) -> NDArray:
        return self._matmat(np.asarray(x).reshape(-1, 1))[:, 0]

    def _matmat(self, X: NDArray) -> NDArray:
        vectors = np.asarray(X)
        if self._kernel is not None and vectors.dtype == self._kernel.vector_dtype:
            return self._kernel(np.ascontiguousarray(vectors.T)).T.astype(self.dtype)
        if self._on == "gpu":
            raise InputError(
                f"a factor must be {self._kernel.vector_dtype} for a product on a GPU, not {vectors.dtype}"  # type: ignore[union-attr]
            )
        return multiply_stored(self._tensor, vectors)

    @cached_property
    def _kernel(self) -> EncodedProduct | GpuProduct | None:
        """The fast product, of what is stored in the scan that it takes."""
        wide = not self._tensor.number_format.is_float and self.shape[1] > MOST_COLUMNS
        if wide or why_not_lanes(self._tensor):
            return None
        laid_out = lane_matrix(self._tensor)
        worth = max(1, min(cores(), laid_out.bytes_read // _A_THREADS_SHARE))
        return EncodedProduct(laid_out, self._threads or worth)

    def _rmatvec(self, x: NDArray) -> NDArray:
        return self._rmatmat(np.asarray(x).reshape(-1, 1))[:, 0]

    def _rmatmat(self, X: NDArray) -> NDArray:
        return multiply_stored(self._tensor, np.asarray(X), transposed=True)

    def __matmul__(self, other: Any) -> Any:
        given = np.asarray(other)
        if given.ndim not in (1, 2) or given.shape[0] != self.shape[1] or given.dtype.kind not in "biufc":
            raise InputError(
                f"a factor must be numbers of length {self.shape[1]}, not {given.dtype} of shape {given.shape}"
            )
        return super().__matmul__(given)


def matrix(
    stored: StoredTensor | EncodedTensor, on: str = "cpu", *, threads: int | None = None
) -> StoredMatrix:
    """Return a stored tensor as a SciPy linear operator, which multiplies what is stored as it decodes it.

    Parameters
    ----------
    stored : StoredTensor or EncodedTensor
    on : {"cpu", "gpu"}
        Where it multiplies. ``gpu`` takes a tensor that was encoded with ``scan="tiles"``, and needs CuPy and an
        NVIDIA GPU.
    threads : int, optional
        Threads of the compiled kernels, from 1 to 256; by default one for each 4 MiB that a product reads, as many as
        there are cores.

    Raises
    ------
    InputError
        It is no stored tensor, there is no product of it there, or no such number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> import xorweave as xw
    >>> encoded = xw.encode(np.diag(np.arange(1, 65).astype(np.int8)), goal="hardware")
    >>> int((xw.matrix(encoded["weights"]) @ np.ones(64, int)).sum())
    2080
    """
    if on not in ("cpu", "gpu"):
        raise InputError(f"on must be cpu or gpu, not {on!r:.40}")
    tensor = stored.tensor if isinstance(stored, StoredTensor) else stored
    if not isinstance(tensor, EncodedTensor):
        raise InputError(f"a matrix must be a stored tensor (encoded['name']), not {type(stored).__name__}")
    if threads is not None and (
        not isinstance(threads, int | np.integer) or not 1 <= threads <= MOST_THREADS
    ):
        raise InputError(f"threads must be from 1 to {MOST_THREADS}, not {threads!r:.40}")
    return StoredMatrix(tensor, on, None if threads is None else int(threads))
