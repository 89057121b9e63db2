"""Codes for products on a processor: blocks that a scan can hold, and masks that are shaped."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.cell_code import choose_cell_code, encode_in_cells
from xorweave.golden.tensor.decode import decode_tensor


def matrix_of(density: float, dtype: str = "int8") -> np.ndarray:
    rng = np.random.default_rng(7)
    weights = rng.integers(1, 8, (130, 40)) * rng.choice([-1, 1], (130, 40))
    weights[rng.random(weights.shape) >= density] = 0
    return weights.astype(np.int8 if dtype.startswith("int") else np.float16)


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_a_shaped_mask_comes_back_with_blocks_that_the_scan_holds(dtype: str) -> None:
    matrix = matrix_of(0.2, dtype)
    encoded = encode_in_cells(matrix, dtype, mask_code="shaped", beam=16)
    scan, code = encoded.scan, encoded.groups[0].code
    assert encoded.mask_coder.kind == "shaped" and np.array_equal(decode_tensor(encoded), matrix)
    assert code.n_out == scan.together * scan.column_block  # type: ignore[attr-defined]


@pytest.mark.parametrize("column_block", [1, 3, 7])
def test_a_given_block_is_kept(column_block: int) -> None:
    code, scan = choose_cell_code(matrix_of(0.2) != 0, 8, column_block=column_block)
    assert scan.column_block == column_block and code.n_out == scan.together * column_block
    assert code.n_in <= code.n_out


@pytest.mark.parametrize(
    ("density", "dtype", "message"),
    [
        (0.0, "int8", "a shaped mask must have a density above 0 and at most 0.5, not 0.0000"),
        (0.7, "int8", "a shaped mask must have a density above 0 and at most 0.5, not 0.69"),
        (0.2, "fp16", "mask_code must be bitmap for products of fp16"),
    ],
)
def test_masks_that_are_not_shaped(density: float, dtype: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encode_in_cells(matrix_of(density, dtype), dtype, mask_code="shaped", beam=16)


def test_a_block_is_made_for_what_a_shaped_mask_lets_through() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.integers(-128, 128, (1024, 1024)).astype(np.int8)
    matrix[rng.random(matrix.shape) >= 0.1] = 0
    encoded = encode_in_cells(matrix, mask_code="shaped", beam=256)
    care = int(np.count_nonzero(encoded.mask))
    assert care > 1.05 * np.count_nonzero(matrix)  # more than the weights that are kept
    assert care <= encoded.blocks * encoded.code.n_in < 1.06 * care


def test_small_matrices_take_small_windows() -> None:
    rng = np.random.default_rng(3)
    windows = []
    for size in (128, 512, 2048):
        code, _scan = choose_cell_code(rng.random((size, size)) < 0.1, 8)
        windows.append(code.constraint_length)
    assert windows == sorted(windows) and windows[0] < 32 and windows[-1] > 48
