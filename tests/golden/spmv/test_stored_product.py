"""Products of stored tensors of every kind against NumPy's 64-bit integer product, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.code import Code
from xorweave.golden.files.blob import read_blob, write_blob
from xorweave.golden.spmv import stored_product
from xorweave.golden.spmv.stored_product import StoredProduct
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import figures_of
from xorweave.golden.tensor.stored import EncodedTensor

INT8 = number_format("int8")
KINDS = {
    "storage": Choice(),
    "shaped mask, raw": Choice(mask_code="shaped", values_code="raw"),
    "prefix, bitmap": Choice(mask_code="bitmap", values_code="prefix"),
    "paper": Choice(goal="paper"),
    "hardware": Choice(goal="hardware"),
    "row-major": Choice(scan="row-major"),
    "affine segments": Choice(values_code="raw", mask_code="bitmap", segments=5),
    "lanes": Choice(scan="lanes", lanes=6),
    "lanes, error-free": Choice(scan="lanes", lanes=6, error_free=True),
    "constant planes": Choice(code=CodeChoice(), drop_planes=True, mask_code="bitmap"),
}


def _tensor(shape: tuple[int, ...], density: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < density
    values = np.clip(np.rint(rng.standard_normal(shape) * 30), -128, 127).astype(np.int8)
    values.reshape(-1)[:3] = -128
    return np.where(mask, values, 0).astype(np.int8), mask


def _product(values: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    matrix = values.reshape(values.shape[0], -1).astype(np.int64)
    return (matrix @ vectors.reshape(-1, matrix.shape[1]).T.astype(np.int64)).T


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(37, 41), (19, 4, 3, 3)])
def test_every_kind_equals_the_integer_product(
    kind: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    values, mask = _tensor(shape, 0.25)
    encoded = KINDS[kind].encode(values, INT8, mask)
    vectors = np.random.default_rng(1).integers(-128, 128, (3, values[0].size)).astype(np.int8)
    for positions in (1, 300, 1 << 17):  # block by block, some at a time, all at once
        monkeypatch.setattr(stored_product, "_POSITIONS", positions)
        for threads in (1, 3):
            found = StoredProduct(encoded, threads)(vectors)
            assert found.dtype == np.int64 and np.array_equal(found, _product(values, vectors))
    alone = StoredProduct(encoded)(vectors[0])
    assert alone.shape == shape[:1] and np.array_equal(alone, _product(values, vectors)[0])


def test_patches_are_multiplied_too() -> None:
    values, mask = _tensor((23, 31), 0.5)
    code = Code.uniform(n_in=3, n_out=10, n_s=2)  # a third of what is kept
    encoded = encode_tensor(values, INT8, code, mask=mask)
    assert encoded.patches.positions.size > 50
    vector = np.random.default_rng(2).integers(-128, 128, 31).astype(np.int8)
    assert np.array_equal(StoredProduct(encoded)(vector), _product(values, vector)[0])


def test_int4_and_sums_beyond_32_bits() -> None:
    values, mask = _tensor((9, 50), 0.4)
    small = (values >> 4).astype(np.int8)
    encoded = Choice(scan="lanes", lanes=4).encode(small, number_format("int4"), mask)
    vector = np.random.default_rng(3).integers(-128, 128, 50).astype(np.int8)
    assert np.array_equal(StoredProduct(encoded)(vector), _product(small, vector)[0])
    wide = np.full((1, 1 << 17), -128, np.int8)
    code = Code.from_family("identity", n_in=8, n_out=8, n_s=0)
    stored = encode_tensor(wide, INT8, code, mask=np.ones_like(wide, bool))
    assert StoredProduct(stored)(np.full(1 << 17, -128, np.int8)) == [1 << 31]


def _read_back(encoded: EncodedTensor) -> tuple[EncodedTensor, np.ndarray]:
    data = np.frombuffer(write_blob(encoded), np.uint8).copy()
    return read_blob(data), data


@pytest.mark.parametrize("kind", ["storage", "row-major", "lanes"])
def test_what_is_read_are_the_bytes_of_the_file(kind: str) -> None:
    values, mask = _tensor((40, 40), 0.2)
    encoded, data = _read_back(KINDS[kind].encode(values, INT8, mask))
    product = StoredProduct(encoded)
    vector = np.ones(40, np.int8)
    assert np.array_equal(product(vector), values.sum(axis=1, dtype=np.int64))
    figures = figures_of(encoded)
    assert product.bytes_read == -(-(figures.stored_bits + figures.mask_bits) // 8) < data.size
    # nothing was copied aside: what is changed in the file's bytes is in the next product
    for group in encoded.groups:
        assert np.shares_memory(group.symbols.data, data)  # type: ignore[attr-defined]
        group.symbols.data[:] ^= 255  # type: ignore[attr-defined]
    assert not np.array_equal(product(vector), values.sum(axis=1, dtype=np.int64))


def test_weights_at_padding_are_added_nowhere() -> None:
    values, mask = _tensor((7, 6), 0.6)
    encoded = Choice(scan="lanes", lanes=4).encode(values, INT8, mask)
    assert encoded.scan.length > encoded.n
    kept = encoded.mask.copy()
    kept[encoded.scan.positions() < 0] = True
    damaged = replace(encoded, mask_coder=replace(encoded.mask_coder, kept=kept))
    vector = np.arange(6, dtype=np.int8)
    assert np.array_equal(StoredProduct(damaged)(vector), _product(values, vector)[0])


def test_what_does_not_fit_is_refused() -> None:
    values, mask = _tensor((5, 6), 0.5)
    encoded = encode_tensor(
        values, INT8, Code.uniform(n_in=2, n_out=4, n_s=1), mask=mask, options=EncodeOptions()
    )
    product = StoredProduct(encoded)
    with pytest.raises(InputError, match="vectors must be int8 of length 6, not int64"):
        product(np.zeros(6, np.int64))
    with pytest.raises(InputError, match=r"of length 6, not int8 \(5,\)"):
        product(np.zeros(5, np.int8))
    with pytest.raises(InputError, match="threads must be at least 1, not 0"):
        StoredProduct(encoded, 0)
    half = number_format("fp16")
    floats = encode_tensor(values.astype(np.float16), half, Code.uniform(n_in=2, n_out=4, n_s=1), mask=mask)
    with pytest.raises(InputError, match="weights must be int4 or int8, not fp16"):
        StoredProduct(floats)
