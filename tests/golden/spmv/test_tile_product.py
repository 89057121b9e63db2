"""The kernels for GPUs, built for this processor: against NumPy, SciPy and the ordinary decoder, weight by weight."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.tile_code import choose_tile_code
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.scan.tiles import THREADS
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.gpu_rivals import BitmapTileProduct, DeltaProduct
from xorweave.golden.spmv.host_build import HostDevice
from xorweave.golden.spmv.kernels import SOURCES, bitmap_source, delta_source, product_source
from xorweave.golden.spmv.lanes import encode_lanes
from xorweave.golden.spmv.tile_product import TileProduct
from xorweave.golden.spmv.tiled import TiledMatrix, tile_matrix

NVCC = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")


@pytest.fixture(scope="module")
def host() -> HostDevice:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed: the host build of the GPU's kernels is not tested")
    return HostDevice()


def random_matrix(
    rows: int, columns: int, sparsity: float, dtype: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns)) >= sparsity
    if dtype == "fp16":
        bits = rng.integers(0, 1 << 16, (rows, columns)).astype(np.uint16)
        bits[(bits & 0x7C00) == 0x7C00] ^= 0x4000  # no infinities, nor what is not a number
        return np.where(mask, bits, 0).astype(np.uint16).view(np.float16), mask
    low, high = (-8, 8) if dtype == "int4" else (-128, 128)
    return np.where(mask, rng.integers(low, high, (rows, columns)), 0).astype(np.int8), mask


def short_code(n_in: int, n_out: int, n_s: int, family: str = "chain") -> Code:
    return Code.from_family(family, n_in=n_in, n_out=n_out, n_s=n_s, seed=3)


# rows, columns, sparsity, dtype, code: chosen, or one that patches, looks back as far as it can, or not at all
CASES = {
    "int8 chosen": (33, 301, 0.5, "int8", None),
    "int8 patched, dense rows": (50, 777, 0.8, "int8", short_code(2, 12, 5, "uniform")),
    "int8 one column": (17, 1, 0.5, "int8", short_code(3, 4, 16)),
    "int4 memoryless": (40, 515, 0.8, "int4", short_code(2, 6, 0)),
    "fp16 longest history": (37, 200, 0.7, "fp16", short_code(2, 6, 16)),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, TiledMatrix]:
    rows, columns, sparsity, dtype, code = CASES[request.param]
    matrix, mask = random_matrix(rows, columns, sparsity, dtype, seed=len(request.param))
    # several starts of the stream within the matrix
    return matrix, mask, tile_matrix(matrix, dtype, mask=mask, code=code, segment_groups=2)


def test_kernels_agree(host: HostDevice, case: tuple[np.ndarray, np.ndarray, TiledMatrix]) -> None:
    matrix, mask, tiled = case
    product = TileProduct(tiled, host)
    dense = product.dense()
    assert dense.dtype == matrix.dtype
    assert dense.tobytes() == matrix.tobytes()

    rng = np.random.default_rng(1)
    # one count of vectors a matrix, and the one that `dense` was built for: a count is a build
    for batch in (1, {33: 3, 50: 16, 17: 2, 40: 9, 37: 11}[matrix.shape[0]]):
        if matrix.dtype == np.float16:
            vectors = rng.standard_normal((batch, matrix.shape[1])).astype(np.float16)
            wanted = vectors.astype(np.float64) @ matrix.astype(np.float64).T
            size = np.abs(vectors.astype(np.float64)) @ np.abs(matrix.astype(np.float64)).T
            # any order of float32 additions of n products is within n roundings of the sum of magnitudes
            assert np.all(np.abs(product(vectors) - wanted) <= 2.0**-24 * (matrix.shape[1] + 1) * size)
        else:
            vectors = rng.integers(-128, 128, (batch, matrix.shape[1])).astype(np.int8)
            wanted = (scipy.sparse.csr_array(matrix.astype(np.int64)) @ vectors.astype(np.int64).T).T
            assert np.array_equal(product(vectors), wanted)
            assert np.array_equal(product(vectors[0]) if batch == 1 else wanted[0], wanted[0])
        if batch == 16:
            on_processor = EncodedProduct(encode_lanes(matrix, "int8", mask=mask))
            assert np.array_equal(product(vectors), on_processor(vectors))


def test_cases_have_patches_and_none() -> None:
    matrix, mask = random_matrix(50, 777, 0.8, "int8", seed=24)
    tiled = tile_matrix(matrix, mask=mask, code=CASES["int8 patched, dense rows"][4], segment_groups=2)
    assert tiled.patch_rows.size > 32
    roomy = tile_matrix(matrix, mask=mask, code=short_code(4, 8, 8))
    assert roomy.patch_rows.size < tiled.patch_rows.size
    assert tiled.bytes_read == tiled.symbols.nbytes + tiled.mask.nbytes + 12 * tiled.patch_rows.size


def test_batches_beyond_a_pass(host: HostDevice) -> None:
    matrix, mask = random_matrix(20, 70, 0.6, "int8", seed=5)
    product = TileProduct(tile_matrix(matrix, mask=mask, code=short_code(2, 4, 4)), host)
    vectors = np.random.default_rng(2).integers(-128, 128, (17, 70)).astype(np.int8)
    assert np.array_equal(product(vectors), vectors.astype(np.int32) @ matrix.T.astype(np.int32))
    with pytest.raises(InputError, match="vectors must be int8 of length 70, not int8"):
        product(vectors[:, 1:])
    with pytest.raises(InputError, match="vectors must be int8 of length 70, not float32"):
        product(vectors.astype(np.float32))


@pytest.mark.parametrize(("rows", "columns", "sparsity"), [(19, 2100, 0.9), (5, 1, 0.0), (3, 40, 1.0)])
def test_bitmap_agrees(host: HostDevice, rows: int, columns: int, sparsity: float) -> None:
    matrix, mask = random_matrix(rows, columns, sparsity, "int8", seed=rows)
    vectors = np.random.default_rng(3).integers(-128, 128, (3, columns)).astype(np.int8)
    product = BitmapTileProduct(matrix, mask, host)
    assert np.array_equal(product(vectors), vectors.astype(np.int32) @ matrix.T.astype(np.int32))
    assert product.bytes_read >= mask.sum() + mask.size // 8


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
@pytest.mark.parametrize(
    ("rows", "columns", "sparsity"), [(19, 2100, 0.95), (6, 600, 0.5), (5, 1, 0.0), (3, 40, 1.0)]
)
def test_steps_agree(host: HostDevice, rows: int, columns: int, sparsity: float, dtype: str) -> None:
    matrix, mask = random_matrix(rows, columns, sparsity, "int8", seed=rows)
    matrix[0], mask[0] = 0, False  # an empty row, and one with only a last weight
    matrix[1], mask[1] = 0, False
    matrix[1, -1], mask[1, -1] = -128, True
    matrix = matrix.astype(np.float16 if dtype == "fp16" else np.int8)
    vectors = np.random.default_rng(3).integers(-128, 128, (3, columns)).astype(matrix.dtype)
    product = DeltaProduct(matrix, mask, host)
    # of whole numbers below 2^24 float32 sums are exact too
    assert np.array_equal(product(vectors), vectors.astype(np.int32) @ matrix.T.astype(np.int32))
    kept = int(mask.sum())
    assert product.bytes_read >= kept * (matrix.itemsize + 0.5) + 4 * rows


def test_symbols_are_the_ordinary_stream() -> None:
    matrix, mask = random_matrix(20, 100, 0.7, "int8", seed=7)
    tiled = tile_matrix(matrix, mask=mask, code=short_code(2, 6, 4))
    layout, order = tiled.order.layout, tiled.order
    # registers back to symbols, lane by lane, then the slow decoder
    fours = tiled.symbols.transpose(0, 3, 2, 4, 1).reshape(order.groups, THREADS, layout.registers, 2)
    lanes = np.stack([fours >> (8 * lane) & 255 for lane in range(4)], axis=2).reshape(order.lanes, 2)
    decoded = decode_plain(tiled.code, lanes.astype(np.uint8), tiled.encoded.segment_blocks)
    words = order.restore(decoded ^ np.uint8(tiled.encoded.raw.inversion)).view(np.int8)
    wrong = np.zeros(mask.shape, bool)
    wrong[tiled.patch_rows, tiled.patch_columns] = True
    assert np.array_equal(words[mask & ~wrong], matrix[mask & ~wrong])


def test_chosen_codes_fit_and_leave_groups_enough() -> None:
    mask = np.random.default_rng(0).random((2048, 8192)) < 0.1
    for dtype in ("int8", "int4", "fp16"):
        code, order = choose_tile_code(mask, number_format(dtype))
        assert code.n_in * 2 * order.layout.registers <= 128
        assert code.n_s <= order.layout.registers
        assert order.groups >= 500
        assert 0.1 <= code.rate <= 0.2


def test_bad_matrices() -> None:
    matrix, _mask = random_matrix(20, 100, 0.7, "int8", seed=7)
    with pytest.raises(InputError, match="two dimensions"):
        tile_matrix(matrix[0])
    with pytest.raises(InputError, match="n_s must be at most 16, the registers of a thread, not 17"):
        tile_matrix(matrix, code=short_code(2, 6, 17))


def test_sums_that_could_overflow_are_refused(host: HostDevice) -> None:
    message = r"^the columns must be at most 131071 for products in 32 bits, not 131072$"
    wide = np.full((1, 1 << 17), -128, np.int8)
    tiled = tile_matrix(wide, code=short_code(4, 4, 0))
    with pytest.raises(InputError, match=message):
        TileProduct(tiled, host)
    for rival in (BitmapTileProduct, DeltaProduct):
        with pytest.raises(InputError, match=message):
            rival(wide, wide != 0, host)
    most = TileProduct(tile_matrix(wide[:, 1:], code=short_code(4, 4, 0)), host)
    assert most(wide[0, 1:]).tolist() == [((1 << 17) - 1) << 14]


@pytest.mark.skipif(
    NVCC is None, reason="nvcc is not installed: whether the kernels compile for a GPU is not tested"
)
@pytest.mark.parametrize("which", ["int8", "fp16", "bitmap", "steps int8", "steps fp16"])
def test_kernels_compile_for_a_gpu(which: str, tmp_path: Path) -> None:
    if which == "bitmap":
        source = bitmap_source(16, 8)
    elif which.startswith("steps"):
        source = delta_source(16, 8, which.endswith("fp16"))
    else:
        matrix, mask = random_matrix(64, 512, 0.9, which, seed=1)
        tiled = tile_matrix(matrix, which, mask=mask, code=short_code(2, 16, 8))
        source = product_source(tiled.code, tiled.order, 16)
    program = tmp_path / "kernels.cu"
    program.write_text(source)
    command = [
        str(NVCC),
        "-arch=sm_90",
        "-cubin",
        "--ptxas-options=-v",
        "-I",
        str(SOURCES),
        "-o",
        "kernels.cubin",
    ]
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    # registers must suffice: whatever is spilled is written to memory and read back for every tile
    assert "0 bytes spill stores, 0 bytes spill loads" in done.stderr
    assert done.stderr.count("0 bytes spill stores") == done.stderr.count("spill stores")
