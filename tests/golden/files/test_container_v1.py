"""Containers of version 1: read as they were written, and refused where they lie."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.files.version_1_files import FILES
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.code.code import Code
from xorweave.golden.files.container import Container, read_container, write_container
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.golden.tensor.decode import decode_blocks, decode_scan

SHORT = Code.uniform(n_in=4, n_out=10, n_s=1, seed=3)
CUSTOM = Code(n_in=4, n_out=10, n_s=1, generator=SHORT.generator[::-1])


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


@pytest.mark.parametrize("kind", FILES)
def test_files_of_old_decode_bit_for_bit(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(unpacked(FILES[kind][0]))
    container = read_container(path)
    encoded = container.encoded["w"]
    form = encoded.number_format
    words = np.frombuffer(unpacked(FILES[kind][1]), form.word.newbyteorder("<")).reshape(encoded.shape)
    assert np.array_equal(form.to_words(container.decode("w")), words)
    assert encoded.checksum is None and container.info == {"seed": "3"}
    assert container.plain["b"].values.tolist() == [0, 1, 2]
    whole = decode_scan(encoded)
    for block in range(encoded.blocks):
        part = whole[block * encoded.n_out : (block + 1) * encoded.n_out]
        assert np.array_equal(decode_blocks(encoded, block, block + 1), part)


@pytest.mark.parametrize("kind", FILES)
def test_files_of_old_are_written_anew_with_checksums(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(unpacked(FILES[kind][0]))
    old = read_container(path)
    write_container(tmp_path / "y.safetensors", Container(old.encoded, old.plain, old.info))
    new = read_container(tmp_path / "y.safetensors")
    new.verify("w")
    assert new.encoded["w"].checksum is not None
    assert np.array_equal(old.decode("w").view(np.uint8), new.decode("w").view(np.uint8))


# --- attacks

Head = dict[str, Any]
Tensors = dict[str, Tensor]


def attacked(tmp_path: Path, change: Callable[[Head, Tensors], object], code: Code = SHORT) -> str:
    """Change a container and return the message that reading it ends with."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(unpacked(FILES["custom" if code is CUSTOM else "plain"][0]))
    tensors, metadata = read_safetensors(path)
    tensors = {name: Tensor(t.values.copy(), t.dtype) for name, t in tensors.items()}
    head = json.loads(metadata["xorweave"])
    text = change(head, tensors)
    write_safetensors(path, tensors, {"xorweave": text if isinstance(text, str) else json.dumps(head)})
    with pytest.raises(InputError) as caught:
        read_container(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    return message.removeprefix(f"{path}").removeprefix(": tensor w: ")


def setting(key: str, value: object) -> Callable[[Head, Tensors], None]:
    def change(head: Head, _tensors: Tensors) -> None:
        head["tensors"]["w"][key] = value

    return change


def part(name: str, values: np.ndarray, dtype: str = "U8") -> Callable[[Head, Tensors], None]:
    def change(_head: Head, tensors: Tensors) -> None:
        tensors[f"xorweave/w/{name}"] = Tensor(values, dtype)

    return change


@pytest.mark.parametrize(
    "text",
    ["", "hello", "[]", "3", "null", "{}", '{"version": 1}', '{"version": 1, "tensors": []}',
     '{"version": 1, "tensors": {}, "info": 3}', "[" * 100_000, '{"a":' * 100_000, "1" * 5000,
     '{"version": 1, "tensors": ' + "9" * 5000 + "}"],
    ids=range(13),
)  # fmt: skip
def test_metadata_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    assert attacked(tmp_path, lambda _head, _tensors: text) == " has xorweave metadata that cannot be read"


def test_versions_of_the_future_are_refused(tmp_path: Path) -> None:
    def change(head: Head, _tensors: Tensors) -> None:
        head["version"] = 99

    assert attacked(tmp_path, change) == " has container version 99, but this release reads versions 1 and 2"


def test_a_name_that_is_encoded_and_carried_is_refused(tmp_path: Path) -> None:
    def change(_head: Head, tensors: Tensors) -> None:
        tensors["w"] = Tensor.of(np.zeros(3, np.float32))

    assert attacked(tmp_path, change) == ": the tensor w must be encoded or carried, not both"


@pytest.mark.parametrize("name", ["symbols", "mask", "corrections"])
def test_parts_that_are_missing_or_of_another_size_are_refused(tmp_path: Path, name: str) -> None:
    def drop(_head: Head, tensors: Tensors) -> None:
        del tensors[f"xorweave/w/{name}"]

    assert attacked(tmp_path, drop) == f"the part {name} is missing"
    assert (
        attacked(tmp_path, part(name, np.zeros((2, 2), np.uint8)))
        == f"the part {name} must be a row of bytes"
    )
    assert (
        attacked(tmp_path, part(name, np.zeros(9, np.int8), "I8"))
        == f"the part {name} must be a row of bytes"
    )
    wrong = attacked(tmp_path, part(name, np.zeros(1000, np.uint8)))
    sizes = {"symbols": 28, "mask": 9}  # 7 blocks of 4 words; 66 bits
    if name in sizes:
        assert wrong == f"the part {name} must have {sizes[name]} bytes, not 1000"
    else:
        assert wrong == "the part corrections must have as many bytes as its bits need"


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("shape", [1 << 62, 1 << 62], f"the part mask must have {1 << 121} bytes, not 9"),
        ("shape", [6, 12], "the part symbols must have 32 bytes, not 28"),
        ("shape", [6.0, 11], "shape must be a list of sizes, not [6.0, 11]"),
        ("shape", [True, 66], "shape must be a list of sizes, not [True, 66]"),
        ("shape", [-6, -11], "shape must be a list of sizes, not [-6, -11]"),
        ("shape", {"0": 66}, "shape must be a list of sizes, not {'0': 66}"),
        ("shape", None, "shape must be a list of sizes, not None"),
        ("dtype", "complex64", f"the number format must be one of {', '.join(FORMATS)}, not 'complex64'"),
        ("dtype", 8, "dtype must be a short text, not 8"),
        ("dtype", "fp32", "the part symbols must have 112 bytes, not 28"),
        ("code", "x" * 2000, f"code must be a short text, not {repr('x' * 2000)[:60]}"),
        ("code", "n_in=0,n_out=10,n_s=1", "n_in must be between 1 and 1024, not 0"),
        (
            "code",
            "n_in=4,n_out=1000000000,n_s=1",
            "a generator of 1000000000 x 8 must be smaller in a file of version 1",
        ),
        ("code", "family=custom", "the part generator is missing"),
        ("code", "family=custom,n_in=99999999,n_out=99999999,n_s=9", "the part generator is missing"),
        ("check_value", "00000000", f"the generator's check value must be 00000000, not {SHORT.check_value}"),
        ("check_value", None, "check_value must be a short text, not None"),
        ("stride", 0, "stride must be an integer between 1 and 66, not 0"),
        ("stride", 2, "the stride must share no factor with n = 66, but 2 does"),
        ("stride", True, "stride must be an integer between 1 and 66, not True"),
        ("stride", 1.0, "stride must be an integer between 1 and 66, not 1.0"),
        ("offset", 66, "offset must be an integer between 0 and 65, not 66"),
        ("segment_blocks", 0, "segment_blocks must be an integer between 1 and 7, not 0"),
        ("segment_blocks", 8, "segment_blocks must be an integer between 1 and 7, not 8"),
        ("corrections", "joint:0", "gap_bits must be between 1 and 32, not 0"),
        ("corrections", 7, "corrections must be a short text, not 7"),
        ("corrections", "none", "a stream without corrections must not carry correction bits"),
        ("correction_bits", -1, None),
        ("correction_bits", 10**400, None),
        ("correction_bits", 0, "the part corrections must have as many bytes as its bits need"),
        ("inversion", 256, "inversion must be an integer between 0 and 255, not 256"),
        ("constant_planes", 256, "constant_planes must be an integer between 0 and 255, not 256"),
        ("constant_planes", 1, "the part symbols must have 25 bytes, not 28"),
        ("transform", "rot13", "transform must be one of none, difference, sign-magnitude, not 'rot13'"),
        ("encoder", ["x"], "encoder must be a short text, not ['x']"),
    ],
)
def test_fields_that_lie_are_refused(tmp_path: Path, key: str, value: object, message: str | None) -> None:
    text = attacked(tmp_path, setting(key, value))
    if message is None:
        assert text.startswith(f"{key} must be ")
    else:
        assert text == message


