"""Stored tensors as linear operators, against the dense matrix."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, svds

import xorweave as xw
from tests.golden.tensor.stored_kinds import stored_kind
from xorweave.golden.choose.cell_code import encode_in_cells
from xorweave.golden.code.code import Code
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.spmv import gpu
from xorweave.golden.spmv.host_build import HostDevice
from xorweave.library import products


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


def test_threads_and_what_is_kept() -> None:
    tensor, wanted = stored_kind("cells, int8")
    x = np.random.default_rng(1).integers(-128, 128, 50).astype(np.int8)
    for threads in (1, 3, np.int64(2)):
        assert np.array_equal(xw.matrix(tensor, threads=threads) @ x, wanted.astype(int) @ x)
    for threads in (0, 257, 1.0, "2"):
        with pytest.raises(xw.InputError, match="threads must be from 1 to 256, not"):
            xw.matrix(tensor, threads=threads)  # type: ignore[arg-type]


def test_a_stored_tensor_is_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = np.random.default_rng(5).integers(-3, 4, (70, 90)).astype(np.int8)
    stored = xw.encode(weights, goal="products")["weights"]
    laid_out = []
    made = products.lane_matrix
    monkeypatch.setattr(products, "lane_matrix", lambda tensor: laid_out.append(tensor) or made(tensor))
    for seed in range(3):
        x = np.random.default_rng(seed).integers(-128, 128, 90).astype(np.int8)
        assert np.array_equal(stored @ x, weights.astype(int) @ x)
    assert len(laid_out) == 1


def test_encoding_for_products(tmp_path: Path) -> None:
    weights = np.random.default_rng(5).standard_normal((70, 90), np.float32)
    xw.encode({"w": weights}, dtype="int8", sparsity=0.8, goal="products").save(tmp_path / "w.safetensors")
    stored = xw.open(tmp_path / "w.safetensors")["w"]
    assert stored.tensor.scan.spec.startswith("cells,")
    x = np.random.default_rng(6).integers(-128, 128, (90, 2)).astype(np.int8)
    product, kernel = stored.matrix() @ x, xw.matrix(stored)._kernel
    assert kernel is not None and np.array_equal(product, stored.decode().astype(int) @ x)
    with pytest.raises(xw.InputError, match="must not be given for products"):
        xw.encode({"w": weights}, goal="products", code="paper")


def test_a_product_that_needs_more_than_32_bits_is_widened() -> None:
    weights = np.zeros((5, 1 << 17), np.int8)
    weights[3] = -128
    matrix = xw.matrix(xw.encode(weights, goal="products", mask=weights != 0)["weights"])
    assert isinstance(matrix._tensor.scan, CellScan) and matrix._kernel is None  # its sums have 32 bits
    assert (matrix @ np.full(1 << 17, -128, np.int8)).tolist() == [0, 0, 0, 1 << 31, 0]


def test_a_matrix_of_few_rows_and_many_columns() -> None:
    """Rows go sixteen at a time: what would be nearly all padding is stored as for storage."""
    weights = np.zeros((1, 1 << 17), np.int8)
    weights[0, ::100] = -128
    matrix = xw.matrix(xw.encode(weights, goal="products")["weights"])
    assert (matrix @ np.full(1 << 17, -128, np.int8)).tolist() == [1311 << 14]
    for scan, rows in (("cells", 4), ("tiles", 4), ("lanes", 16)):
        message = rf"so wide a matrix must have at least {rows} rows, not the shape \(1, 131072\)$"
        with pytest.raises(xw.InputError, match=message):
            xw.encode(weights, scan=scan)


def test_matrices_of_floats_take_the_kernels() -> None:
    weights = np.random.default_rng(5).integers(-50, 50, (70, 90)).astype(np.float16)
    stored = xw.encode({"w": weights}, dtype="fp16", sparsity=0.8, goal="products")["w"]
    x = np.random.default_rng(6).integers(-128, 128, 90).astype(np.float32)
    assert np.array_equal(xw.matrix(stored) @ x, stored.decode().astype(np.float64) @ x)


def test_tiles_on_the_stand_in_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed: the host build of the GPU's kernels is not tested")
    monkeypatch.setattr(gpu, "CupyDevice", HostDevice)
    weights = np.random.default_rng(5).standard_normal((40, 150), np.float32)
    xw.encode({"w": weights}, dtype="int8", sparsity=0.8, scan="tiles").save(tmp_path / "w.safetensors")
    stored = xw.open(tmp_path / "w.safetensors")["w"]
    x = np.random.default_rng(6).integers(-128, 128, (150, 2)).astype(np.int8)
    wanted = stored.decode().astype(int) @ x
    assert np.array_equal(xw.matrix(stored, on="gpu") @ x, wanted)
    assert np.array_equal(xw.matrix(stored) @ x, wanted)  # the same file on the processor
    with pytest.raises(xw.InputError, match="a factor must be int8 for a product on a GPU, not float64"):
        xw.matrix(stored, on="gpu") @ np.ones(150)


def test_wrong_factors(layer: xw.StoredTensor) -> None:
    with pytest.raises(
        xw.InputError, match=r"^a factor must be numbers of length 50, not float64 of shape \(30,\)$"
    ):
        layer @ np.zeros(30)
    with pytest.raises(xw.InputError, match=r"^on must be cpu or gpu, not 'tpu'$"):
        xw.matrix(layer, on="tpu")
    with pytest.raises(xw.InputError, match=r"^(CuPy must be installed|the scan must be tiles)"):
        xw.matrix(layer, on="gpu")
    with pytest.raises(xw.InputError, match=r"^a matrix must be a stored tensor .*, not ndarray$"):
        xw.matrix(np.zeros((2, 2)))  # type: ignore[arg-type]


def test_a_convolution_is_the_matrix_of_its_windows() -> None:
    """Against SciPy's correlation, map by map."""
    from scipy.signal import correlate

    rng = np.random.default_rng(6)
    image = rng.integers(-9, 10, (3, 7, 8))
    weights = rng.integers(-99, 100, (5, 3, 3, 2)).astype(np.int8)
    stored = xw.encode({"conv": weights}, sparsity=0.5, goal="hardware")["conv"]
    kept = stored.decode().astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 2), axis=(1, 2))
    columns = windows.transpose(0, 3, 4, 1, 2).reshape(18, -1)
    maps = [sum(correlate(image[c], kept[o, c], "valid") for c in range(3)) for o in range(5)]
    assert np.array_equal(stored @ columns, np.stack(maps).reshape(5, -1))


def test_cells_that_no_kernel_takes_are_multiplied_block_by_block() -> None:
    rng = np.random.default_rng(3)
    weights = np.where(rng.random((40, 20)) < 0.5, rng.integers(-9, 10, (40, 20)), 0).astype(np.int8)
    encoded = encode_in_cells(weights, code=Code.from_spec("family=chain,n_in=300,n_out=515,n_s=0"))
    x = rng.integers(-128, 128, 20).astype(np.int8)
    assert np.array_equal(xw.matrix(encoded) @ x, weights.astype(np.int64) @ x)
