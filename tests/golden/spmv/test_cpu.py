"""Products of encoded matrices against NumPy and SciPy, with every instruction set there is here."""

import multiprocessing
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16, to_bfloat16
from xorweave.golden.choose.cell_code import encode_in_cells
from xorweave.golden.code.code import Code
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.spmv import native
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.lanes import encode_lanes, lane_matrix
from xorweave.golden.tensor.stored import Patches

needs_compiler = pytest.mark.skipif(native.compiler() is None, reason="needs g++")
# few outputs a block: a kernel is compiled for each code
SHORT = Code.from_spec("family=chain,n_in=8,n_out=20,n_s=7")


def pruned(rows, columns, sparsity, dtype="int8", seed=0):
    rng = np.random.default_rng(seed)
    mask = random_mask((rows, columns), sparsity, seed)
    if dtype in ("int8", "int4"):
        low, high = (-128, 128) if dtype == "int8" else (-8, 8)
        return np.where(mask, rng.integers(low, high, mask.shape), 0).astype(np.int8), mask
    floats = np.where(mask, rng.standard_normal(mask.shape), 0).astype(np.float32)
    if dtype == "bf16":
        return to_bfloat16(floats), mask
    return floats.astype(np.float16 if dtype == "fp16" else np.float32), mask


def vectors(columns, batch, seed=1):
    return np.random.default_rng(seed).integers(-128, 128, (batch, columns)).astype(np.int8)


def has_emulation():
    if native.compiler() is None:
        return False
    program = "#include <simde/x86/avx512.h>\n#include <simde/x86/f16c.h>\nint main() {}"
    tried = subprocess.run(
        [native.compiler(), "-x", "c++", "-E", "-"],
        input=program,
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.returncode == 0


def missing(name: str) -> str:
    """What keeps the kernels of an instruction set from being tested here; empty if nothing does."""
    if native.compiler() is None:
        return f"the kernels for {name} are not tested: g++ is not installed"
    here = native.available_sets()
    return (
        ""
        if name in here
        else f"the kernels for {name} are not tested: this processor has {', '.join(here)} only"
    )


SETS = [
    pytest.param(name, marks=pytest.mark.skipif(bool(missing(name)), reason=missing(name) or "-"))
    for name in native.INSTRUCTION_SETS
]
SETS.append(
    pytest.param(
        native.EMULATED, marks=pytest.mark.skipif(not has_emulation(), reason="needs SIMDe's headers")
    )
)
SETS.append("numba")


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_integer_products_are_exact(dtype, instructions, monkeypatch):
    """Odd sizes, patches, several passes of unequal fill, batches, and threads that cut passes."""
    matrix, mask = pruned(150, 37, 0.6, dtype)
    matrix[3] = np.where(mask[3], matrix.min(), 0)
    mask[40:60], matrix[40:60] = False, 0  # empty rows
    lanes = encode_lanes(matrix, dtype, mask=mask, code=SHORT)
    assert lanes.patch_rows.size > 0
    batch = vectors(37, 16)
    batch[2] = -128
    wanted = (scipy.sparse.csr_array(matrix.astype(np.int32)) @ batch.T.astype(np.int32)).T
    for threads in (1, 3):
        product = EncodedProduct(lanes, threads, instructions)
        assert product.instructions == instructions
        assert np.array_equal(product.dense(), matrix)
        for count in (1, 3, 16):
            assert np.array_equal(product(batch[:count]), wanted[:count])
        assert np.array_equal(product(batch[0]), wanted[0])
        with monkeypatch.context() as small:  # what is larger than the caches is written past them
            small.setattr(native, "last_cache_bytes", lambda: 0)
            assert np.array_equal(product.dense(), matrix)


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
def test_float_products(dtype, instructions):
    matrix, mask = pruned(150, 37, 0.6, dtype)
    if dtype == "fp16":  # the smallest numbers, and none
        matrix[0, :4], mask[0, :4] = np.array([6e-8, -6e-5, -0.0, 65504], np.float16), True
    lanes = encode_lanes(matrix, dtype, mask=mask, code=SHORT)
    plain = from_bfloat16(matrix) if dtype == "bf16" else matrix
    product = EncodedProduct(lanes, 2, instructions)
    assert product.dense().tobytes() == plain.tobytes()
    batch = np.random.default_rng(3).standard_normal((3, 37)).astype(np.float32)
    wanted = batch.astype(np.float64) @ plain.astype(np.float64).T
    size = np.abs(batch.astype(np.float64)) @ np.abs(plain.astype(np.float64)).T
    # any order of float32 additions of n products is within n roundings of the sum of magnitudes
    assert np.all(np.abs(product(batch) - wanted) <= 2.0**-24 * 40 * size)
    assert product(batch[0]).dtype == np.float32


CODES = (
    None,  # the one that is chosen
    "family=uniform,n_in=8,n_out=20,n_s=2",
    "family=sparse,n_in=3,n_out=7,n_s=5,taps=5",
    "family=chain,n_in=8,n_out=19,n_s=3,taps=1,run=5",
    "family=identity,n_in=4,n_out=4,n_s=0",
    "family=chain,n_in=4,n_out=20,n_s=3,taps=2",  # few encoded bits: the window is read where it lies
)


@pytest.mark.parametrize("spec", CODES)
def test_any_code(spec):
    """Dense rows, chains of one tap, no window at all; too high a rate or too low."""
    matrix, mask = pruned(150, 70, 0.6)
    product = EncodedProduct(encode_lanes(matrix, mask=mask, code=Code.from_spec(spec) if spec else None))
    assert np.array_equal(product.dense(), matrix)
    x = vectors(70, 1)[0]
    assert np.array_equal(product(x), matrix.astype(np.int32) @ x.astype(np.int32))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 300), st.integers(1, 90), st.floats(0, 1), st.integers(1, 3))
