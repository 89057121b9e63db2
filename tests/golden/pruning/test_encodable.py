"""Encodable pruning: the leeway is never exceeded, what is encoded comes back, and it takes fewer bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import from_bfloat16, to_bfloat16
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.masks import magnitude_mask
from xorweave.golden.pruning.encodable import Leeway, prune_encodable
from xorweave.golden.pruning.encodable_tensors import all_moved, encodable_tensors
from xorweave.golden.values.quantize import quantize, quantize_to

WEIGHTS = np.random.default_rng(0).standard_normal((150, 200)).astype(np.float32)


def drawn(n: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    kind = rng.choice(["normal", "laplace", "coarse", "rows"])
    values = rng.laplace(size=(1, n)) if kind == "laplace" else rng.standard_normal((1, n))
    if kind == "coarse":  # ties
        values = np.rint(3 * values) / 3
    if kind == "rows":
        values *= np.where(np.arange(n) < n // 2, 0.3, 1)
    return values.astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3000),
    st.floats(0.0, 1.0),
    st.sampled_from([0.0, 0.01, 0.1, 0.3]),
    st.sampled_from([None, 0.0, 0.0005, 0.01]),
    st.sampled_from([None, "int8", "int4"]),
    st.integers(0, 99),
)
def test_the_leeway_is_never_exceeded(
    n: int, sparsity: float, flips: float, lost: float | None, dtype: str | None, seed: int
) -> None:
    values = drawn(n, seed)
    plain = magnitude_mask(values, sparsity) & (values != 0)
    found = prune_encodable(values, plain, Leeway(flips=flips, lost=lost, dtype=dtype, beam=8))
    kept, count = found.values != 0, int(plain.sum())
    dropped, added = plain & ~kept, kept & ~plain
    assert kept.sum() <= count
    assert dropped.sum() <= flips * count
    size = np.abs(values.astype(float))
    missing = size[dropped].sum() - size[added].sum()
    if lost is not None:
        assert missing <= lost * size[plain].sum() + 1e-9
    moved = found.moved
    assert (moved.dropped, moved.added, moved.kept) == (dropped.sum(), added.sum(), kept.sum())
    assert moved.lost == pytest.approx(missing) and moved.weights == n
    if dtype is None:
        assert np.array_equal(found.values[kept], values[kept])


def test_without_leeway_nothing_moves() -> None:
    plain = magnitude_mask(WEIGHTS, 0.9)
    for leeway in (Leeway(flips=0), Leeway(lost=0)):
        found = prune_encodable(WEIGHTS, plain, leeway)
        assert found.arranged is None and np.array_equal(found.values, WEIGHTS * plain)
        assert found.moved.dropped == found.moved.added == found.moved.rounded == 0


def test_zeros_that_the_plain_mask_keeps_are_no_weights() -> None:
    values = np.array([[0.0, 3.0, 0.0, -2.0]], np.float32)
    found = prune_encodable(values, np.ones((1, 4), bool), Leeway(flips=0))
    assert found.moved.kept == 2 and found.moved.weights == 4 and np.array_equal(found.values, values)


def test_tensors_without_weights_are_passed_and_told() -> None:
    shares: list[float] = []
    empty = np.zeros((0, 3), np.float32)
    made, moved = encodable_tensors({"e": Tensor.of(empty)}, {"e": empty != 0}, Leeway(), shares.append)
    assert made["e"].values.shape == (0, 3) and moved["e"].kept == 0 and shares[-1] == 0


@pytest.mark.parametrize("step", [1.0, 2.5, 8.0])
@pytest.mark.parametrize("per_row", [False, True])
def test_values_move_one_step_of_the_grid_at_most(step: float, per_row: bool) -> None:
    plain = magnitude_mask(WEIGHTS, 0.8)
    leeway = Leeway(flips=0, dtype="int8", step=step, per_row=per_row)
    found = prune_encodable(WEIGHTS, plain, leeway)
    _, own = quantize(WEIGHTS * plain, "int8", "row" if per_row else "tensor")
    steps = np.abs(found.values.astype(float) - WEIGHTS) / own.reshape(-1, 1)
    assert steps[plain].max() <= step * (1 + 1e-5)
    assert found.moved.largest_error == pytest.approx(steps[plain].max(), rel=1e-4)
    assert found.moved.error == pytest.approx(np.sqrt((steps[plain] ** 2).mean()), rel=1e-4)
    assert found.arranged is not None and found.arranged.scale is not None
    again = quantize_to(found.values, "int8", found.arranged.scale)
    assert again is not None and np.allclose(
        again * found.arranged.scale.reshape(-1, 1), found.values, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("flips", "step", "most"), [(0.0, 1.0, 1.15), (0.2, 1.0, 1.04), (0.1, 4.0, 0.95), (0.25, 4.0, 0.85)]
)
def test_what_is_encoded_comes_back_and_takes_less_than_plain_pruning_at_best(
    flips: float, step: float, most: float
) -> None:
    """Everything stored, over n h(S) and the entropy of the words that plain pruning keeps."""
    plain = magnitude_mask(WEIGHTS, 0.9)
    words = quantize(WEIGHTS, "int8")[0][plain]
    shares = np.unique(words, return_counts=True)[1] / words.size
    bound = WEIGHTS.size * binary_entropy(0.1) - words.size * (shares * np.log2(shares)).sum()
    pruned = xw.encodable({"w": WEIGHTS}, sparsity=0.9, dtype="int8", flips=flips, step=step)
    encoded = xw.encode(pruned.tensors, dtype="int8")
    back = encoded["w"].decode()
    scale = encoded.container.plain["w.scale"].values
    assert np.array_equal((back * scale.astype(np.float64)).astype(np.float32), pruned.tensors["w"])
    assert np.count_nonzero(back) == plain.sum()
    stored = encoded["w"].figures["bits_per_weight_with_mask"] * WEIGHTS.size
    assert stored < most * bound


def test_floats_take_the_mask_and_come_back_bit_for_bit() -> None:
    half = WEIGHTS[:50].astype(np.float16)
    pruned = xw.encodable({"w": half, "bias": np.ones(3, np.float32)}, sparsity=0.9, flips=0.2)
    assert set(pruned.tensors) == {"w", "w.encodable", "bias"}
    encoded = xw.encode(pruned.tensors)
    assert np.array_equal(encoded["w"].decode(), pruned.tensors["w"])
    alone = xw.encode({"w": pruned.tensors["w"]})
    told = [each["w"].figures["mask_bits"] for each in (encoded, alone)]
    assert told[0] < 0.9 * told[1]
    assert np.array_equal(alone["w"].decode(), pruned.tensors["w"])


def test_an_arrangement_that_fits_no_longer_is_not_used() -> None:
    pruned = xw.encodable({"w": WEIGHTS}, sparsity=0.9, flips=0.2)
    other = WEIGHTS[::-1].copy() * magnitude_mask(WEIGHTS[::-1], 0.9)
    mixed = xw.encode({"w": other, "w.encodable": pruned.tensors["w.encodable"]}, dtype="int8")
    plain = xw.encode({"w": other}, dtype="int8")
    assert mixed.container.written["w"] == plain.container.written["w"]
    # trained on under its mask: other values, the same zeros
    trained = pruned.tensors["w"] * np.float32(1.01)
    again = xw.encode({"w": trained, "w.encodable": pruned.tensors["w.encodable"]}, dtype="int8")
    assert again["w"].figures["mask_bits"] < 0.9 * plain["w"].figures["mask_bits"]
    assert np.array_equal(again["w"].decode() != 0, trained != 0)


def test_values_beyond_the_grid_that_was_arranged_are_quantised_as_without_it() -> None:
    pruned = xw.encodable({"w": WEIGHTS[:40]}, sparsity=0.9, flips=0, dtype="int8", step=4)
    near = xw.encode(pruned.tensors, dtype="int8")
    assert np.abs(near["w"].decode().astype(int)).max() == 32
    grown = pruned.tensors["w"] * np.float32(40)
    far = xw.encode({"w": grown, "w.encodable": pruned.tensors["w.encodable"]}, dtype="int8")
    assert np.abs(far["w"].decode().astype(int)).max() == 127


@pytest.mark.parametrize("dtype", ["float64", "float16", "bf16"])
def test_every_float_keeps_its_type(dtype: str) -> None:
    stored = Tensor(to_bfloat16(WEIGHTS), "BF16") if dtype == "bf16" else Tensor.of(WEIGHTS.astype(dtype))
    wide = from_bfloat16(stored.values) if dtype == "bf16" else stored.values
    masks = {"w": magnitude_mask(wide, 0.9)}
    made, moved = encodable_tensors(
        {"w": stored, "b": Tensor.of(np.zeros(3))}, masks, Leeway(dtype="int8", step=2, beam=16)
    )
    assert made["w"].dtype == stored.dtype and made["w"].values.dtype == stored.values.dtype
    back = from_bfloat16(made["w"].values) if dtype == "bf16" else made["w"].values
    assert np.count_nonzero(back) == masks["w"].sum()
    assert all_moved({"a": moved["w"], "b": moved["w"]}).dropped == 2 * moved["w"].dropped


def test_a_file_and_processes_give_the_same_bytes(tmp_path) -> None:
    pruned = xw.encodable(
        {"w": WEIGHTS, "v": WEIGHTS.T.copy()}, sparsity=0.9, dtype="int8", flips=0.1, step=2
    )
    pruned.save(tmp_path / "p.safetensors")
    assert set(read_safetensors(tmp_path / "p.safetensors")[0]) == {"w", "v", "w.encodable", "v.encodable"}
    one = xw.encode(pruned.tensors, dtype="int8")
    two = xw.encode(tmp_path / "p.safetensors", dtype="int8", jobs=2)
    for name in ("w", "v"):
        assert one.container.written[name] == two.container.written[name]
    assert two.carried["w.encodable"] == "left out: what was arranged for w"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"flips": 0.5}, "the share of flips must be between 0 and 0.3, not 0.5"),
        ({"lost": -1.0}, "must be between 0 and 1, not -1.0"),
        ({"dtype": "fp16"}, "values can be rounded for int8 or int4, not for 'fp16'"),
        ({"step": 0.5, "dtype": "int8"}, "a step of the values must be between 1 and 64 of dtype, not 0.5"),
        ({"step": 2.0}, "a step must be given with the dtype whose steps it counts"),
        ({"effort": 0}, "effort must be a whole number of at least 1, not 0"),
        ({"beam": 3}, "encodable takes sparsity, flips, lost, dtype, .*, not 'beam'"),
        ({"sparsity": 2.0}, "sparsity must be between 0 and 1, not 2.0"),
    ],
)
def test_words_that_cannot_be(words: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        xw.encodable({"w": WEIGHTS}, **{"sparsity": 0.9, **words})


def test_weights_that_cannot_be() -> None:
    plain = magnitude_mask(WEIGHTS, 0.9)
    with pytest.raises(InputError, match="must start from a mask that keeps the largest weights"):
        prune_encodable(WEIGHTS, ~plain, Leeway())
    with pytest.raises(InputError, match="must be finite"):
        prune_encodable(np.where(plain, np.inf, WEIGHTS), plain, Leeway())
    with pytest.raises(InputError, match="tensor w must hold floats"):
        encodable_tensors({"w": Tensor.of(np.ones((3, 3), np.int8))}, {"w": np.ones((3, 3), bool)}, Leeway())
    with pytest.raises(InputError, match="there must be a matrix of floats to prune"):
        xw.encodable(np.ones(3))


def test_training_under_a_mask_keeps_it_and_values_can_be_rounded_afterwards() -> None:
    first = xw.encodable({"w": WEIGHTS}, sparsity=0.9, flips=0.2)
    kept = first.tensors["w"] != 0
    trained = {**first.tensors, "w": np.where(kept, WEIGHTS * 1.1 + np.float32(0.01), 0).astype(np.float32)}
    second = xw.encodable(trained, dtype="int8", step=4)
    assert np.array_equal(second.tensors["w"] != 0, kept) and second.moved["w"].dropped == 0
    encoded = xw.encode(second.tensors, dtype="int8")
    alone = xw.encode({"w": second.tensors["w"]}, dtype="int8")
    assert np.array_equal(encoded["w"].decode() != 0, kept)
    assert encoded["w"].figures["mask_bits"] < 0.9 * alone["w"].figures["mask_bits"]
