"""A stored tensor as a linear operator."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.spmv.by_blocks import multiply_by_blocks
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.lanes import lane_matrix
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.library.stored import StoredTensor


class StoredMatrix(LinearOperator):
    """The matrix of a stored tensor: its first dimension against all others. Never decoded as a whole.

    Products of integers are exact (int64); all others are float64. A matrix of integers in the scan
    ``cells`` is multiplied with int8 vectors by compiled kernels.
    """

    def __init__(self, tensor: EncodedTensor) -> None:
        integers = not tensor.number_format.is_float
        super().__init__(np.dtype(np.int64 if integers else np.float64), matrix_shape(tensor.shape))
        self._tensor = tensor

    def _matvec(self, x: NDArray) -> NDArray:
        return self._matmat(np.asarray(x).reshape(-1, 1))[:, 0]

    def _matmat(self, X: NDArray) -> NDArray:
        vectors = np.asarray(X)
        if vectors.dtype == np.int8 and self._kernel is not None:
            return self._kernel(np.ascontiguousarray(vectors.T)).T.astype(np.int64)
        return multiply_by_blocks(self._tensor, vectors)

    @cached_property
    def _kernel(self) -> EncodedProduct | None:
        """The fast product, of integers stored in the scan that it takes."""
        tensor = self._tensor
        if not isinstance(tensor.scan, CellScan) or tensor.number_format.is_float:
            return None
        return EncodedProduct(lane_matrix(tensor))

    def _rmatvec(self, x: NDArray) -> NDArray:
        return self._rmatmat(np.asarray(x).reshape(-1, 1))[:, 0]

    def _rmatmat(self, X: NDArray) -> NDArray:
        return multiply_by_blocks(self._tensor, np.asarray(X), transposed=True)

    def __matmul__(self, other: Any) -> Any:
        given = np.asarray(other)
        if given.ndim not in (1, 2) or given.shape[0] != self.shape[1] or given.dtype.kind not in "biufc":
            raise InputError(
                f"a factor must be numbers of length {self.shape[1]}, not {given.dtype} of shape {given.shape}"
            )
        return super().__matmul__(given)


def matrix(stored: StoredTensor | EncodedTensor, on: str = "cpu") -> StoredMatrix:
    """Return a stored tensor as a SciPy linear operator, which multiplies what is stored as it decodes it.

    Parameters
    ----------
    stored : StoredTensor or EncodedTensor
    on : {"cpu"}
        Where it multiplies. Products on a GPU take a scan of their own, which no container has yet: they are
        measured by ``xorweave spmv``.

    Raises
    ------
    InputError
        It is no stored tensor, or there is no product of it there.

    Examples
    --------
    >>> import numpy as np
    >>> import xorweave as xw
    >>> encoded = xw.encode(np.diag(np.arange(1, 65).astype(np.int8)), goal="hardware")
    >>> int((xw.matrix(encoded["weights"]) @ np.ones(64, int)).sum())
    2080
    """
    if on != "cpu":
        raise InputError(
            f"on must be cpu: no container has the scan that products on a GPU take; not {on!r:.40}"
        )
    if isinstance(stored, StoredTensor):
        return StoredMatrix(stored.tensor)
    if isinstance(stored, EncodedTensor):
        return StoredMatrix(stored)
    raise InputError(f"a matrix must be a stored tensor (encoded['name']), not {type(stored).__name__}")