def test_any_shape_and_sparsity(rows, columns, sparsity, threads):
    matrix, mask = pruned(rows, columns, sparsity)
    # five outputs: at most one row group more than a pass takes, so that few kernels are compiled
    code = Code.from_spec("family=chain,n_in=3,n_out=5,n_s=7")
    product = EncodedProduct(encode_lanes(matrix, mask=mask, code=code), threads)
    x = vectors(columns, 1)[0]
    assert np.array_equal(product(x), matrix.astype(np.int64) @ x.astype(np.int64))
    assert np.array_equal(product.dense(), matrix)


@pytest.mark.parametrize("instructions", SETS)
def test_the_largest_products_do_not_overflow_on_the_way(instructions):
    matrix = np.full((9, 3000), -128, np.int8)
    lanes = encode_lanes(matrix, mask=np.ones((9, 3000), bool), code=SHORT)
    product = EncodedProduct(lanes, 1, instructions)
    for x in (-128, 127):  # bytes of 0 and of 255 once 128 is added
        assert product(np.full(3000, x, np.int8)).tolist() == [-128 * x * 3000] * 9


def test_many_threads_share_the_end_too():
    """Enough rows, vectors and threads that their sums are added up side by side, patches among them."""
    matrix, mask = pruned(3001, 70, 0.5)
    lanes = encode_lanes(matrix, mask=mask)
    assert lanes.patch_rows.size > 40
    vectors = np.random.default_rng(3).integers(-128, 128, (16, 70), np.int8)
    product = EncodedProduct(lanes, 40)(vectors)
    assert np.array_equal(product, vectors.astype(np.int32) @ matrix.T.astype(np.int32))


def test_sums_that_could_overflow_are_refused():
    matrix = np.zeros((1, 1 << 17), np.int8)
    lanes = encode_lanes(matrix, mask=np.zeros(matrix.shape, bool), code=SHORT)
    with pytest.raises(
        InputError, match="the columns must be at most 131071 for products in 32 bits, not 131072"
    ):
        EncodedProduct(lanes)


@needs_compiler
def test_without_a_compiler_numba_multiplies(monkeypatch):
    matrix, mask = pruned(40, 20, 0.5)
    lanes = encode_lanes(matrix, mask=mask, code=SHORT)
    monkeypatch.setenv("XORWEAVE_CXX", "")
    product = EncodedProduct(lanes)
    assert product.instructions == "numba"
    assert np.array_equal(
        product(vectors(20, 1)), vectors(20, 1).astype(np.int32) @ matrix.T.astype(np.int32)
    )
    with pytest.raises(InputError, match=r"a C\+\+ compiler"):
        product.decode_lines()


