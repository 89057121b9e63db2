"""The rival products against the integer product of NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.spmv.test_cpu import SETS, pruned, vectors
from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv import libraries
from xorweave.golden.spmv.libraries import MklCsr, NumpyDense, ScipyCsr
from xorweave.golden.spmv.rivals import BitmapProduct, CsrProduct


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 600), st.floats(0, 1), st.integers(1, 3))
def test_rivals_are_exact(rows, columns, sparsity, threads):
    matrix, mask = pruned(rows, columns, sparsity)
    batch = vectors(columns, 3)
    wanted = batch.astype(np.int32) @ matrix.T.astype(np.int32)
    made = [CsrProduct(matrix, mask, threads), NumpyDense(matrix, mask), ScipyCsr(matrix, mask)]
    for rival in [*made, ScipyCsr(matrix, mask, "int32")]:
        assert np.array_equal(rival(batch), wanted)
        assert np.array_equal(rival(batch[0]), wanted[0])


@pytest.mark.parametrize("instructions", [one for one in SETS if one != "numba"])
def test_bitmap_and_dense_are_exact(instructions):
    """Every instruction set; rows without a weight, and a matrix without one; more threads than rows."""
    for rows, columns, sparsity in (
        (1, 1, 0.0),
        (37, 300, 0.5),
        (60, 1030, 0.9),
        (20, 256, 1.0),
        (5, 512, 0.4),
        (2, 3000, 0.0),
    ):
        matrix, mask = pruned(rows, columns, sparsity)
        batch = vectors(columns, 3)
        batch[1] = -128
        matrix[0] = np.where(mask[0], -128, 0)
        wanted = batch.astype(np.int32) @ matrix.T.astype(np.int32)
        for threads in (1, 3):
            for dense in (False, True):
                product = BitmapProduct(matrix, mask, threads, dense=dense, instructions=instructions)
                assert np.array_equal(product(batch), wanted)
                assert np.array_equal(product(batch[1]), wanted[1])
    full = BitmapProduct(
        np.full((3, 3000), -128, np.int8), np.ones((3, 3000), bool), 1, instructions=instructions
    )
    for x in (-128, 127):
        assert full(np.full(3000, x, np.int8)).tolist() == [-128 * x * 3000] * 3
    with pytest.raises(InputError, match="vectors must be int8 of length 3000, not int8 \\(2999,\\)"):
        product(vectors(2999, 1)[0])


@pytest.mark.parametrize("rival", [CsrProduct, BitmapProduct])
def test_sums_that_could_overflow_are_refused(rival):
    matrix = np.full((1, 1 << 17), -128, np.int8)
    with pytest.raises(
        InputError, match=r"^the columns must be at most 131071 for products in 32 bits, not 131072$"
    ):
        rival(matrix, matrix != 0)
    most = rival(matrix[:, 1:], matrix[:, 1:] != 0)
    assert most(matrix[0, 1:]).tolist() == [((1 << 17) - 1) << 14]


def test_bytes_are_those_of_the_formats():
    matrix, mask = pruned(64, 512, 0.75)
    kept = int(np.count_nonzero(mask))
    assert CsrProduct(matrix, mask).bytes_read == kept * 3 + 65 * 8
    # a bit a weight, a byte a kept weight and one vector more, the start and the sum of each row
    assert BitmapProduct(matrix, mask).bytes_read == 64 * 512 // 8 + kept + 64 + 65 * 8 + 64 * 4
    assert ScipyCsr(matrix, mask).bytes_read == kept * 8 + 65 * 4
    assert NumpyDense(matrix, mask).bytes_read == 64 * 512 * 4


def test_a_kept_zero_is_stored():
    matrix, mask = np.array([[0, 3]], np.int8), np.array([[True, True]])
    assert ScipyCsr(matrix, mask).bytes_read == 2 * 8 + 2 * 4


def test_mkl_agrees_or_is_missed_by_name(monkeypatch):
    monkeypatch.setenv("MKL_RT", "/nowhere/libmkl_rt.so")
    with pytest.raises(InputError, match=r"\[mkl\]"):
        libraries.load_mkl()
    monkeypatch.delenv("MKL_RT")
    try:
        libraries.load_mkl()
    except InputError as error:
        pytest.skip(f"the product of MKL, the fastest rival in CSR, is not tested: {error}")
    matrix, mask = pruned(50, 70, 0.8)
    batch = vectors(70, 3)
    wanted = batch.astype(np.int32) @ matrix.T.astype(np.int32)
    for threads in (1, 2):
        product = MklCsr(matrix, mask, threads)
        assert np.array_equal(product(batch), wanted)
        assert np.array_equal(product(batch[0]), wanted[0])