@pytest.mark.parametrize("key", ["shape", "stride", "code"])
def test_missing_fields_are_refused(tmp_path: Path, key: str) -> None:
    def change(head: Head, _tensors: Tensors) -> None:
        del head["tensors"]["w"][key]

    assert attacked(tmp_path, change).startswith(f"{key} must be ")


@pytest.mark.parametrize("shape", [[1 << 40, 0], [1 << 70, 0], [0, 1 << 63], [1] * 64 + [66], [10**2000] * 3])
def test_shapes_that_no_array_can_have_are_refused(tmp_path: Path, shape: list[int]) -> None:
    message = attacked(tmp_path, setting("shape", shape))
    assert message.startswith(("shape must be one that an array can have, not ", "the part "))
    assert "\n" not in message and len(message) < 120


def test_records_that_are_no_objects_are_refused(tmp_path: Path) -> None:
    def change(head: Head, _tensors: Tensors) -> None:
        head["tensors"]["w"] = [1]

    assert attacked(tmp_path, change) == "its metadata must be an object"


def test_a_custom_generator_is_checked(tmp_path: Path) -> None:
    def flip(_head: Head, tensors: Tensors) -> None:
        tensors["xorweave/w/generator"].values[0] ^= 1

    assert attacked(tmp_path, flip, CUSTOM).startswith(
        f"the generator's check value must be {CUSTOM.check_value}, not "
    )
    wrong_size = part("generator", np.zeros(3, np.uint8))
    assert attacked(tmp_path, wrong_size, CUSTOM) == "the part generator must have 10 bytes, not 3"
    assert attacked(tmp_path, setting("code", "family=custom,n_in=x,n_out=10,n_s=1"), CUSTOM)
