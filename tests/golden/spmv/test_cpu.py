"""Products of encoded matrices against NumPy and SciPy; decoded weights against what was encoded."""

import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.scan.cells import CellOrder
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.sliced import choose_code, slice_matrix

CODES = (
    None,  # the one that is chosen
    "family=uniform,n_in=8,n_out=20,n_s=2",
    "family=sparse,n_in=3,n_out=7,n_s=5,taps=5",
    "family=chain,n_in=8,n_out=19,n_s=3,taps=1,run=5",
    "family=chain,n_in=8,n_out=30,n_s=3,taps=3",
    "family=identity,n_in=4,n_out=4,n_s=0",
)


def pruned(rows, columns, sparsity, dtype="int8", seed=0):
    rng = np.random.default_rng(seed)
    low, high = (-128, 128) if dtype == "int8" else (-8, 8)
    mask = random_mask((rows, columns), sparsity, seed)
    return np.where(mask, rng.integers(low, high, (rows, columns)), 0).astype(np.int8), mask


def vectors(columns, batch, seed=1):
    return np.random.default_rng(seed).integers(-128, 128, (batch, columns)).astype(np.int8)


@pytest.mark.parametrize("dtype", ["int8", "int4"])
@pytest.mark.parametrize("spec", CODES)
def test_products_and_weights_are_exact(spec, dtype):
    """Too high a rate or too low, with patches or without: the result is the integer product."""
    matrix, mask = pruned(150, 37, 0.6, dtype)
    code = Code.from_spec(spec) if spec else None
    sliced = slice_matrix(matrix, dtype, mask=mask, code=code)
    product = EncodedProduct(sliced)
    assert np.array_equal(product.dense(), matrix)
    batch = vectors(37, 3)
    wanted = (scipy.sparse.csr_array(matrix.astype(np.int32)) @ batch.T.astype(np.int32)).T
    assert np.array_equal(product(batch), wanted)
    assert np.array_equal(product(batch[0]), wanted[0])


def test_patches_are_met():
    """A code far over the limit leaves many weights unmatched: the test above is not vacuous."""
    matrix, mask = pruned(1024, 37, 0.6)
    sliced = slice_matrix(matrix, mask=mask, code=Code.from_spec("family=uniform,n_in=8,n_out=30,n_s=2"))
    assert sliced.patch_rows.size > 100
    assert (matrix[sliced.patch_rows, sliced.patch_columns] != 0).any()
    assert np.array_equal(EncodedProduct(sliced).dense(), matrix)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.integers(1, 90), st.floats(0, 1), st.sampled_from([16, 32]), st.integers(1, 2))
def test_any_shape_and_sparsity(rows, columns, sparsity, words, threads):
    matrix, mask = pruned(rows, columns, sparsity)
    sliced = slice_matrix(matrix, mask=mask, order=CellOrder(rows, columns, words))
    x = vectors(columns, 1)[0]
    product = EncodedProduct(sliced, threads)
    assert np.array_equal(product(x), matrix.astype(np.int64) @ x.astype(np.int64))
    assert np.array_equal(product.dense(), matrix)


def test_streams_that_start_anew(monkeypatch):
    """A stream of several segments: lanes begin with an empty history there, and with the one before elsewhere."""
    import xorweave.golden.spmv.sliced as sliced_module

    matrix, mask = pruned(600, 64, 0.8)
    code = Code.from_spec("family=uniform,n_in=8,n_out=36,n_s=7")
    blocks = -(-CellOrder(600, 64, 16).positions // 36)
    monkeypatch.setattr(sliced_module, "default_segment_blocks", lambda *_: 100 * blocks + blocks - 1)
    sliced = slice_matrix(matrix, mask=mask, code=code)
    assert sliced.encoded.segment_blocks == 100 * blocks
    assert np.array_equal(EncodedProduct(sliced).dense(), matrix)
    whole = sliced.symbols.copy()
    # lane 100 starts a segment: nothing comes before its first symbol; lane 101 follows lane 100
    history = np.unpackbits(whole[0, : code.n_s].view(np.uint8), axis=-1, bitorder="little")
    assert not history[..., 100].any()
    assert history[..., 101].any()


def test_the_largest_products_do_not_overflow_on_the_way():
    matrix = np.full((9, 3000), -128, np.int8)
    x = np.full(3000, -128, np.int8)
    product = EncodedProduct(slice_matrix(matrix, mask=np.ones((9, 3000), bool)))
    assert product(x).tolist() == [128 * 128 * 3000] * 9


def test_processors_without_byte_products():
    """The same kernels compiled for a processor that has no vectors of 512 bits."""
    script = """
import numpy as np
from tests.golden.spmv.test_cpu import pruned, vectors
from tests.golden.spmv.test_rivals import rivals
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.sliced import slice_matrix
from xorweave.golden.spmv.vector_ops import has_byte_dot
assert not has_byte_dot()
matrix, mask = pruned(40, 300, 0.7)
x = vectors(300, 1)[0]
wanted = matrix.astype(np.int32) @ x.astype(np.int32)
assert np.array_equal(EncodedProduct(slice_matrix(matrix, mask=mask))(x), wanted)
for rival in rivals(matrix, mask, 1):
    assert np.array_equal(rival(x), wanted)
print("equal")
"""
    plain = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    done = subprocess.run(
        [sys.executable, "-c", script], env=plain, capture_output=True, text=True, check=False
    )
    assert done.stdout == "equal\n", done.stderr


def test_chosen_codes_come_close_to_the_limit():
    matrix, mask = pruned(1024, 512, 0.9)
    sliced = slice_matrix(matrix, mask=mask)
    payload = sliced.encoded.blocks * sliced.code.n_in
    assert payload < 1.05 * np.count_nonzero(mask)
    assert sliced.patch_rows.size < 0.005 * np.count_nonzero(mask)


def test_a_mask_without_a_weight():
    matrix, mask = np.zeros((20, 30), np.int8), np.zeros((20, 30), bool)
    order = CellOrder(20, 30, 16)
    code, length = choose_code(mask, order, 8)
    assert length % code.n_out == 0
    assert not EncodedProduct(slice_matrix(matrix, mask=mask))(vectors(30, 1)[0]).any()


def test_bad_input_is_named():
    matrix, mask = pruned(40, 20, 0.5)
    with pytest.raises(InputError, match="must have two dimensions, none of them 0, not shape \\(0, 4\\)"):
        slice_matrix(np.zeros((0, 4), np.int8))
    with pytest.raises(InputError, match="must be made for shape \\(40, 20\\), not 40 x 21"):
        slice_matrix(matrix, order=CellOrder(40, 21, 16))
    with pytest.raises(InputError, match="multiple of 16, not 24"):
        slice_matrix(matrix, order=CellOrder(40, 20, 24))
    product = EncodedProduct(slice_matrix(matrix, mask=mask))
    with pytest.raises(InputError, match="vectors must be int8 of length 20, not int8 \\(21,\\)"):
        product(np.zeros(21, np.int8))
    with pytest.raises(InputError, match="vectors must be int8"):
        product(np.zeros(20, np.int16))
    with pytest.raises(InputError, match="the matrix must be INT8 or INT4"):
        EncodedProduct(slice_matrix(matrix.astype(np.float16), "fp16"))
