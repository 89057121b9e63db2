from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.masks_beside import join_masks, named_masks
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.weight_files import read_weight_file

RNG = np.random.default_rng(3)
W = RNG.standard_normal((6, 10)).astype(np.float32)
KEPT = RNG.random((6, 10)) < 0.4


def joined(**arrays: NDArray) -> tuple[dict[str, NDArray], dict[str, str]]:
    tensors, masks = join_masks({name.replace("__", "."): Tensor.of(a) for name, a in arrays.items()})
    return {name: tensor.values for name, tensor in tensors.items()}, masks


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.bool_, np.int64])
def test_pruned_by_pytorch(dtype: type) -> None:
    found, masks = joined(fc__bias=W[0], fc__weight_orig=W, fc__weight_mask=KEPT.astype(dtype))
    assert list(found) == ["fc.bias", "fc.weight"] and masks == {"fc.weight_mask": "the mask of fc.weight"}
    assert np.array_equal(found["fc.weight"], np.where(KEPT, W, 0))
    assert not np.signbit(found["fc.weight"][~KEPT]).any()  # pruned ones are +0.0, whatever lay there


@pytest.mark.parametrize("mask", ["fc__weight_mask", "fc__weight__mask", "fc__mask"])
def test_masks_by_other_names(mask: str) -> None:
    found, masks = joined(**{"fc__weight": W, mask: KEPT})
    assert list(found) == ["fc.weight"] and list(masks.values()) == ["the mask of fc.weight"]
    assert np.array_equal(found["fc.weight"], np.where(KEPT, W, 0))


def test_a_convolution_has_its_mask_as_a_matrix_too() -> None:
    conv = RNG.standard_normal((6, 2, 5, 1)).astype(np.float32)
    found, _ = joined(conv__weight=conv, conv__weight_mask=KEPT)
    assert np.array_equal(found["conv.weight"], np.where(KEPT.reshape(conv.shape), conv, 0))


@pytest.mark.parametrize(
    "other",
    [
        {"fc__weight_mask": 2 * KEPT.astype(np.float32)},  # no mask: not 0 and 1 alone
        {"fc__weight_mask": KEPT[:3]},
        {"attention_mask": KEPT},  # of nothing that is there
    ],
)
def test_what_is_no_mask_stays_a_tensor(other: dict[str, NDArray]) -> None:
    found, masks = joined(fc__weight=W, **other)
    assert len(found) == 2 and not masks and np.array_equal(found["fc.weight"], W)


def test_two_weights_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match=r"tensor fc.weight must not be there beside fc.weight_orig"):
        joined(fc__weight=W, fc__weight_orig=W, fc__weight_mask=KEPT)


def test_masks_of_a_second_file_are_named_as_the_weights_or_as_masks_are() -> None:
    shapes = {"a.weight": (6, 10), "b.weight": (6, 2, 5), "c": (6, 10)}
    found = named_masks({"a.weight_mask": KEPT, "b.mask": ~KEPT, "c": KEPT}, shapes)
    assert {name: mask.shape for name, mask in found.items()} == shapes
    assert np.array_equal(found["b.weight"], ~KEPT.reshape(6, 2, 5))
    assert list(named_masks({"any": KEPT}, {"only": (6, 10)})) == ["only"]
    for masks, message in (
        ({"d": KEPT, "c": KEPT}, "the mask d must be named as weights are, one of a.weight, b.weight, c"),
        (
            {"c": KEPT[:3], "a": KEPT},
            r"tensor c: the mask must have the weights' shape \(6, 10\), not \(3, 10\)",
        ),
        ({"c": KEPT, "c_mask": KEPT}, "tensor c: two masks are given"),
    ):
        with pytest.raises(InputError, match=f"^{message}$"):
            named_masks(masks, shapes)


def test_encode_says_which_tensors_have_no_mask_and_which_masks_have_no_use() -> None:
    weights = {"a": W, "b": np.where(KEPT, 0, W), "bias": W[0]}
    encoded = xw.encode(weights, mask={"a": KEPT, "bias": KEPT[0]}, goal="hardware")
    back = encoded.decode()
    assert np.array_equal(back["a"], np.where(KEPT, W, 0)) and np.array_equal(back["b"], weights["b"])
    assert np.array_equal(back["bias"], W[0])
    assert encoded.remarks == (
        "no mask is given for b: zeros are the mask there",
        "the masks of bias are not used: these tensors are carried unchanged",
    )


def test_encode_lists_the_masks_that_it_took(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"fc.weight_orig": W, "fc.weight_mask": KEPT})
    encoded = xw.encode(tmp_path / "w.npz", goal="hardware", dtype="int8")
    assert encoded.summary()["carried"] == {"fc.weight_mask": "left out: the mask of fc.weight"}
    assert encoded["fc.weight"].figures.care_bits == 8 * int(KEPT.sum())


def test_a_published_network_with_masks_beside(data_dir: Path) -> None:
    """Its exit layers hold masks beside unpruned weights."""
    file = data_dir / "micronet-osi" / "sparsity64_trained_model.pth"
    read = read_weight_file(file)
    masks = [name for name, reason in read.left_out.items() if reason.startswith("the mask of ")]
    assert masks == ["_exit._depthwise_conv.mask", "_exit._expand_conv.mask", "_exit._fc.mask"]
    with np.load(data_dir / "micronet-osi" / "derived" / "sparsity64_trained_model.npz") as published:
        for name in published.files:
            if name in read.tensors:
                zeros = read.tensors[name].values == 0
                assert zeros[published[name] == 0].all()
