"""Folders of files in and out, read back by the safetensors library as loaders do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import read_container
from xorweave.studies.spmv_operand import holds_stored, stored_operands

RNG = np.random.default_rng(2)
SHARDS = {
    "lm-00001-of-00003.safetensors": {
        "a.weight": RNG.standard_normal((16, 20)).astype(np.float32),
        "a.bias": RNG.standard_normal(16).astype(np.float32),
    },
    "lm-00002-of-00003.safetensors": {"b.weight": RNG.standard_normal((24, 20)).astype(np.float16)},
    "lm-00003-of-00003.safetensors": {"ids": np.arange(6, dtype=np.int64)},  # nothing to encode
}
PLACES = {name: file for file, held in SHARDS.items() for name in held}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, held in SHARDS.items():
        save_file(held, folder / name, {"format": "pt"})
    total = sum(array.nbytes for held in SHARDS.values() for array in held.values())
    index = {"metadata": {"total_size": total}, "weight_map": PLACES}
    (folder / "lm.safetensors.index.json").write_text(json.dumps(index))
    return folder


def loaded(folder: Path) -> dict[str, NDArray]:
    """Load a folder as Hugging Face's loaders do: by the index, each tensor from its file, the format checked."""
    index = json.loads((folder / "lm.safetensors.index.json").read_text())
    found = {}
    for name, file in index["weight_map"].items():
        with safe_open(folder / file, "numpy") as handle:
            assert handle.metadata().get("format") in ("pt", "tf", "flax", "mlx")
            found[name] = handle.get_tensor(name)
    assert {path.name for path in folder.glob("*.safetensors")} == set(index["weight_map"].values())
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in found.values())
    return found


def encoded(checkpoint: Path, out: Path) -> xw.Encoded:
    made = xw.encode(checkpoint, dtype="int8", sparsity=0.5, goal="hardware")
    made.save(out, sharded=True)
    return made


def test_a_folder_becomes_a_folder_and_comes_back(checkpoint: Path, tmp_path: Path) -> None:
    made = encoded(checkpoint, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *SHARDS,
        "lm.safetensors.index.json",
    ]
    stored = loaded(tmp_path / "out")  # any safetensors reader opens it
    assert set(stored) == {
        "xorweave/a.weight",
        "xorweave/b.weight",
        "a.weight.scale",
        "b.weight.scale",
        "a.bias",
        "ids",
    }
    for source in (tmp_path / "out", tmp_path / "out" / "lm.safetensors.index.json"):
        opened = xw.open(source)
        assert (
            opened.is_sharded
            and list(opened) == ["a.weight", "b.weight"]
            and opened.metadata == {"format": "pt"}
        )
        assert xw.verify(opened).carried == 4
        assert opened["b.weight"].figures.to_dict() == made["b.weight"].figures.to_dict()
        assert np.array_equal(opened["a.weight"].rows(3, 5), made["a.weight"].decode()[3:5])
        assert opened.summary()["total"]["payload_bits"] == made.summary()["total"]["payload_bits"]
        assert holds_stored(source) and list(stored_operands(source)) == list(opened)
    assert not holds_stored(checkpoint)
    opened.write_decoded(tmp_path / "back")
    back = loaded(tmp_path / "back")
    whole = made.decode()
    assert set(back) == set(whole)
    for name, values in whole.items():
        assert back[name].dtype == values.dtype and np.array_equal(back[name], values)
    places = json.loads((tmp_path / "back" / "lm.safetensors.index.json").read_text())["weight_map"]
    assert {name: file for name, file in places.items() if name in PLACES} == PLACES
    assert places["b.weight.scale"] == PLACES["b.weight"]
    opened.write_decoded(tmp_path / "floats", dequantized=True)
    floats = loaded(tmp_path / "floats")
    assert set(floats) == set(PLACES) and floats["a.weight"].dtype == np.float32


def test_the_files_hold_the_same_bytes_as_one(checkpoint: Path, tmp_path: Path) -> None:
    made = encoded(checkpoint, tmp_path / "out")
    made.save(tmp_path / "one.safetensors")
    one = load_file(tmp_path / "one.safetensors")
    stored = loaded(tmp_path / "out")
    assert set(one) == set(stored) and all(np.array_equal(one[name], stored[name]) for name in one)
    for file in SHARDS:
        read_container(tmp_path / "out" / file)  # each is a container by itself


def test_loaders_find_a_format_in_a_single_file_too(tmp_path: Path) -> None:
    made = xw.encode({"w": SHARDS["lm-00001-of-00003.safetensors"]["a.weight"]}, goal="hardware")
    made.write_decoded(tmp_path / "w.safetensors")
    with safe_open(tmp_path / "w.safetensors", "numpy") as handle:
        assert handle.metadata() == {"format": "pt"}


def test_a_single_file_cannot_be_sharded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a sharded output needs a source of several safetensors files"):
        xw.encode(np.eye(8, dtype=np.int8), goal="hardware").save(tmp_path / "out", sharded=True)
    assert not (tmp_path / "out").exists() and not list(tmp_path.iterdir())


def test_an_output_folder_is_replaced_only_where_it_is_one(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    encoded(checkpoint, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / "stale.safetensors").write_bytes(b"old")
    encoded(checkpoint, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    (out / "notes.txt").write_text("mine")
    with pytest.raises(
        InputError, match=r"must be a new folder, or one of safetensors files: notes.txt lies there"
    ):
        encoded(checkpoint, out)
    assert (out / "notes.txt").read_text() == "mine"
    with pytest.raises(InputError, match="the output must be a folder, not named as a file is"):
        encoded(checkpoint, tmp_path / "out.safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def test_damaged_folders_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    encoded(checkpoint, out)
    first, second, _ = sorted(out.glob("*.safetensors"))
    index = out / "lm.safetensors.index.json"
    text = index.read_text()
    for place in (first.name, None):
        told = json.loads(text)
        told["weight_map"]["xorweave/b.weight"] = place
        if place is None:
            del told["weight_map"]["xorweave/b.weight"]
            told["weight_map"]["c"] = second.name  # the file itself is still named
        index.write_text(json.dumps(told))
        with pytest.raises(
            InputError, match=r"must say which file holds the tensor (b.weight: lm-00002|c: none)"
        ):
            xw.open(out)
    index.write_text(text)
    data = bytearray(second.read_bytes())
    data[-3] ^= 1
    second.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"lm-00002-of-00003"):
        xw.verify(out)
    second.write_bytes(first.read_bytes())
    with pytest.raises(
        InputError, match=r"holds the tensor .*, which lm-00001-of-00003.safetensors holds too"
    ):
        xw.open(out)
    second.unlink()
    with pytest.raises(InputError, match=r"there is no file .*lm-00002-of-00003"):
        xw.open(out)
    save_file({"a": np.eye(3)}, second)
    with pytest.raises(InputError, match="must be a file written by 'xorweave encode'"):
        xw.open(out)
