"""Stored tensors as linear operators, against the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, svds

import xorweave as xw
from tests.golden.tensor.stored_kinds import stored_kind


@pytest.fixture
def layer() -> xw.StoredTensor:
    weights = np.random.default_rng(0).standard_normal((30, 50), np.float32)
    return xw.encode(weights, sparsity=0.5, code="n_in=32,n_out=64,n_s=1,seed=0")["weights"]


def test_it_is_a_linear_operator(layer: xw.StoredTensor) -> None:
    matrix, dense = xw.matrix(layer), layer.decode().astype(np.float64)
    assert isinstance(matrix, LinearOperator) and matrix.shape == (30, 50)
    x, y = np.random.default_rng(1).standard_normal((50, 4)), np.arange(30)
    assert np.allclose(matrix @ x, dense @ x) and np.allclose(matrix @ x[:, 0], dense @ x[:, 0])
    assert np.allclose(matrix.T @ y, dense.T @ y) and np.allclose(layer.matrix() @ x, dense @ x)
    largest = svds(matrix, k=1, return_singular_vectors=False)
    assert np.isclose(largest[0], np.linalg.svd(dense, compute_uv=False)[0])


@pytest.mark.parametrize("kind", ["cells, int8", "cells, int4"])
def test_matrices_in_cells_take_the_kernels(kind: str) -> None:
    tensor, wanted = stored_kind(kind)
    matrix = xw.matrix(tensor)
    assert matrix._kernel is not None
    x = np.random.default_rng(0).integers(-128, 128, (50, 3)).astype(np.int8)
    for factor in (x, x[:, 0], x.astype(np.int32)):
        product = matrix @ factor
        assert product.dtype == np.int64 and np.array_equal(product, wanted.astype(int) @ factor.astype(int))


def test_wrong_factors(layer: xw.StoredTensor) -> None:
    with pytest.raises(
        xw.InputError, match=r"^a factor must be numbers of length 50, not float64 of shape \(30,\)$"
    ):
        layer @ np.zeros(30)
    with pytest.raises(xw.InputError, match=r"^on must be cpu: .* not 'gpu'$"):
        xw.matrix(layer, on="gpu")
    with pytest.raises(xw.InputError, match=r"^a matrix must be a stored tensor .*, not ndarray$"):
        xw.matrix(np.zeros((2, 2)))  # type: ignore[arg-type]
