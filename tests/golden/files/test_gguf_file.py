"""GGUF: files of the package's own writer, its reader as the oracle, number types reckoned here, and hostile files."""

from __future__ import annotations

import json
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.gguf_file import read_gguf
from xorweave.golden.files.weight_files import read_weight_file

RNG = np.random.default_rng(5)


def test_without_the_package_a_line_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match=r"^reading GGUF needs the package gguf: pip install '.\[gguf\]'"):
        read_weight_file(tmp_path / "m.gguf")


@pytest.fixture
def gguf() -> Any:
    return pytest.importorskip("gguf", reason="the package gguf is not installed (extra gguf)")


def written(gguf: Any, path: Path, tensors: dict[str, Any], metadata: dict[str, Any] | None = None) -> Path:
    """Write a file with the package; a pair stands for bytes of a number type."""
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in (metadata or {}).items():
        if key == "general.alignment":
            writer.add_custom_alignment(value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_uint32(key, value)
    for name, held in tensors.items():
        if isinstance(held, tuple):
            writer.add_tensor(name, held[0], raw_dtype=held[1])
        else:
            writer.add_tensor(name, held)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_names_shapes_and_metadata_come_along(gguf: Any, tmp_path: Path) -> None:
    tensors = {
        "blk.0.attn_q.weight": RNG.standard_normal((6, 64)).astype(np.float32),
        "blk.0.ffn.weight": RNG.standard_normal((3, 4, 32)).astype(np.float16),
        "output_norm.weight": np.arange(5, dtype=np.float32),
        "ids": np.arange(4, dtype=np.int32),
    }
    notes = {
        "general.name": "ein Modell", "llama.block_count": 2, "llama.rope.scale": 0.5, "tokens": ["a", "ß", ""],
        "merges": [1, 2, 3], "general.alignment": 64,
    }  # fmt: skip
    path = written(gguf, tmp_path / "m.gguf", tensors, notes)
    read, metadata, left_out = read_gguf(path)
    oracle = gguf.GGUFReader(path)
    assert list(read) == [tensor.name for tensor in oracle.tensors] == list(tensors) and not left_out
    for name, values in tensors.items():
        assert read[name].values.dtype == values.dtype and np.array_equal(read[name].values, values)
    assert metadata.pop("general.architecture") == "llama"
    assert metadata["general.name"] == "ein Modell"
    assert {key: json.loads(text) for key, text in metadata.items() if key != "general.name"} == {
        key: value for key, value in notes.items() if key != "general.name"
    }


def q8_0(values: NDArray) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Blocks of 32: a scale in FP16, then the integers."""
    integers = RNG.integers(-127, 128, values.shape).astype(np.int8)
    scales = RNG.random((values.shape[0], values.shape[1] // 32)).astype(np.float16)
    blocks = [
        [scale.tobytes() + part.tobytes() for scale, part in zip(scales[i], np.split(row, len(scales[i])), strict=True)]
        for i, row in enumerate(integers)
    ]  # fmt: skip
    data = np.frombuffer(b"".join(b"".join(row) for row in blocks), np.uint8).reshape(len(values), -1)
    return data, integers * np.repeat(scales.astype(np.float32), 32, axis=1)


def test_quantised_numbers_are_those_of_their_definition(gguf: Any, tmp_path: Path) -> None:
    kinds = gguf.GGMLQuantizationType
    eight, wanted = q8_0(np.zeros((5, 64)))
    nibbles = RNG.integers(0, 16, (3, 32))
    four = np.concatenate(
        [np.tile(np.frombuffer(np.float16(0.25).tobytes(), np.uint8), (3, 1)), nibbles[:, :16] | nibbles[:, 16:] << 4],
        axis=1,
    ).astype(np.uint8)  # fmt: skip
    brain = RNG.integers(0, 1 << 16, (2, 8)).astype(np.uint16)
    path = written(
        gguf,
        tmp_path / "m.gguf",
        {"q8": (eight, kinds.Q8_0), "q4": (four, kinds.Q4_0), "bf16": (brain.view(np.uint8), kinds.BF16)},
    )
    read, _, left_out = read_gguf(path)
    assert not left_out and [tensor.dtype for tensor in read.values()] == ["F32", "F32", "BF16"]
    assert np.array_equal(read["q8"].values, wanted)
    assert np.array_equal(read["q4"].values, (nibbles - 8) * np.float32(0.25))
    assert np.array_equal(read["bf16"].values, brain)


def test_every_number_type_is_as_the_package_has_it(gguf: Any, tmp_path: Path) -> None:
    plain = ("F32", "F16", "F64", "BF16", "I8", "I16", "I32", "I64")
    tensors, wanted, known = {}, {}, []
    for kind, (weights, size) in gguf.GGML_QUANT_SIZES.items():
        if kind.name in plain:
            continue
        data = RNG.integers(0, 256, (4, 2 * size)).astype(np.uint8)
        tensors[kind.name] = (data, kind)
        with np.errstate(all="ignore"):
            try:
                wanted[kind.name] = gguf.dequantize(data, kind).astype(np.float32)
                known.append(kind.name)
                assert wanted[kind.name].shape == (4, 2 * weights)
            except NotImplementedError:
                pass
    read, _, left_out = read_gguf(written(gguf, tmp_path / "m.gguf", tensors))
    assert list(read) == known and len(known) > 15
    for name, values in wanted.items():
        assert read[name].values.tobytes() == values.tobytes(), name
    assert set(left_out) == set(tensors) - set(known)
    assert all("not dequantised by the package gguf" in reason for reason in left_out.values())


def test_encode_and_back(gguf: Any, tmp_path: Path) -> None:
    data, wanted = q8_0(np.zeros((16, 64)))
    path = written(
        gguf,
        tmp_path / "m.gguf",
        {"w": (data, gguf.GGMLQuantizationType.Q8_0), "bias": np.ones(3, np.float32)},
    )
    encoded = xw.encode(path, goal="hardware", sparsity=0.5)
    assert encoded.carried == {"bias": "rank 1"} and encoded.metadata["general.architecture"] == "llama"
    back = encoded.decode()["w"]
    assert back.dtype == np.float32 and np.array_equal(back[back != 0], wanted[back != 0])
    assert (back != 0).sum() == 512


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def header(tensors: int, entries: int, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries)


def info(name: bytes, sides: tuple[int, ...], kind: int, offset: int = 0) -> bytes:
    numbers = struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, kind, offset)
    return text(name) + numbers


HUGE = 1 << 62
F32, Q8_0, I8 = 0, 8, 24


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "claims more than its bytes hold"),
        (b"GGML" + bytes(60), "does not begin like one"),
        (header(0, 0, version=1), "its version must be 2 or 3, not 1$"),
        (header(0, 0, version=3 << 24), "in the order of other machines"),
        (header(HUGE, 0), "claims more than its bytes hold"),
        (header(0, HUGE), "claims more than its bytes hold"),
        (header(0, 1) + struct.pack("<Q", HUGE), "claims more than its bytes hold"),
        # arrays whose count runs on behind the end: of numbers, of texts, of arrays
        (header(0, 1) + text(b"a") + struct.pack("<IIQ", 9, 0, HUGE), "claims more than its bytes hold"),
        (header(0, 1) + text(b"a") + struct.pack("<IIQ", 9, 8, HUGE), "claims more than its bytes hold"),
        (header(0, 1) + text(b"a") + struct.pack("<IIQ", 9, 9, HUGE), "claims more than its bytes hold"),
        (header(0, 1) + text(b"a") + 6 * struct.pack("<IIQ", 9, 9, 1), "which is not known|claims more"),
        (header(0, 1) + text(b"a") + struct.pack("<I", 77), "has the type 77, which is not known"),
        (header(0, 2) + 2 * (text(b"a") + struct.pack("<IB", 0, 1)), "holds the metadata 'a' twice"),
        (header(1, 0) + text(b"w") + struct.pack("<I", 1 << 31), "has 2147483648 sides"),
        (header(1, 0) + info(b"w", (HUGE, HUGE), F32), "claims shape .* more than its bytes hold"),
        (header(1, 0) + info(b"w", (1 << 32, 1 << 32), F32), "more than its bytes hold"),  # 0 in 64 bits
        (header(1, 0) + info(b"w", (0, HUGE), F32) + bytes(64), "must be a GGUF file"),
        (header(1, 0) + info(b"w", (4,), F32, HUGE) + bytes(64), "more than its bytes hold"),
        (header(1, 0) + info(b"w", (4,), F32, (1 << 64) - 8) + bytes(64), "more than its bytes hold"),
        (header(1, 0) + info(b"w", (33,), Q8_0) + bytes(200), "must be whole blocks of 32 weights"),
        (header(1, 0) + info(b"w", (4,), 12345) + bytes(64), "number type 12345 is not known"),
        (header(2, 0) + 2 * info(b"w", (4,), F32) + bytes(64), "holds the tensor 'w' twice"),
        # the same bytes again and again
        (header(9, 0) + b"".join(info(bytes([65 + i]), (200,), I8) for i in range(9)) + bytes(256), "claims shape"),
        (header(0, 1) + text(b"general.alignment") + struct.pack("<II", 4, 0), "alignment must be a number of bytes"),
    ],
)  # fmt: skip
def test_hostile_files_are_refused(gguf: Any, tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "m.gguf").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_gguf(tmp_path / "m.gguf")


def test_what_is_cut_off_or_changed_is_refused_or_read(gguf: Any, tmp_path: Path) -> None:
    data, _ = q8_0(np.zeros((4, 64)))
    tensors = {"w": (data, gguf.GGMLQuantizationType.Q8_0), "b": np.ones(3, np.float32)}
    whole = written(gguf, tmp_path / "m.gguf", tensors, {"tokens": ["a", "b"], "n": 3}).read_bytes()
    for size in range(0, len(whole) - 32, 7):
        (tmp_path / "cut.gguf").write_bytes(whole[:size])
        with pytest.raises(InputError):
            read_gguf(tmp_path / "cut.gguf")
    for _ in range(300):
        changed = bytearray(whole)
        changed[RNG.integers(len(whole))] = RNG.integers(256)
        (tmp_path / "changed.gguf").write_bytes(bytes(changed))
        with suppress(InputError):
            read_gguf(tmp_path / "changed.gguf")
