from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, from_bfloat16, to_bfloat16
from xorweave.golden.files.prepare import (
    Preparation,
    is_encodable,
    prepare,
    scale_names,
    sort_tensors,
    synthetic_values,
)
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.mask.masks import magnitude_mask, random_mask
from xorweave.golden.values.quantize import quantize

REAL = np.random.default_rng(0).standard_normal((7, 9)).astype(np.float32)


def test_what_is_encoded() -> None:
    for shape, yes in (((), False), ((5,), False), ((0, 3), False), ((1, 1), True), ((2, 3, 4), True)):
        assert is_encodable(Tensor.of(np.zeros(shape))) == yes


def kinds(**tensors: tuple[str, tuple[int, ...]]) -> dict[str, Tensor]:
    storage = {
        "F32": "f4",
        "BF16": "u2",
        "F64": "f8",
        "F8_E4M3": "u1",
        "I64": "i8",
        "I32": "i4",
        "I8": "i1",
        "U8": "u1",
        "BOOL": "?",
    }
    return {name: Tensor(np.ones(shape, storage[kind]), kind) for name, (kind, shape) in tensors.items()}


def test_a_checkpoint_is_sorted_into_what_is_encoded_and_what_is_carried() -> None:
    file = kinds(
        w=("F32", (4, 4)), b=("BF16", (2, 2)), q=("I8", (2, 2)), bias=("F32", (4,)), none=("F32", (0, 4)),
        position_ids=("I64", (1, 512)), causal=("BOOL", (4, 4)), bytes=("U8", (2, 2)), small=("F8_E4M3", (2, 2)),
        wide=("F64", (2, 2)), ids32=("I32", (1, 4)),
    )  # fmt: skip
    encoded, carried = sort_tensors(file, Preparation())
    assert list(encoded) == ["w", "b", "q"]
    assert carried == {
        "bias": "rank 1",
        "none": "empty",
        "position_ids": "a buffer of I64 beside float weights",
        "causal": "a buffer of BOOL beside float weights",
        "bytes": "a buffer of U8 beside float weights",
        "small": "a buffer of F8_E4M3 beside float weights",
        "wide": "F64 has no code of its own; give a dtype (int8, int4, fp16, bf16, fp32)",
        "ids32": "a buffer of I32 beside float weights",
    }
    encoded, carried = sort_tensors(file, Preparation(dtype="fp16"))
    assert list(encoded) == ["w", "b", "wide"] and carried["q"] == "I8 cannot be cast to fp16"
    for name, tensor in encoded.items():
        prepare(name, tensor, Preparation(dtype="fp16"))


def test_integers_alone_are_weights() -> None:
    file = kinds(a=("I8", (2, 2)), b=("U8", (2, 2)), c=("I32", (2, 2)), d=("I64", (2, 2)))
    encoded, carried = sort_tensors(file, Preparation())
    assert list(encoded) == ["a", "b", "c"] and carried == {"d": "I64 has no code"}
    with pytest.raises(InputError, match="tensor a holds I8: I8 cannot be cast to fp16"):
        sort_tensors(file, Preparation(dtype="fp16"))
    assert sort_tensors(kinds(bias=("F32", (3,))), Preparation())[0] == {}


def test_scales_get_names_that_are_free() -> None:
    names = ["w", "w.scale", "w.scale.1", "v"]
    assert scale_names(["w", "v"], names) == {"w": "w.scale.2", "v": "v.scale"}
    found = scale_names(names, names)
    assert len({*found.values(), *names}) == 8


def test_without_options_words_and_zeros_are_kept() -> None:
    words = np.array([[0, 1, 1 << 31, 0x7F800001]], np.uint32)
    ready = prepare("w", Tensor.of(words.view(np.float32)), Preparation())
    assert ready.number_format.name == "fp32" and ready.scale is None
    assert np.array_equal(ready.values.view(np.uint32), words)
    assert ready.mask.tolist() == [[False, True, True, True]]


@pytest.mark.parametrize(
    "kind, name",
    [("I8", "int8"), ("U8", "uint8"), ("I16", "int16"), ("I32", "int32"), ("F16", "fp16"), ("BF16", "bf16")],
)
def test_own_formats(kind: str, name: str) -> None:
    storage = FORMATS[name].storage
    ready = prepare("w", Tensor(np.arange(6).astype(storage).reshape(2, 3), kind), Preparation())
    assert ready.number_format.name == name and ready.mask.sum() == 5


def test_orders_and_byte_orders_do_not_matter() -> None:
    big = np.asfortranarray(REAL.astype(">f4"))
    assert np.array_equal(prepare("w", Tensor.of(big), Preparation()).values, REAL)


@pytest.mark.parametrize("dtype", ["int8", "int4"])
@pytest.mark.parametrize("per_row", [False, True])
def test_pruning_looks_at_the_weights_before_they_are_quantised(dtype: str, per_row: bool) -> None:
    how = Preparation(dtype=dtype, sparsity=0.3, per_row=per_row)
    ready = prepare("w", Tensor.of(REAL), how)
    integers, scale = quantize(REAL, dtype, "row" if per_row else "tensor")
    assert np.array_equal(ready.values, integers) and np.array_equal(ready.scale, scale)
    assert np.array_equal(ready.mask, magnitude_mask(REAL, 0.3))


