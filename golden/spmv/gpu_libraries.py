"""NVIDIA's libraries through CuPy: cuBLAS (dense FP16 and INT8) and cuSPARSE (CSR in FP16 and FP32)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# what CuPy has no name for: a type, and the algorithm that is made for row-major factors
_R_32I = 10
_CSR_ALG2 = 6


class CublasHalf:
    """Dense FP16 by ``cupy.matmul``: a product of all columns of `vectors`, shape (batch, columns), in FP16.

    Factors are scaled by powers of two, so that no sum leaves the range of FP16: `weights` are given as a sixteenth of
    what they are, vectors are divided by 256 here, and `result` undoes both.
    """

    def __init__(self, cupy: Any, weights: Any, vectors: NDArray[np.int8]) -> None:
        self._cupy, self._left = cupy, weights
        self._right = cupy.asarray(vectors.astype(np.float16).T / 256)
        self._product = cupy.empty((weights.shape[0], vectors.shape[0]), np.float16)
        self.bytes_read = int(weights.nbytes)

    def __call__(self) -> None:
        self._cupy.matmul(self._left, self._right, out=self._product)

    def result(self) -> Any:
        """Return the product, shape (batch, rows), float32 on the device."""
        return self._product.T.astype(np.float32) * 4096


class CublasBytes:
    """Dense INT8 to INT32 by ``cublasGemmEx``; `width` columns are multiplied, those beyond the batch with zeros."""

    def __init__(self, cupy: Any, weights: Any, vectors: NDArray[np.int8], width: int | None = None) -> None:
        self._cupy, self._left = cupy, weights
        self._batch = vectors.shape[0]
        padded = np.zeros((max(width or 0, self._batch), vectors.shape[1]), np.int8)
        padded[: self._batch] = vectors
        self._right = cupy.asarray(padded)
        self._product = cupy.empty((padded.shape[0], weights.shape[0]), np.int32)
        self.bytes_read = int(weights.nbytes)

    def __call__(self) -> None:
        from cupy_backends.cuda.libs import cublas

        (rows, columns), batch = self._left.shape, self._right.shape[0]
        runtime = self._cupy.cuda.runtime
        one, zero = np.array(1, np.int32), np.array(0, np.int32)
        cublas.gemmEx(
            self._cupy.cuda.device.get_cublas_handle(), cublas.CUBLAS_OP_T, cublas.CUBLAS_OP_N, rows, batch, columns,
            one.ctypes.data, self._left.data.ptr, runtime.CUDA_R_8I, columns,
            self._right.data.ptr, runtime.CUDA_R_8I, columns,
            zero.ctypes.data, self._product.data.ptr, _R_32I, rows,
            cublas.CUBLAS_COMPUTE_32I, cublas.CUBLAS_GEMM_DEFAULT,
        )  # fmt: skip

    def result(self) -> Any:
        """Return the product, shape (batch, rows), int32 on the device."""
        return self._product[: self._batch]


class Cusparse:
    """CSR by cuSPARSE's generic interface (SpMV for one vector, SpMM for more), summed in float32.

    Parameters
    ----------
    held : scipy.sparse.csr_array of float32
    dtype : {float16, float32}
        Of weights and vectors; indices take 32 bits.
    by_row : bool
        Whether several vectors, and their products, lie side by side (row-major) or one after another.
    """

    def __init__(
        self, cupy: Any, held: Any, vectors: NDArray[np.int8], dtype: Any, *, by_row: bool = False
    ) -> None:
        from cupy_backends.cuda.libs import cusparse

        self._library, runtime = cusparse, cupy.cuda.runtime
        self._handle = cupy.cuda.device.get_cusparse_handle()
        kind = runtime.CUDA_R_16F if dtype == np.float16 else runtime.CUDA_R_32F
        self._sum = runtime.CUDA_R_32F
        values = cupy.asarray(held.data.astype(dtype))
        columns, starts = cupy.asarray(held.indices), cupy.asarray(held.indptr)
        factors = cupy.asarray(np.ascontiguousarray((vectors.T if by_row else vectors).astype(dtype)))
        (rows, width), batch = held.shape, vectors.shape[0]
        self._product, self._by_row = (
            cupy.empty((rows, batch) if by_row else (batch, rows), np.float32),
            by_row,
        )
        self._arrays = (values, columns, starts, factors)
        index = cusparse.CUSPARSE_INDEX_32I
        self._matrix = cusparse.createCsr(
            rows, width, int(held.nnz), starts.data.ptr, columns.data.ptr, values.data.ptr, index, index,
            cusparse.CUSPARSE_INDEX_BASE_ZERO, kind,
        )  # fmt: skip
        if batch == 1:
            self._factors = cusparse.createDnVec(width, factors.data.ptr, kind)
            self._sums = cusparse.createDnVec(rows, self._product.data.ptr, self._sum)
        else:
            order = cusparse.CUSPARSE_ORDER_ROW if by_row else cusparse.CUSPARSE_ORDER_COL
            to_next = (batch, batch) if by_row else (width, rows)
            self._factors = cusparse.createDnMat(width, batch, to_next[0], factors.data.ptr, kind, order)
            self._sums = cusparse.createDnMat(
                rows, batch, to_next[1], self._product.data.ptr, self._sum, order
            )
        self._single = batch == 1
        self._one, self._zero = np.array(1, np.float32), np.array(0, np.float32)
        asked = (cusparse.spMV_bufferSize if self._single else cusparse.spMM_bufferSize)(*self._arguments())
        self._buffer = cupy.empty(max(int(asked), 1), np.uint8)
        self.bytes_read = int(values.nbytes + columns.nbytes + starts.nbytes)

    def _arguments(self) -> tuple[Any, ...]:
        operations = (0,) if self._single else (0, 0)  # not transposed
        factors = (self._one.ctypes.data, self._matrix, self._factors, self._zero.ctypes.data, self._sums)
        algorithm = _CSR_ALG2 if self._by_row and not self._single else 0  # 0: what the library takes
        return (self._handle, *operations, *factors, self._sum, algorithm)

    def __call__(self) -> None:
        (self._library.spMV if self._single else self._library.spMM)(
            *self._arguments(), self._buffer.data.ptr
        )

    def result(self) -> Any:
        """Return the product, shape (batch, rows), float32 on the device."""
        return self._product.T if self._by_row else self._product

    def __del__(self) -> None:
        if hasattr(self, "_sums"):
            self._library.destroySpMat(self._matrix)
            destroy = self._library.destroyDnVec if self._single else self._library.destroyDnMat
            destroy(self._factors)
            destroy(self._sums)
