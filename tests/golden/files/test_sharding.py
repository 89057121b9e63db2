"""A model in parts, in other processes, and taken up again: always the bytes of one run."""

from __future__ import annotations

import errno
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.container import write_container
from xorweave.golden.files.finished import Finished, StoredBytes
from xorweave.golden.files.sharding import divide, merge_shards, parse_shard

WORDS = {"dtype": "int8", "sparsity": 0.9}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five layers, a bias, and a buffer."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("model") / "model.npz"
    layers = {f"fc{i}": rng.standard_normal((16 + 8 * i, 64), np.float32) for i in range(5)}
    np.savez(path, **layers, bias=np.ones(7, np.float32), steps=np.arange(6).reshape(2, 3))
    return path


@pytest.fixture(scope="module", params=["storage", "hardware"])
def goal(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def whole(model: Path, goal: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file that one run writes."""
    path = tmp_path_factory.mktemp("whole") / "whole.safetensors"
    xw.encode(model, goal=goal, **WORDS).save(path)  # type: ignore[arg-type]
    return path.read_bytes()


@pytest.mark.parametrize("of", [1, 2, 4, 7])
def test_parts_make_the_whole(model: Path, goal: str, whole: bytes, of: int, tmp_path: Path) -> None:
    parts = []
    for number in range(of, 0, -1):
        parts.append(tmp_path / f"{number}.safetensors")
        xw.encode(model, goal=goal, shard=f"{number}/{of}", **WORDS).save(parts[-1])  # type: ignore[arg-type]
    write_container(tmp_path / "merged.safetensors", merge_shards(parts))
    assert (tmp_path / "merged.safetensors").read_bytes() == whole


def test_processes_make_the_same_bytes(model: Path, goal: str, whole: bytes, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        encoded = xw.encode(model, goal=goal, executor=executor, **WORDS)  # type: ignore[arg-type]
    encoded.save(tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").read_bytes() == whole


def test_what_is_finished_is_not_encoded_again(
    model: Path, goal: str, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = Finished.beside(tmp_path / "w.safetensors")
    xw.encode(model, goal=goal, finished=finished, **WORDS)  # type: ignore[arg-type]
    kept = sorted(finished.folder.iterdir())
    assert len(kept) == 5
    kept[0].write_bytes(kept[0].read_bytes()[:-9] + b"123456789")  # damaged: as if it were not there
    kept[1].unlink()

    from xorweave.golden.files import model as room

    stored = []
    original = room.store
    monkeypatch.setattr(room, "store", lambda *a: (stored.append(1), original(*a))[1])
    encoded = xw.encode(model, goal=goal, finished=finished, **WORDS)  # type: ignore[arg-type]
    assert len(stored) == 2
    encoded.save(tmp_path / "w.safetensors")
    assert (tmp_path / "w.safetensors").read_bytes() == whole
    # another option finds nothing of it
    xw.encode(model, goal=goal, finished=finished, dtype="int8", sparsity=0.8)
    assert len(stored) == 2 + 5
    finished.clear()
    assert not finished.folder.exists()


@pytest.mark.parametrize("name", ["w.safetensors", "a" * 243 + ".safetensors", "é" * 121 + ".safetensors"])
def test_any_name_of_an_output_has_a_folder_of_its_own(name: str, tmp_path: Path) -> None:
    """Names have 255 bytes, and an output may use them all."""
    finished, other = Finished.beside(tmp_path / name), Finished.beside(tmp_path / ("b" + name[1:]))
    assert finished.folder != other.folder
    finished.clear()
    finished.put(StoredBytes(b"12345678", None, 0), "a")
    assert len(list(finished.folder.iterdir())) == 1 and not other.folder.exists()
    finished.clear()
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_kept_all_is_stored(
    model: Path, goal: str, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full after one tensor: the rest is stored without being kept."""
    from xorweave.golden.files import finished as room

    asked = []
    original = room.write_safetensors

    def write(path: Path, *what: object) -> None:
        asked.append(path)
        if len(asked) > kept:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        original(path, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "write_safetensors", write)
    for kept in (0, 1):
        asked.clear()
        finished = Finished.beside(tmp_path / "w.safetensors")
        encoded = xw.encode(model, goal=goal, finished=finished, **WORDS)  # type: ignore[arg-type]
        encoded.save(tmp_path / "w.safetensors")
        assert (tmp_path / "w.safetensors").read_bytes() == whole
        assert len(asked) == kept + 1
        assert finished.folder.exists() == bool(kept)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    finished = Finished(tmp_path / "x.parts")
    finished.put(StoredBytes(b"12345678", None, 0), "a")
    (finished.folder / "notes.txt").write_text("mine")
    finished.clear()
    assert (finished.folder / "notes.txt").read_text() == "mine"


def test_a_source_that_changes_is_refused(model: Path, tmp_path: Path) -> None:
    from xorweave.golden.files.prepare import Preparation
    from xorweave.golden.files.waiting import Waiting
    from xorweave.golden.files.weight_files import read_weights

    copy = tmp_path / "m.npz"
    copy.write_bytes(model.read_bytes())
    waiting = Waiting(read_weights(copy), Preparation(), {"fc0": copy})
    part = waiting.part("fc0")
    np.savez(copy, fc0=np.zeros((3, 3), np.float32))
    for read in (part.prepared, lambda: waiting["fc0"]):  # type: ignore[union-attr]
        with pytest.raises(InputError, match=r"m\.npz must not change while it is encoded"):
            read()


def test_what_is_encoded_does_not_change_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensors = {"w": np.eye(8, dtype=np.float32), "bias": np.arange(8, dtype=np.float32)}
    save_file(tensors, path)
    encoded = xw.encode(path)
    with path.open("r+b") as file:  # in place, under the mapping
        file.seek(-280, os.SEEK_END)
        file.write(b"\xff" * 280)
    encoded.save(tmp_path / "out.safetensors")
    back = xw.open(tmp_path / "out.safetensors").decode()
    assert all(np.array_equal(back[name], values) for name, values in tensors.items())


def test_parts_are_dealt_by_size() -> None:
    assert divide({"a": 5, "b": 3, "c": 3, "d": 1}, 2) == [["a", "d"], ["b", "c"]]
    dealt = [name for part in divide({str(i): i for i in range(50)}, 7) for name in part]
    assert sorted(dealt) == sorted(str(i) for i in range(50))
    assert divide({"a": 1}, 3) == [["a"], [], []]


@pytest.mark.parametrize("spec", ["0/2", "3/2", "1", "1/", "/2", "-1/2", "a/b", "1/9999999", ""])
def test_no_shard(spec: str) -> None:
    with pytest.raises(InputError, match="the shard must be written as 1/4"):
        parse_shard(spec)


def test_parts_that_do_not_belong_together(model: Path, tmp_path: Path) -> None:
    paths = {}
    for name, words in {
        "1of2": {"shard": "1/2"}, "2of2": {"shard": "2/2"}, "2of3": {"shard": "2/3"},
        "other": {"shard": "2/2", "sparsity": 0.8}, "whole": {},
    }.items():  # fmt: skip
        paths[name] = tmp_path / f"{name}.safetensors"
        xw.encode(model, **{**WORDS, **words}).save(paths[name])  # type: ignore[arg-type]
    for given, said in (
        (["1of2"], "all 2 parts must be given: 2 missing"),
        (["1of2", "1of2"], "which was given already"),
        (["1of2", "2of3"], "must be a part of the same model"),
        (["1of2", "other"], "must be a part of the same model"),
        (["whole"], "must be a part of a model, written with a shard"),
    ):
        with pytest.raises(InputError, match=said):
            merge_shards([paths[name] for name in given])


def test_names_decide_what_is_encoded(model: Path) -> None:
    encoded = xw.encode(model, include=["fc*"], exclude="fc[02]", dtype="int8")
    assert list(encoded) == ["fc1", "fc3", "fc4"]
    assert encoded.carried["fc0"] == "left out by name"
    with pytest.raises(InputError, match="include and exclude must leave a tensor to encode"):
        xw.encode(model, include="nothing")
