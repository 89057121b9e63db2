"""PyTorch's files, made here byte for byte as torch.save makes them, and hostile ones."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.torch_file import read_torch

STORAGES = {
    "f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "u2": "BFloat16Storage", "i8": "LongStorage",
    "i1": "CharStorage", "?": "BoolStorage",
}  # fmt: skip


class Stored:
    """A tensor to be pickled: its storage (key, array), offset, shape and strides in elements."""

    def __init__(self, key: str, array: np.ndarray, offset: int, shape: tuple, stride: tuple) -> None:
        self.parts = (key, array, offset, shape, stride)


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of the names that PyTorch's pickles refer to; reading needs none of them."""
    for name in ("torch", "torch._utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for kind in STORAGES.values():
        made = type(kind, (), {"__module__": "torch", "__qualname__": kind})
        setattr(sys.modules["torch"], kind, made)

    def _rebuild_tensor_v2(*_: object) -> None: ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    sys.modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]


class Storage:
    def __init__(self, key: str, array: np.ndarray) -> None:
        self.key, self.array = key, array


def pickled(held: object, storages: dict[str, np.ndarray]) -> bytes:
    class Writer(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            if not isinstance(value, Storage):
                return None
            storages[value.key] = value.array
            code = value.array.dtype.str.lstrip("<|")
            kind = getattr(sys.modules["torch"], STORAGES["?" if code == "b1" else code])
            return ("storage", kind, value.key, "cpu", value.array.size)

        def reducer_override(self, value: object) -> object:
            if not isinstance(value, Stored):
                return NotImplemented
            key, array, offset, shape, stride = value.parts
            rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2  # type: ignore[attr-defined]
            return rebuild, (Storage(key, array), offset, shape, stride, False, OrderedDict())

    stream = io.BytesIO()
    Writer(stream, 2).dump(held)
    return stream.getvalue()


def save(path: Path, held: object, *, text: bytes | None = None, compress: bool = False) -> Path:
    storages: dict[str, np.ndarray] = {}
    text = pickled(held, storages) if text is None else text
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as file:
        file.writestr("model/data.pkl", text)
        file.writestr("model/byteorder", "little")
        for key, array in storages.items():
            file.writestr(f"model/data/{key}", array.tobytes())
    return path


def save_old(path: Path, held: object) -> Path:
    storages: dict[str, np.ndarray] = {}
    text = pickled(held, storages)
    head = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    data = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in storages.values())
    path.write_bytes(b"".join(head) + text + pickle.dumps(list(storages), 2) + data)
    return path


