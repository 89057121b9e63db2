from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.mapped import map_safetensors, read_safetensors
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors

KINDS = {
    "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "U64": "u8", "I32": "i4", "U32": "u4",
    "I16": "i2", "U16": "u2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def raw(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(dtype: str, shape: list[int], size: int, start: int = 0) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, start + size]}


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_safetensors(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_arrays_may_be_written_to_and_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"w": Tensor.of(np.arange(6, dtype=np.float32))}, {})
    before = path.read_bytes()
    read_safetensors(path)[0]["w"].values[:] = 7
    assert path.read_bytes() == before
    assert read_safetensors(path)[0]["w"].values.tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("bf16", [False, True])
def test_every_dtype_there_and_back(tmp_path: Path, bf16: bool) -> None:
    rng = np.random.default_rng(0)
    tensors = {kind: Tensor(rng.integers(0, 2, (2, 3)).astype(numpy), kind) for kind, numpy in KINDS.items()}
    if bf16:
        tensors["b"] = Tensor(np.array([[0x3F80, 0xFFFF]], np.uint16), "BF16")
    path = tmp_path / "x.safetensors"
    write_safetensors(path, tensors, {"key": "w\u00f6rter"})
    back, metadata = read_safetensors(path)
    assert metadata == {"key": "w\u00f6rter"}
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert back[name].values.dtype == tensor.values.dtype
        assert np.array_equal(back[name].values, tensor.values)


def test_files_of_the_reference_library_and_for_it(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "empty": np.zeros((0, 4), np.int8)}
    save_file(arrays, tmp_path / "theirs.safetensors", metadata={"a": "b"})
    tensors, metadata = read_safetensors(tmp_path / "theirs.safetensors")
    assert metadata == {"a": "b"}
    write_safetensors(tmp_path / "ours.safetensors", tensors, metadata)
    for name, array in load_file(tmp_path / "ours.safetensors").items():
        assert np.array_equal(array, arrays[name]) and array.shape == arrays[name].shape


def test_orders_and_byte_orders_are_written_as_the_format_asks(tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": Tensor.of(values), "s": Tensor.of(np.array(2.5))}, {})
    back, _metadata = read_safetensors(path)
    assert np.array_equal(back["a"].values, values)
    assert back["s"].values.shape == () and back["s"].values == 2.5


def test_nan_payloads_survive(tmp_path: Path) -> None:
    words = np.array([0x7F800001, 0xFFFFFFFF, 0x80000000], np.uint32)
    write_safetensors(tmp_path / "x.safetensors", {"a": Tensor.of(words.view(np.float32))}, {})
    assert np.array_equal(read_safetensors(tmp_path / "x.safetensors")[0]["a"].values.view(np.uint32), words)


@pytest.mark.parametrize(
    "values", [np.zeros(2, complex), np.array([{}]), np.array(["a"]), np.zeros(2, np.longdouble)]
)
def test_what_safetensors_has_no_dtype_for_is_refused(values: np.ndarray) -> None:
    with pytest.raises(InputError) as caught:
        Tensor.of(values)
    assert str(caught.value) == f"tensors must hold integers, floats or booleans, not {values.dtype}"


ATTACKS = {
    "empty": b"",
    "short": b"\x00\x00\x00",
    "no header": struct.pack("<Q", 100),
    "header of 2^63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
    "header of 2^64-1 bytes": b"\xff" * 8 + b"{}",
    "no JSON": raw(b"hello"),
    "no object": raw(b"[1, 2]"),
    "no UTF-8": raw(b'{"\xff": 1}'),
    "deep JSON": raw(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "too few bytes": raw({"a": entry("F32", [4], 16)}, b"\0" * 15),
    "too many bytes": raw({"a": entry("F32", [4], 16)}, b"\0" * 17),
    "huge shape": raw({"a": entry("F32", [1 << 40], 16)}, b"\0" * 16),
    "overflowing shape": raw({"a": entry("F32", [1 << 33, 1 << 33], 16)}, b"\0" * 16),
    "huge side beside none": raw({"a": entry("F32", [1 << 63, 0], 0)}),
    "large side beside none": raw({"a": entry("F32", [1 << 62, 0], 0)}),
    "huge side beside none, BF16": raw({"a": entry("BF16", [1 << 63, 0], 0)}),
    "rank 70": raw({"a": entry("U8", [1] * 70, 1)}, b"\0"),
    "rank 70, BF16": raw({"a": entry("BF16", [1] * 70, 2)}, b"\0\0"),
    "negative side": raw({"a": entry("U8", [-1], 1)}, b"\0"),
    "side 2^64": raw({"a": entry("U8", [1 << 64], 1)}, b"\0"),
    "hole": raw({"a": entry("U8", [1], 1, 1)}, b"\0\0"),
    "overlap": raw({"a": entry("U8", [2], 2), "b": entry("U8", [2], 2, 1)}, b"\0" * 3),
    "backwards": raw({"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}, b"\0"),
    "unknown dtype": raw({"a": entry("X9", [1], 1)}, b"\0"),
    "dtype of another kind": raw({"a": entry("F6_E2M3", [4], 3)}, b"\0\0\0"),
    "metadata no text": raw({"__metadata__": {"a": 1}}),
    "NaN": raw(b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', b"\0"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused_in_one_line(tmp_path: Path, attack: str) -> None:
    path = tmp_path / "x.safetensors"
    text = refusal(path, ATTACKS[attack])
    if attack == "dtype of another kind":
        assert text == f"{path}: tensor a has dtype F6_E2M3, which is not supported"
    else:
        assert text.startswith(
            (
                f"{path} must be a whole safetensors file: ",
                f"{path}: tensor a must have a shape that an array can have",
            )
        )


def test_files_cut_short_anywhere_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": Tensor.of(np.arange(4.0))}, {"k": "v"})
    whole = path.read_bytes()
    for length in range(len(whole)):
        assert refusal(path, whole[:length]).startswith(f"{path} must be a whole safetensors file: ")


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_safetensors(tmp_path / "no.safetensors")
    assert str(caught.value) == f"there is no file {tmp_path}/no.safetensors"
    with pytest.raises(InputError):
        read_safetensors(tmp_path)


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    tensor = {"a": Tensor.of(np.zeros(3))}
    nowhere = tmp_path / "no" / "x.safetensors"
    with pytest.raises(InputError) as caught:
        write_safetensors(nowhere, tensor, {})
    assert str(caught.value).startswith(f"{nowhere} cannot be written: ")
    folder = tmp_path / "x.safetensors"
    folder.mkdir()
    with pytest.raises(InputError):
        write_safetensors(folder, tensor, {})
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_a_name_that_the_format_keeps_for_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        write_safetensors(tmp_path / "x.safetensors", {"__metadata__": Tensor.of(np.zeros(3))}, {})
    assert str(caught.value) == "a tensor may not be named '__metadata__' in a safetensors file"
    assert not list(tmp_path.iterdir())


def test_an_old_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    for size in (3, 1):
        write_safetensors(path, {"a": Tensor.of(np.zeros(size))}, {})
        assert read_safetensors(path)[0]["a"].values.size == size
    assert [p.name for p in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("read", [read_safetensors, map_safetensors])
def test_a_name_that_stands_twice_is_refused(tmp_path: Path, read: Any) -> None:
    """The library takes the last one, as JSON readers do, and does not say so."""
    entry = '{"dtype":"U8","shape":[4],"data_offsets":[0,4]}'
    header = f'{{"w":{entry},"w":{entry}}}'.encode()
    path = tmp_path / "twice.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(InputError, match="'w' stands twice in its header"):
        read(path)
