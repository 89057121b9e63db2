"""`xw.encode`: what it takes, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

import xorweave as xw

FIXED = "n_in=8,n_out=80,n_s=1,seed=0"


@pytest.fixture
def layer() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((40, 60), np.float32)


def test_arrays_by_name(layer: NDArray[np.float32]) -> None:
    bias = np.arange(40, dtype=np.float32)
    encoded = xw.encode({"fc1": layer, "bias": bias}, dtype="int8", sparsity=0.9, code=FIXED)
    assert list(encoded) == ["fc1"] and encoded.carried == {"bias": "rank 1"}
    back = encoded.decode()
    assert set(back) == {"fc1", "bias", "fc1.scale"} and np.array_equal(back["bias"], bias)
    # pruned by magnitude, then quantised
    kept = np.abs(layer) >= np.sort(np.abs(layer).reshape(-1))[-240]
    scale = np.abs(layer).max() / 127
    assert np.array_equal(back["fc1"], np.where(kept, np.rint(layer / scale), 0).astype(np.int8))
    floats = encoded.decode(dequantized=True)
    assert set(floats) == {"fc1", "bias"} and np.allclose(floats["fc1"], back["fc1"] * scale)


def test_one_array_and_a_mask(layer: NDArray[np.float32]) -> None:
    mask = np.random.default_rng(1).random(layer.shape) < 0.2
    encoded = xw.encode(layer, mask=mask, code=FIXED)
    assert list(encoded) == ["weights"] and encoded["weights"].dtype == "fp32"
    assert np.array_equal(encoded["weights"].decode(), layer * mask)
    named = xw.encode({"a": layer, "b": layer}, mask={"a": mask, "b": ~mask}, code=FIXED)
    assert np.array_equal(named["b"].decode(), layer * ~mask)


def test_a_file(tmp_path: Path, layer: NDArray[np.float32]) -> None:
    save_file({"fc1": layer}, tmp_path / "w.safetensors", {"kept": "yes"})
    words: dict[str, Any] = {"dtype": "int4", "sparsity": 0.8, "code": FIXED, "seed": 3}
    of_file = xw.encode(tmp_path / "w.safetensors", **words)
    of_text = xw.encode(str(tmp_path / "w.safetensors"), **words)
    of_array = xw.encode({"fc1": layer}, **words)
    assert of_file.metadata == {"kept": "yes"}
    assert of_file.container.info["source"] == "w.safetensors"
    for other in (of_text, of_array):
        assert np.array_equal(other["fc1"].decode(), of_file["fc1"].decode())


def test_progress_is_of_all_weights(layer: NDArray[np.float32]) -> None:
    shares: list[float] = []
    xw.encode({"a": layer, "b": layer[:20]}, code=FIXED, progress=shares.append)
    assert shares[-1] == 1.0 and shares == sorted(shares)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"dtyp": "int8"}, "encode takes values, dtype, .*, not 'dtyp'"),
        ({"sparsity": "0.9"}, "sparsity must be a number or None, not '0.9'"),
        ({"jobs": True}, "jobs must be an integer, not True"),
        ({"dtype": 8}, "dtype must be a text or None, not 8"),
        ({"dtype": "int7"}, "the dtype must be one of int8, int4, fp16, bf16, fp32, not 'int7'"),
        ({"goal": "speed"}, "goal must be one of storage, hardware, products, paper, not 'speed'"),
        ({"effort": "much"}, "effort must be a number or 'exact', not 'much'"),
        ({"network": "lenet"}, "network must be given with effective only"),
        ({"values": "uniform"}, "values must be given with an .smtx mask only"),
        (
            {"error_free": True, "corrections": "paper"},
            "error_free stores no corrections, so .* not be 'paper'",
        ),
        ({"sparsity": 0.5, "mask": np.ones((40, 60))}, "a sparsity and masks must not be given together"),
    ],
)
def test_wrong_words(layer: NDArray[np.float32], words: dict[str, Any], message: str) -> None:
    with pytest.raises(xw.InputError, match=f"^{message}$"):
        xw.encode(layer, **words)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({1: np.ones((4, 4))}, "tensors must be named by texts, not by 1"),
        (np.array([["a"]]), "tensor weights: tensors must hold integers, floats or booleans, not <U1"),
        ([[1, 2], [3]], "tensor weights must be an array of numbers: .*"),
        ("nothing.npy", "there is no file nothing.npy"),
    ],
)
def test_wrong_sources(source: Any, message: str) -> None:
    with pytest.raises(xw.InputError, match=f"^{message}$"):
        xw.encode(source)


def test_effort_is_the_paths_of_a_masks_search_and_nought_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    from xorweave.golden.choose import choice

    paths, search = [], choice.encode_shaped

    def encode(kept: np.ndarray, code: object, *, beam: int) -> object:
        paths.append(beam)
        return search(kept, code, beam=beam)

    monkeypatch.setattr(choice, "encode_shaped", encode)
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    for effort in (0, 1, 3):
        tensor = xw.encode(weights, dtype="int8", sparsity=0.9, mask_code="shaped", effort=effort, jobs=1)[
            "weights"
        ]
        assert (tensor.decode() != 0).sum() in range(400, 412)
    assert paths == [128, 1024, 3072]
