from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import read_weight_file

ONE, TWO = np.ones((2, 3), np.float32), np.arange(4.0).reshape(2, 2)


def checkpoint(folder: Path, weight_map: object) -> Path:
    save_file({"a": ONE}, folder / "model-1.safetensors", metadata={"format": "pt"})
    save_file({"b": TWO}, folder / "model-2.safetensors", metadata={"format": "pt"})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 56}, "weight_map": weight_map}))
    return index


def test_an_index_and_its_folder_are_one_checkpoint(tmp_path: Path) -> None:
    index = checkpoint(tmp_path, {"a": "model-1.safetensors", "b": "model-2.safetensors"})
    for source in (index, tmp_path):
        read = read_weight_file(source)
        assert {name: t.values.tolist() for name, t in read.tensors.items()} == {
            "a": ONE.tolist(),
            "b": TWO.tolist(),
        }
        assert read.metadata == {"format": "pt"} and not read.ordered
    index.unlink()
    assert set(read_weight_file(tmp_path).tensors) == {"a", "b"}


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\0b", 3, None]
)
def test_an_index_names_files_of_its_own_folder(tmp_path: Path, name: object) -> None:
    with pytest.raises(InputError, match=r"must name files of its own folder|must be a JSON index"):
        read_weight_file(checkpoint(tmp_path, {"a": name}))


@pytest.mark.parametrize("weight_map", [None, [], 3, {}, {"a": ["x"]}])
def test_what_is_no_index_is_refused(tmp_path: Path, weight_map: object) -> None:
    index = checkpoint(tmp_path, weight_map)
    if weight_map == {}:
        assert read_weight_file(index).tensors == {}
        return
    with pytest.raises(InputError, match="must be a JSON index"):
        read_weight_file(index)


def test_tensors_must_be_where_the_index_says_and_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"names the tensor c, which model-1.safetensors does not hold"):
        read_weight_file(checkpoint(tmp_path, {"c": "model-1.safetensors"}))
    (tmp_path / "model.safetensors.index.json").unlink()
    save_file({"a": ONE}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="holds the tensor a, which another file of the folder holds too"):
        read_weight_file(tmp_path)
