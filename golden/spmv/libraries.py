"""Products by the libraries people have at hand: NumPy (dense), SciPy (CSR), MKL (CSR with a prepared handle)."""

from __future__ import annotations

import ctypes
import os
import sysconfig
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice

_MKL_NAMES = ("libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so")
_NON_TRANSPOSE, _GENERAL, _FULL, _NON_UNIT, _COLUMN_MAJOR = 10, 20, 40, 50, 102


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep NumPy's BLAS to one thread, so that it is compared as the others are."""
    return ThreadpoolController().select(internal_api="openblas").limit(limits=1)


class NumpyDense:
    """All weights as float32, by NumPy's BLAS."""

    def __init__(self, matrix: NDArray[np.int8], mask: NDArray[np.bool_]) -> None:
        self._matrix = np.where(mask, matrix, 0).astype(np.float32)

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads."""
        return self._matrix.nbytes

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.float32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        return (self._matrix @ vectors.astype(np.float32).T).T


class ScipyCsr:
    """SciPy's compressed sparse rows with values of `dtype` (INT8 would overflow: SciPy adds in the values' type)."""

    def __init__(self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], dtype: str = "float32") -> None:
        self._matrix = csr_array(matrix, mask, dtype)

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads."""
        return self._matrix.data.nbytes + self._matrix.indices.nbytes + self._matrix.indptr.nbytes

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        return (self._matrix @ vectors.astype(self._matrix.dtype).T).T


def csr_array(matrix: NDArray[np.int8], mask: NDArray[np.bool_], dtype: str) -> scipy.sparse.csr_array:
    """Return the kept weights as SciPy's CSR, with a kept zero counted in."""
    columns = (np.flatnonzero(mask) % mask.shape[1]).astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.count_nonzero(mask, axis=1))]).astype(np.int32)
    parts = (matrix[mask].astype(dtype), columns, starts)
    return scipy.sparse.csr_array(parts, shape=matrix.shape)


class _Description(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int), ("mode", ctypes.c_int), ("diagonal", ctypes.c_int)]


def load_mkl() -> ctypes.CDLL:
    """Load MKL: the file that MKL_RT names, else the one beside this Python.

    Raises
    ------
    InputError
        There is none; the message names the extra.
    """
    named = os.environ.get("MKL_RT")
    folder = Path(sysconfig.get_paths()["data"]) / "lib"
    for candidate in [named] if named else [str(folder / name) for name in _MKL_NAMES]:
        if candidate and Path(candidate).exists():
            return ctypes.CDLL(candidate)
    raise InputError(f"MKL must be installed ({install_advice('mkl')}), or MKL_RT must name its libmkl_rt")


class MklCsr:
    """MKL's inspector-executor CSR in float32: the handle is prepared (hinted and optimised) once.

    Raises
    ------
    InputError
        MKL is not installed; the message names the extra.
    RuntimeError
        MKL refuses a call.
    """

    def __init__(self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int = 1) -> None:
        self._mkl = load_mkl()
        self._mkl.MKL_Set_Num_Threads(threads)
        self._csr = csr_array(matrix, mask, "float32")
        self._handle = ctypes.c_void_p()
        self._description = _Description(_GENERAL, _FULL, _NON_UNIT)
        starts = self._csr.indptr
        self._call(
            "mkl_sparse_s_create_csr", ctypes.byref(self._handle), 0, *map(ctypes.c_int, matrix.shape),
            _address(starts), _address(starts[1:]), _address(self._csr.indices), _address(self._csr.data),
        )  # fmt: skip
        self._call("mkl_sparse_set_mv_hint", self._handle, _NON_TRANSPOSE, self._description, 1000)
        self._call("mkl_sparse_optimize", self._handle)

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._mkl, name)(*arguments)
        if status:
            raise RuntimeError(f"{name} answers with status {status}")

    @property
    def bytes_read(self) -> int:
        """Bytes that one product reads, as CSR (what MKL makes of it is not known)."""
        return self._csr.data.nbytes + self._csr.indices.nbytes + self._csr.indptr.nbytes

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.float32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        rows, columns = self._csr.shape
        one, zero = ctypes.c_float(1.0), ctypes.c_float(0.0)
        if vectors.ndim == 1:
            factors, product = vectors.astype(np.float32), np.empty(rows, np.float32)
            self._call(
                "mkl_sparse_s_mv", _NON_TRANSPOSE, one, self._handle, self._description,
                _address(factors), zero, _address(product),
            )  # fmt: skip
            return product
        batch = vectors.shape[0]
        factors, product = vectors.astype(np.float32), np.empty((batch, rows), np.float32)
        # a batch of row vectors is a matrix of columns, stored column by column
        self._call(
            "mkl_sparse_s_mm", _NON_TRANSPOSE, one, self._handle, self._description, _COLUMN_MAJOR,
            _address(factors), batch, columns, zero, _address(product), rows,
        )  # fmt: skip
        return product

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._mkl.mkl_sparse_destroy(self._handle)


def _address(array: NDArray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
