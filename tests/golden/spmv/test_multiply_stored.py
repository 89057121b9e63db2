"""Products of stored tensors of every kind, against the dense matrix."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden.tensor.stored_kinds import STORED_KINDS, stored_kind
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16
from xorweave.golden.spmv import stored_product
from xorweave.golden.spmv.stored_product import multiply_stored


@pytest.mark.parametrize("kind", STORED_KINDS)
def test_product_of_every_kind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_product, "_POSITIONS", 500)  # so that there are several pieces
    tensor, wanted = stored_kind(kind)
    dense = from_bfloat16(wanted) if tensor.number_format.name == "bf16" else wanted
    integers = not tensor.number_format.is_float
    dense = dense.astype(np.int64 if integers else np.float64)
    rng = np.random.default_rng(0)
    for transposed in (False, True):
        matrix = dense.T if transposed else dense
        vectors = rng.integers(-128, 128, (matrix.shape[1], 3))
        product = multiply_stored(tensor, vectors, transposed=transposed)
        if integers:
            assert product.dtype == np.int64 and np.array_equal(product, matrix @ vectors)
        assert np.allclose(product, matrix @ vectors)
        real = rng.standard_normal((matrix.shape[1], 2))
        assert np.allclose(multiply_stored(tensor, real, transposed=transposed), matrix @ real)


@pytest.mark.parametrize("transposed", [False, True])
def test_integers_beyond_64_bits_are_refused(transposed: bool) -> None:
    tensor, wanted = stored_kind("uniform code")  # int8
    dense = wanted.T if transposed else wanted
    length = dense.shape[1]
    fits = ((1 << 63) - 1) // (128 * length)
    for largest in (fits, -fits):
        vectors = np.full((length, 1), largest)
        exact = [sum(int(w) * largest for w in row) for row in dense]
        assert multiply_stored(tensor, vectors, transposed=transposed)[:, 0].tolist() == exact
    for vectors in (
        np.full((length, 1), fits + 1),
        np.full((length, 1), -fits - 1),
        np.full((length, 1), np.iinfo(np.int64).min),
        np.full((length, 1), 1 << 63, np.uint64),
    ):
        with pytest.raises(InputError, match=r"^integer products must stay below 2\^63 in magnitude, but "):
            multiply_stored(tensor, vectors, transposed=transposed)
    assert multiply_stored(tensor, np.zeros((length, 0), int), transposed=transposed).shape[1] == 0


def test_wrong_vectors() -> None:
    tensor, _ = stored_kind("uniform code")
    with pytest.raises(
        InputError, match=r"^the vectors must be numbers of length 50, not int64 of shape \(48, 1\)$"
    ):
        multiply_stored(tensor, np.zeros((48, 1), int))
    with pytest.raises(
        InputError, match=r"^the vectors must be numbers of length 50, not <U1 of shape \(50, 1\)$"
    ):
        multiply_stored(tensor, np.full((50, 1), "x"))