@pytest.mark.parametrize("instructions", [pytest.param(None, marks=needs_compiler), "numba"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_vectors_of_any_kind(instructions, threads):
    weights, mask = pruned(48, 70, 0.8)
    product = EncodedProduct(encode_lanes(weights, "int8", mask=mask, code=SHORT), threads, instructions)
    given = vectors(70, 3)
    wanted = given.astype(np.int32) @ weights.T.astype(np.int32)
    read_only = given.copy()
    read_only.setflags(write=False)
    wide = np.zeros((3, 140), np.int8)
    wide[:, ::2] = given
    for batch in (given, read_only, wide[:, ::2], np.asfortranarray(given)):
        assert np.array_equal(product(batch), wanted)
        assert np.array_equal(product(batch[1]), wanted[1])
    assert product(given[:0]).shape == (0, 48)


def test_bytes_are_those_that_are_held():
    matrix, mask = pruned(128, 64, 0.5)
    lanes = encode_lanes(matrix, mask=mask, code=Code.from_spec("family=chain,n_in=4,n_out=8,n_s=3"))
    # 16 columns of 64 lanes: 128 outputs, 16 blocks and 3 of history, of 4 lines
    read = 19 * 4 * 64 + 128 * 64 // 8 + 128 * 4 + 12 * lanes.patch_rows.size
    assert EncodedProduct(lanes).bytes_read == read


def test_bad_input_is_named():
    matrix, mask = pruned(40, 20, 0.5)
    product = EncodedProduct(encode_lanes(matrix, mask=mask, code=SHORT))
    with pytest.raises(InputError, match="vectors must be int8 of length 20, not int8 \\(21,\\)"):
        product(np.zeros(21, np.int8))
    with pytest.raises(InputError, match="vectors must be int8"):
        product(np.zeros(20, np.int16))
    if shutil.which("g++"):
        with pytest.raises(InputError, match=r"the instruction set must be one of .*plain.*, not 'altivec'"):
            EncodedProduct(encode_lanes(matrix, mask=mask, code=SHORT), 1, "altivec")


@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_an_encoded_mask_is_decoded_as_it_is_multiplied(dtype, instructions):
    """Odd sizes, lanes that start in the middle of a stream, weights the search gave up, and what lies in padding."""
    matrix, mask = pruned(150, 77, 0.8, dtype)
    matrix[3] = np.where(mask[3], matrix.min(), 0)
    mask[40:60], matrix[40:60] = False, 0
    code = Code.from_spec("family=chain,n_in=5,n_out=20,n_s=7")
    encoded = encode_in_cells(matrix, dtype, mask=mask, code=code, mask_code="shaped", beam=16)
    lanes = lane_matrix(encoded)
    assert lanes.mask_code == encoded.mask_coder.code
    assert lanes.patch_rows.size > 0
    batch = vectors(77, 3)
    batch[2] = -128
    wanted = (scipy.sparse.csr_array(matrix.astype(np.int32)) @ batch.T.astype(np.int32)).T
    for threads in (1, 3):
        product = EncodedProduct(lanes, threads, instructions)
        assert np.array_equal(product.dense(), matrix)
        assert np.array_equal(product(batch), wanted)
        assert np.array_equal(product(batch[0]), wanted[0])
    # symbols of the mask as they are held, and no bitmap
    code, lane_bytes = lanes.mask_code, 8 if dtype == "int8" else 16
    assert lanes.mask_bytes == (lanes.blocks + -(-code.window // code.n_in)) * code.n_in * lane_bytes


def test_patches_in_padding_are_left_out():
    """A file may patch what is no weight: no kernel may write there."""
    matrix, mask = pruned(150, 37, 0.6)
    encoded = encode_lanes(matrix, mask=mask, code=SHORT).encoded
    padding = np.flatnonzero(encoded.scan.positions() < 0)[:3]
    patches = Patches(
        np.sort(np.append(encoded.patches.positions, padding)),
        np.ones(encoded.patches.positions.size + 3, np.uint8),
    )
    lanes = lane_matrix(replace(encoded, patches=patches))
    assert lanes.patch_rows.size == encoded.patches.positions.size
    assert lanes.patch_rows.max() < 150
    assert lanes.patch_columns.min() >= 0


def test_a_child_of_a_fork_multiplies_alone():
    """Threads that wait between products are not there in the child: it must not wait for them."""
    matrix, mask = pruned(150, 37, 0.6)
    product = EncodedProduct(encode_lanes(matrix, mask=mask, code=SHORT), 3)
    x = vectors(37, 1)[0]
    wanted = product(x).tolist()
    receiver, sender = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: sender.send(product(x).tolist()))
    child.start()
    try:
        assert receiver.poll(60), "the child waits"
        assert receiver.recv() == wanted
    finally:
        child.kill()
        child.join()
