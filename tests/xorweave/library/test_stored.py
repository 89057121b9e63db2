"""Stored tensors in memory and opened from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import xorweave as xw
from xorweave.library import stored

FIXED = "n_in=8,n_out=80,n_s=1,seed=0"


@pytest.fixture
def encoded() -> xw.Encoded:
    rng = np.random.default_rng(0)
    layers = {name: rng.standard_normal((30, 50), np.float32) for name in ("a", "b")}
    return xw.encode({**layers, "bias": np.ones(3)}, dtype="int8", sparsity=0.9, code=FIXED)


def test_saved_and_opened(tmp_path: Path, encoded: xw.Encoded) -> None:
    file = tmp_path / "m.safetensors"
    assert encoded.save(file) == file.stat().st_size
    opened = xw.open(file)
    assert list(opened) == ["a", "b"] and "b" in opened and "c" not in opened
    for name in opened:
        whole = encoded[name].decode()
        assert np.array_equal(opened[name].decode(), whole)
        assert np.array_equal(opened[name].rows(3, 8), whole[3:8])
        assert np.array_equal(opened[name].rows(np.int64(3), np.int64(4)), whole[3:4])
        x = np.arange(50)
        assert np.array_equal(opened[name] @ x, whole.astype(int) @ x)
        assert opened[name].figures == encoded[name].figures
    assert encoded.summary() == {**opened.summary(), "carried": encoded.carried}


def test_opening_decodes_and_reads_no_tensor(tmp_path: Path, encoded: xw.Encoded) -> None:
    file = tmp_path / "m.safetensors"
    encoded.save(file)
    data = bytearray(file.read_bytes())
    name = b"xorweave/b"
    assert name in data
    at = load_file(file)["xorweave/b"].tobytes()
    where = bytes(data).index(at)
    data[where] ^= 255  # the version of b's blob
    file.write_bytes(data)
    opened = xw.open(file)
    assert opened["a"].decode().shape == (30, 50)
    with pytest.raises(xw.InputError, match="tensor b: the stored tensor must have version 2"):
        opened["b"].rows(0, 1)
    with pytest.raises(xw.InputError, match="tensor b: the stored tensor is damaged"):
        xw.verify(file)


def test_figures_by_attribute_and_as_a_dict(encoded: xw.Encoded) -> None:
    figures = encoded["a"].figures
    assert figures.care_bits == figures["care_bits"] == dict(figures)["care_bits"] == 150 * 8
    assert figures.to_dict() == dict(figures)
    assert figures.gates_per_weight is None or figures.gates_per_weight > 0
    assert "overhead" in dir(figures)
    with pytest.raises(AttributeError, match=r"^figures have no 'overhed', only name, shape, "):
        figures.overhed  # noqa: B018


def test_verified(tmp_path: Path, encoded: xw.Encoded) -> None:
    shares: list[float] = []
    assert xw.verify(encoded, progress=shares.append) == stored.Verified(2, 3000, 3)
    assert shares == [0.5, 1.0]
    encoded.save(tmp_path / "m.safetensors")
    assert xw.verify(tmp_path / "m.safetensors").weights == 3000


def test_decoded_to_a_file(tmp_path: Path, encoded: xw.Encoded) -> None:
    encoded.write_decoded(tmp_path / "back.safetensors")
    back = load_file(tmp_path / "back.safetensors")
    assert all(np.array_equal(back[name], values) for name, values in encoded.decode().items())


def test_no_such_tensor(encoded: xw.Encoded) -> None:
    for kind in (KeyError, xw.InputError):
        with pytest.raises(kind) as caught:
            encoded["c"]
        assert str(caught.value) == "the stored tensors are a, b, not 'c'"
    with pytest.raises(xw.InputError, match=r"^rows must be given by integers, not 0\.5$"):
        encoded["a"].rows(0.5, 1)  # type: ignore[arg-type]
    with pytest.raises(xw.InputError, match=r"^the container must be a path, not int$"):
        xw.open(3)  # type: ignore[arg-type]
    with pytest.raises(xw.InputError, match=r"^the output must be named \.safetensors"):
        encoded.save("m.bin")


@pytest.mark.parametrize(
    ("code", "counted"),
    [
        (
            "family=uniform,n_in=8,n_out=80,n_s=127,seed=0",
            False,
        ),  # a file of 241 bytes: six seconds of sharing
        ("family=sparse,n_in=64,n_out=4096,n_s=3,taps=9,seed=0", False),  # 291 bytes: twenty
        ("family=graph,n_in=256,n_out=4096,n_s=3,seed=0", True),  # brings its network
    ],
)
def test_a_small_file_cannot_ask_for_minutes_of_counting(code: str, counted: bool) -> None:
    weights = np.zeros((10, 10), np.int8)
    weights[3, 4] = 5
    stored = xw.encode(weights, code=code)["weights"]
    assert (stored.figures.gates_per_weight is not None) == counted
