"""Checkpoints in the form sparse-bitmask, made here from what is published of it, and broken ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import read_weight_file


def in_parts(stem: str, dense: NDArray, *, offsets: bool = True) -> dict[str, NDArray]:
    """Take a tensor apart: written bit by bit, so that it shares nothing with the reader."""
    rows = dense.reshape(-1, dense.shape[-1])
    bits = np.zeros((len(rows), -(-rows.shape[1] // 8)), np.uint8)
    values, before = [], []
    for i, row in enumerate(rows):
        before.append(len(values))
        for j, value in enumerate(row):
            if value != 0:
                bits[i, j // 8] |= 1 << j % 8
                values.append(value)
    parts = {
        "shape": np.array(dense.shape, np.int64),
        "compressed": np.array(values, dense.dtype),
        "bitmask": bits.reshape(*dense.shape[:-1], -1),
    }
    if offsets:
        parts["row_offsets"] = np.array(before, np.int64)
    return {f"{stem}.{part}": array for part, array in parts.items()}


def sparse(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 0) -> NDArray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.3, rng.integers(1, 100, shape), 0).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8])
@pytest.mark.parametrize("shape", [(5, 16), (7, 13), (1, 3), (3, 1)])
def test_parts_become_the_tensor(tmp_path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    dense = sparse(shape, dtype)
    save_file(in_parts("model.layers.0.q_proj", dense), tmp_path / "m.safetensors", {"format": "pt"})
    read = read_weight_file(tmp_path / "m.safetensors")
    assert list(read.tensors) == ["model.layers.0.q_proj.weight"] and read.metadata == {"format": "pt"}
    found = read.tensors["model.layers.0.q_proj.weight"].values
    assert found.dtype == dtype and np.array_equal(found, dense)


def test_earlier_writers_kept_whole_names(tmp_path: Path) -> None:
    dense, bias = sparse((4, 9)), np.array([0, 2, 0], np.float32)
    whole = in_parts("fc.weight", dense) | in_parts("norm", bias)
    # a tensor of one side: two sides were made of what it holds
    whole["norm.row_offsets"] = np.zeros((1, 1), np.int64)
    whole["norm.compressed"] = whole["norm.compressed"][:, None]
    save_file(whole, tmp_path / "m.safetensors")
    read = read_weight_file(tmp_path / "m.safetensors").tensors
    assert set(read) == {"fc.weight", "norm"}
    assert np.array_equal(read["fc.weight"].values, dense) and np.array_equal(read["norm"].values, bias)


def test_two_of_four_has_no_offsets(tmp_path: Path) -> None:
    dense = np.tile(np.array([0, 3, 0, 4, 5, 0, 6, 0], np.float32), (3, 1))
    parts = in_parts("fc", dense, offsets=False)
    parts["fc.compressed"] = parts["fc.compressed"].reshape(3, 4)
    parts["fc.shape"] = parts["fc.shape"][:, None]
    save_file(parts, tmp_path / "m.safetensors")
    assert np.array_equal(read_weight_file(tmp_path / "m.safetensors").tensors["fc.weight"].values, dense)


def test_offsets_of_more_sides_run_along_the_first(tmp_path: Path) -> None:
    dense = sparse((3, 2, 11))
    parts = in_parts("conv", dense)
    counts = (dense != 0).sum(axis=-1)
    parts["conv.row_offsets"] = np.array([[counts[:i, j].sum() for j in range(2)] for i in range(3)])
    save_file(parts, tmp_path / "m.safetensors")
    assert np.array_equal(read_weight_file(tmp_path / "m.safetensors").tensors["conv.weight"].values, dense)


def test_encode_converts_a_checkpoint(tmp_path: Path) -> None:
    """Parts of one tensor may lie in two files; scales of quantised weights are carried."""
    quantised, embedding = sparse((16, 24), np.int8), sparse((8, 24), np.float32, 1)
    scale = np.linspace(0.1, 1, 16, dtype=np.float32)[:, None]
    parts = in_parts("q", quantised)
    late = {"q.row_offsets": parts.pop("q.row_offsets"), "q.weight_scale": scale, "embed.weight": embedding}
    save_file(parts, tmp_path / "model-00001-of-00002.safetensors", {"format": "pt"})
    save_file(late, tmp_path / "model-00002-of-00002.safetensors", {"format": "pt"})
    encoded = xw.encode(tmp_path)
    assert set(encoded) == {"q.weight", "embed.weight"}
    assert encoded.carried == {"q.weight_scale": "beside quantised weights"}
    back = encoded.decode()
    assert np.array_equal(back["q.weight"], quantised) and np.array_equal(back["embed.weight"], embedding)
    assert np.array_equal(back["q.weight_scale"], scale)


def _broken(**changes: Any) -> dict[str, NDArray]:
    parts = in_parts("a", sparse((4, 13)))
    for part, change in changes.items():
        made = change(parts.pop(f"a.{part}"))
        if made is not None:
            parts[f"a.{part}"] = made
    return parts


def _set(place: Any, value: Any) -> Any:
    def change(array: NDArray) -> NDArray:
        array = array.copy()
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": lambda _: None}, "a.shape must be beside a.compressed and a.bitmask"),
        ({"shape": lambda _: np.array([4, -13])}, r"a.shape must hold the sides .* not \[4, -13\]"),
        ({"shape": lambda _: np.array([4.0, 13.0])}, "a.shape must hold the sides of a tensor, integers from 1 on"),
        ({"shape": lambda _: np.zeros(0, np.int64)}, "a.shape must hold the sides"),
        ({"shape": lambda _: np.array([4, 1 << 40])}, r"a.bitmask must hold a bit for each weight of shape \(4, 1099"),
        ({"shape": lambda _: np.array([1 << 40, 1 << 40])}, "a.bitmask must hold a bit for each weight"),
        ({"shape": lambda _: np.array([4, 17])}, r"a.bitmask must hold a bit .* not U8 of shape \(4, 2\)"),
        ({"shape": lambda _: np.array([4, 12])}, "a.bitmask must fill up its rows with zeros"),
        ({"bitmask": lambda b: b.astype(np.int32)}, "a.bitmask must hold a bit .* not I32"),
        ({"bitmask": _set((0, 1), 0xFF)}, "a.bitmask must fill up its rows with zeros"),
        ({"bitmask": _set((2, 0), 0)}, "a.compressed must hold a value for each of the .* bits"),
        ({"compressed": lambda c: c[:-1]}, "a.compressed must hold a value for each"),
        ({"compressed": lambda c: np.append(c, c[:1])}, "a.compressed must hold a value for each"),
        ({"row_offsets": lambda _: None}, "a.row_offsets must be beside a.compressed and a.bitmask"),
        ({"row_offsets": _set(2, 1)}, "a.row_offsets must hold the values before each row"),
        ({"row_offsets": lambda o: o[::-1].copy()}, "a.row_offsets must hold the values before each row"),
        ({"row_offsets": lambda o: o[:-1]}, "a.row_offsets must hold the values before each row"),
        ({"row_offsets": lambda o: o.astype(np.float32)}, "a.row_offsets must hold the values before each row"),
    ],
)  # fmt: skip
def test_parts_that_contradict_each_other_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    save_file(_broken(**changes), tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=f"m.safetensors: {message}"):
        read_weight_file(tmp_path / "m.safetensors")


def test_a_name_stands_for_one_tensor(tmp_path: Path) -> None:
    save_file(in_parts("a", sparse((4, 8))) | {"a.weight": sparse((4, 8))}, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=r"tensor a.weight must be there once"):
        read_weight_file(tmp_path / "m.safetensors")


def test_other_tensors_of_these_names_are_left_alone(tmp_path: Path) -> None:
    held = {
        "a.shape": np.array([3, 4]),
        "b.bitmask": np.ones((2, 2), np.uint8),
        "c.compressed": sparse((2, 2)),
    }
    save_file(held, tmp_path / "m.safetensors")
    assert set(read_weight_file(tmp_path / "m.safetensors").tensors) == set(held)