def test_a_kept_weight_that_rounds_to_zero_stays_kept() -> None:
    ready = prepare(
        "w", Tensor.of(np.array([[100.0, 1.0, 0.5, 0.1]])), Preparation(dtype="int4", sparsity=0.25)
    )
    assert ready.values.tolist() == [[7, 0, 0, 0]]
    assert ready.mask.tolist() == [[True, True, True, False]]


def test_bfloat16_sources_are_pruned_by_value_not_by_bits() -> None:
    bits = to_bfloat16(REAL)
    ready = prepare("w", Tensor(bits, "BF16"), Preparation(sparsity=0.5))
    assert np.array_equal(ready.mask, magnitude_mask(from_bfloat16(bits), 0.5))
    assert np.array_equal(ready.values, bits)


@pytest.mark.parametrize("dtype, storage", [("fp16", np.float16), ("fp32", np.float32)])
def test_casting_rounds(dtype: str, storage: type) -> None:
    wide = REAL.astype(np.float64) * (1 + 2**-30)
    ready = prepare("w", Tensor.of(wide), Preparation(dtype=dtype))
    assert np.array_equal(ready.values, wide.astype(storage))


def test_infinities_may_be_cast_but_not_made() -> None:
    infinite = np.array([[np.inf, 1.0]])
    assert np.isinf(prepare("w", Tensor.of(infinite), Preparation(dtype="fp16")).values[0, 0])
    for dtype, value in (("fp16", 65520.0), ("bf16", 3.4e38), ("fp32", 1e39)):
        with pytest.raises(InputError) as caught:
            prepare("w", Tensor.of(np.array([[value, 1.0]])), Preparation(dtype=dtype))
        assert str(caught.value) == f"tensor w holds values beyond the range of {dtype}"


def test_small_int8_tensors_are_int4_as_they_are() -> None:
    values = np.arange(-7, 8, dtype=np.int8).reshape(3, 5)
    ready = prepare("w", Tensor.of(values), Preparation(dtype="int4"))
    assert ready.number_format.name == "int4" and ready.scale is None and np.array_equal(ready.values, values)
    with pytest.raises(InputError, match=r"^tensor w holds I8, which cannot be cast to a smaller format"):
        prepare("w", Tensor.of(values * np.int8(2)), Preparation(dtype="int4"))


def test_all_int4_values_are_int4() -> None:
    values = np.arange(-8, 8, dtype=np.int8).reshape(4, 4)
    ready = prepare("w", Tensor.of(values), Preparation(dtype="int4"))
    assert ready.scale is None and np.array_equal(ready.values, values)


def test_random_pruning_and_given_masks() -> None:
    ready = prepare("w", Tensor.of(REAL), Preparation(sparsity=0.6, prune="random", seed=4))
    assert np.array_equal(ready.mask, random_mask((7, 9), 0.6, 4))
    mask = REAL > 0
    assert np.array_equal(prepare("w", Tensor.of(REAL), Preparation(masks={"w": mask})).mask, mask)
    with pytest.raises(InputError) as caught:
        prepare("w", Tensor.of(REAL), Preparation(masks={"w": mask[:3]}))
    assert str(caught.value) == "tensor w: the mask must have the weights' shape (7, 9), not (3, 9)"
    others = prepare("w", Tensor.of(np.where(mask, REAL, 0)), Preparation(masks={"v": mask}))
    assert np.array_equal(others.mask, mask)  # without a mask of its own: where it is not zero


@pytest.mark.parametrize("dtype", ["int4", "int8", "fp16", "bf16", "fp32"])
def test_uniform_values_have_every_word_equally_often(dtype: str) -> None:
    values, fmt = synthetic_values(np.ones((300, 300), bool), "uniform", dtype, 1)
    words = fmt.to_words(values).astype(np.uint64)
    for q in range(fmt.n_w):
        assert abs((words >> np.uint64(q) & np.uint64(1)).mean() - 0.5) < 0.01
    assert np.array_equal(
        fmt.to_words(synthetic_values(np.ones((300, 300), bool), "uniform", dtype, 1)[0]), words
    )
    assert not np.array_equal(
        fmt.to_words(synthetic_values(np.ones((300, 300), bool), "uniform", dtype, 2)[0]), words
    )


@pytest.mark.parametrize("dtype", ["int4", "int8", "fp16", "bf16", "fp32"])
def test_normal_values_are_normal(dtype: str) -> None:
    values, _fmt = synthetic_values(np.ones((200, 200), bool), "normal", dtype, 1)
    real = from_bfloat16(values) if dtype == "bf16" else values.astype(np.float64)
    real = real / real.std()
    assert abs(real.mean()) < 0.03
    assert np.mean(real**4) == pytest.approx(3.0, abs=0.25)


def test_other_kinds_of_values_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        synthetic_values(np.ones((2, 2), bool), "ones", "int8", 0)
    assert str(caught.value) == "the values must be uniform or normal, not 'ones'"