def a_state_dict() -> tuple[dict, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    flat = rng.standard_normal(24).astype("<f4")
    half = rng.integers(0, 1 << 16, 6).astype("<u2")
    ids = np.arange(4, dtype="<i8")
    held = OrderedDict(
        {
            "b.weight": Stored("0", flat, 0, (3, 4), (4, 1)),
            "a.weight": Stored("0", flat, 12, (4, 3), (1, 4)),  # a transposed view behind the first
            "half": Stored("1", half, 0, (2, 3), (3, 1)),
            "ids": Stored("2", ids, 0, (1, 4), (4, 1)),
        }
    )
    wanted = {
        "b.weight": flat[:12].reshape(3, 4),
        "a.weight": flat[12:].reshape(3, 4).T,
        "half": half.reshape(2, 3),
        "ids": ids[None],
    }
    return held, wanted


@pytest.mark.parametrize("writer", [save, save_old])
def test_state_dicts_are_read_in_their_order(tmp_path: Path, torch_names: None, writer: object) -> None:
    held, wanted = a_state_dict()
    tensors, left_out = read_torch(writer(tmp_path / "m.pth", held))  # type: ignore[operator]
    assert list(tensors) == list(wanted) and left_out == {}
    assert [tensor.dtype for tensor in tensors.values()] == ["F32", "F32", "BF16", "I64"]
    for name, array in wanted.items():
        assert np.array_equal(tensors[name].values, array) and tensors[name].values.flags.writeable


def test_checkpoints_are_dictionaries_around_state_dicts(tmp_path: Path, torch_names: None) -> None:
    held, wanted = a_state_dict()
    nested = {"epoch": 3, "state_dict": held, "options": types.SimpleNamespace(lr=0.1), "list": [held["ids"]]}
    tensors, left_out = read_torch(save(tmp_path / "m.pt", nested))
    assert list(tensors) == [*(f"state_dict.{name}" for name in wanted), "list.0"]
    assert left_out == {"options": "an object that is no tensor"}


class Runs:
    def __reduce__(self) -> object:
        return os.system, ("touch ran",)


def test_nothing_in_a_file_runs(tmp_path: Path, torch_names: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    held, _ = a_state_dict()
    tensors, left_out = read_torch(save(tmp_path / "m.pt", {"w": held["ids"], "x": Runs()}))
    assert list(tensors) == ["w"] and list(left_out) == ["x"]
    with pytest.raises(InputError, match="must hold tensors by name"):
        read_torch(save(tmp_path / "n.pt", Runs()))
    assert not (tmp_path / "ran").exists()


FLAT = np.zeros(16, "<f4")
BAD_VIEWS = {
    "beyond its storage": (0, (5, 4), (4, 1)),
    "an offset beyond": (8, (3, 4), (4, 1)),
    "one value stretched": (0, (1 << 20, 1 << 20), (0, 0)),
    "a negative stride": (15, (4,), (-1,)),
    "a negative side": (0, (-4,), (1,)),
    "a million sides": (0, (1,) * 1_000_000, (1,) * 1_000_000),
    "sides without strides": (0, (4, 4), (1,)),
    "a side of 2^70": (0, (1 << 70, 0), (1, 1)),
}


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_views_that_claim_too_much_are_refused(tmp_path: Path, torch_names: None, name: str) -> None:
    path = save(tmp_path / "m.pt", {"w": Stored("0", FLAT, *BAD_VIEWS[name])})
    with pytest.raises(InputError, match=r"m.pt must be a file as torch.save writes it: ") as caught:
        read_torch(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_streams_that_claim_too_much_are_refused(tmp_path: Path, torch_names: None) -> None:
    memo = b"\x80\x02}r" + struct.pack("<I", 0x7FFFFFFF) + b"."  # a memo of 2^31 places
    for text in (memo, b"", b"\x80\x02.", b"cos\nsystem\n."):
        with pytest.raises(InputError):
            read_torch(save(tmp_path / "m.pt", None, text=text))
    held, _ = a_state_dict()
    with pytest.raises(InputError, match="stored, not compressed"):
        read_torch(save(tmp_path / "c.pt", held, compress=True))
    shared = {str(i): Stored("0", FLAT.repeat(1000), 0, (16000,), (1,)) for i in range(100)}
    with pytest.raises(InputError, match="share their storages too often"):
        read_torch(save(tmp_path / "s.pt", shared))


def doubled(times: int, start: bytes = b")") -> bytes:
    """The opcodes of a tuple of two that are the same tuple, and so on: a hash or a text of it takes 2^times steps."""
    return start + b"2\x86" * times


def called(storage: bytes, size: bytes = b"K\x02\x85", kind: bytes = b"") -> bytes:
    """The opcodes of {"w": a tensor} that is rebuilt from a storage, of a size, and of a dtype where one is given."""
    version = b"3" if kind else b"2"
    made = (
        b"ctorch._utils\n_rebuild_tensor_v" + version + b"\n(" + storage + b"K\x00" + size + b"K\x01\x85\x89}"
    )
    return b"\x80\x02}U\x01w" + made + kind + b"tRs."


def stored(key: bytes) -> bytes:
    return b"(U\x07storagectorch\nFloatStorage\n" + key + b"U\x03cpuK\x02tQ"


@pytest.mark.parametrize(
    "text",
    [
        b"\x80\x02}" + doubled(60) + b"Ns.",
        b"\x80\x02}(" + doubled(60) + b"Nu.",
        b"\x80\x02(" + doubled(60) + b"Nd.",
        b"\x80\x04\x8f(" + doubled(60) + b"\x90.",
        b"\x80\x04(" + doubled(60) + b"\x91.",
        b"\x80\x02})q\x00" + b"".join(b"(" + b"h\x00" * 40 + b"tq\x00" for _ in range(20)) + b"h\x00Ns.",
        b"\x80\x02})" + b"\x85" * 500_000 + b"Ns.",
        b"\x80\x02}ctorch._utils\n_rebuild_parameter\n" + doubled(60) + b"\x85RNs.",
        b"\x80\x02ccollections\nOrderedDict\n]" + doubled(60) + b"N\x86a\x85R.",
        called(stored(doubled(60))),
        called(stored(doubled(60, b"]"))),
        called(doubled(60) + b"U\x010\x86"),
        called(stored(b"U\x010"), doubled(60)),
        called(stored(b"U\x010"), kind=b"ctorch\nfloat32\n}U\x04name" + doubled(60) + b"sb"),
    ],
    ids=["set item", "set items", "dictionary", "set", "frozen set", "wide", "deep", "returned", "ordered", "key",
         "key of lists", "storage", "size", "renamed dtype"],
)  # fmt: skip
def test_tuples_that_take_for_ever_to_look_at_are_refused(tmp_path: Path, text: bytes) -> None:
    """Of a few hundred bytes each; a dtype that was renamed is the one it was."""
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("model/data.pkl", text)
        file.writestr("model/data/0", bytes(8))
    if b"sb" in text:
        assert read_torch(path)[0]["w"].dtype == "F32"
        return
    with pytest.raises(InputError, match=r"m.pt must be a file as torch.save writes it: ") as caught:
        read_torch(path)
    assert len(str(caught.value)) < 500


def test_small_tuples_are_keys_like_others(tmp_path: Path, torch_names: None) -> None:
    held, _ = a_state_dict()
    found = read_torch(
        save(tmp_path / "m.pt", {("group", 3, ("a", "b")): 1, "state": held, frozenset({1, 2}): 2})
    )
    assert set(found[0]) == {f"state.{name}" for name in held}


def test_storages_named_in_another_way_are_refused(tmp_path: Path, torch_names: None) -> None:
    held, _ = a_state_dict()
    text = pickled(held, {})
    assert text.count(b"storage")
    with pytest.raises(InputError, match="a storage is named in a way that is not known"):
        read_torch(
            save(
                tmp_path / "m.pt",
                None,
                text=text.replace(b"X\x07\x00\x00\x00storage", b"X\x07\x00\x00\x00elsewhe"),
            )
        )


def test_lists_that_hold_each_other_are_walked_once(tmp_path: Path, torch_names: None) -> None:
    held, _ = a_state_dict()
    inner: object = [held["ids"]]
    for _ in range(60):
        inner = [inner, inner]
    assert len(read_torch(save(tmp_path / "m.pt", inner))[0]) == 1


def test_files_cut_short_anywhere_are_refused(tmp_path: Path, torch_names: None) -> None:
    held, _ = a_state_dict()
    for writer in (save, save_old):
        whole = writer(tmp_path / "m.pt", held).read_bytes()
        for length in range(0, len(whole), 7):
            (tmp_path / "cut.pt").write_bytes(whole[:length])
            with pytest.raises(InputError):
                read_torch(tmp_path / "cut.pt")


def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(InputError, match=r"pipe.pt must be a file, not a pipe or device"):
        read_torch(tmp_path / "pipe.pt")
    with pytest.raises(InputError, match="/dev/zero must be a file, not a pipe or device"):
        read_torch(Path("/dev/zero"))
