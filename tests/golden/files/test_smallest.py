from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import measure
from xorweave.golden.codecs.plain import Bitmap, Dense
from xorweave.golden.codecs.xor_code import XorCode
from xorweave.golden.files.blob import read_blob
from xorweave.golden.files.smallest import store
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.random_access import decode_rows


def made(name: str, shape: tuple[int, ...], density: float, kind: str) -> tuple[np.ndarray, np.ndarray]:
    form = number_format(name)
    rng = np.random.default_rng(len(shape) + int(100 * density))
    mask = rng.random(shape) < density
    if kind == "random":
        words = rng.integers(1, 1 << form.n_w, shape, np.uint64).astype(form.word)
        return np.where(mask, form.from_words(words), 0).astype(form.storage), mask
    values = np.round(rng.laplace(0, 4, shape)) if not form.is_float else rng.laplace(0, 4, shape)
    return np.where(mask, np.clip(values, -8, 7) if name == "int4" else values, 0).astype(form.storage), mask


SHAPES = [(1, 1), (1, 1, 1, 1), (1, 40), (1, 49), (7, 31), (24, 24), (3072, 1), (96, 96)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("density", [0.0, 0.02, 0.16, 0.4, 0.9, 1.0])
@pytest.mark.parametrize(
    ("name", "kind"), [("int8", "random"), ("int8", "skewed"), ("int4", "random"), ("fp32", "skewed")]
)
def test_never_larger_than_a_bitmap_or_dense_words_with_the_same_header(
    shape: tuple[int, ...], density: float, name: str, kind: str
) -> None:
    """Counted by hand: one bit a weight and the words kept, or all words; version, kinds, rank, sides, checksum."""
    form = number_format(name)
    values, mask = made(name, shape, density, kind)
    stored, blob = store(values, form, mask, Choice())
    n, kept = values.size, int(np.count_nonzero(values))
    head = 3 + 1 + sum(1 + (side > 127) for side in shape) + 4
    assert len(blob) <= head + -(-n // 8) + -(-kept * form.n_w // 8)
    if kept:
        assert len(blob) <= head + -(-n * form.n_w // 8)
    assert np.array_equal(form.to_words(decode_tensor(read_blob(blob))), form.to_words(values))
    assert (stored.values.kind == "packed") == (read_blob(blob).values.kind == "packed")


@pytest.mark.parametrize(
    ("shape", "name"), [(((1 << 20) + 1,), "int4"), ((3000, 1000), "int8"), ((5, 1 << 19), "fp32")]
)
def test_a_large_tensor_of_nothing_is_read_back(shape: tuple[int, ...], name: str) -> None:
    """Readers believe no vast shape that comes with a handful of bytes: there are as many as they ask for."""
    form = number_format(name)
    values = np.zeros(shape, form.storage)
    stored, blob = store(values, form, values != 0, Choice())
    assert len(blob) < values.size / 512 and stored.segment_checksums
    back = read_blob(blob)
    found = decode_tensor(back)
    assert found.shape == shape and not found.any()
    assert back.segment_checksums == stored.segment_checksums
    assert decode_rows(back, 3, 5).shape == (2, *shape[1:])


def test_codecs_counts_what_is_stored() -> None:
    for name, density in (("int8", 0.4), ("int8", 0.1), ("fp32", 0.9)):
        values, mask = made(name, (40, 60), density, "random")
        tensor = PrunedTensor.from_values(values, number_format(name), mask)
        _, blob = store(values, tensor.number_format, mask, Choice())
        ours, bitmap, dense = (measure(codec, tensor).bits for codec in (XorCode(), Bitmap(), Dense()))
        assert ours == 8 * len(blob) and ours is not None and bitmap is not None and dense is not None
        assert ours <= bitmap and ours <= dense
        assert dense == 2400 * tensor.n_w + 8 * (3 + 1 + 2 + 4)


@pytest.mark.parametrize(
    "choice",
    [
        Choice(goal="hardware"),
        Choice(values_code="raw", mask_code="bitmap"),
        Choice(values_code="prefix"),
        Choice(code=CodeChoice.parse("n_in=8,n_out=10,n_s=2")),
    ],
)
def test_what_was_asked_for_is_not_packed(choice: Choice) -> None:
    values, mask = made("int8", (40, 60), 0.7, "random")
    stored, _ = store(values, number_format("int8"), mask, choice)
    assert stored.values.kind != "packed" and stored.groups


def test_packed_words_leave_empty_rows_out_and_come_back() -> None:
    """Two of forty rows hold anything, and that is random: no code makes it smaller, but 38 rows need no bit each."""
    rng = np.random.default_rng(3)
    values = np.zeros((40, 24), np.int8)
    values[[7, 31]] = rng.integers(1, 127, (2, 24))
    form = number_format("int8")
    stored, blob = store(values, form, values != 0, Choice())
    assert (stored.values.kind, stored.scan.length) == ("packed", 48)
    again = read_blob(blob)
    assert (decode_tensor(again) == values).all()
    assert (decode_rows(again, 5, 32) == values[5:32]).all()
    assert len(blob) < 48 + 40
