from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, number_format
from xorweave.golden.code.code import Code
from xorweave.golden.files.container import Container, read_container, write_container
from xorweave.golden.files.safetensors_file import Tensor, read_safetensors, write_safetensors
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import tensor_record
from xorweave.golden.tensor.stored import EncodedTensor

SHORT = Code.uniform(n_in=4, n_out=10, n_s=1, seed=3)
CUSTOM = Code(n_in=4, n_out=10, n_s=1, generator=SHORT.generator[::-1])


def encoded_example(name: str = "int8", code: Code = SHORT, **options: Any) -> EncodedTensor:
    fmt = number_format(name)
    rng = np.random.default_rng(1)
    words = rng.integers(0, 1 << fmt.n_w, (6, 11), np.uint64).astype(fmt.word)
    return encode_tensor(
        fmt.from_words(words),
        fmt,
        code,
        mask=rng.random((6, 11)) < 0.4,
        **options,
        options=EncodeOptions(encoder="elimination"),
    )


def assert_equal(a: EncodedTensor, b: EncodedTensor) -> None:
    for name in a.__dataclass_fields__:
        left, right = getattr(a, name), getattr(b, name)
        if name == "patches":
            assert np.array_equal(left.positions, right.positions)
            assert np.array_equal(left.differences, right.differences)
            assert left.differences.dtype == right.differences.dtype
        elif name == "seconds":
            assert left == pytest.approx(right, abs=1e-6)
        elif isinstance(left, np.ndarray):
            assert left.dtype == right.dtype and np.array_equal(left, right), name
        else:
            assert left == right, name


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize("code", [SHORT, CUSTOM])
@pytest.mark.parametrize("corrections", ["paper", "joint", "plane"])
def test_there_and_back(tmp_path: Path, name: str, code: Code, corrections: str) -> None:
    encoded = encoded_example(
        name, code, corrections=corrections, interleaver=Interleaver(66, 41, 7), segment_blocks=3
    )
    assert encoded.patches.positions.size > 0
    plain = {"bias": Tensor(np.array([0x3F80], np.uint16), "BF16"), "": Tensor.of(np.zeros((0, 3)))}
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"w/\u00e9": encoded}, plain, {"seed": "3"}))
    back = read_container(path)
    assert list(back.encoded) == ["w/\u00e9"] and back.info == {"seed": "3"}
    assert_equal(back.encoded["w/\u00e9"], encoded)
    assert {key: tensor.dtype for key, tensor in back.plain.items()} == {"bias": "BF16", "": "F64"}
    fmt = encoded.number_format
    assert np.array_equal(
        fmt.to_words(decode_tensor(back.encoded["w/\u00e9"])), fmt.to_words(decode_tensor(encoded))
    )


@pytest.mark.parametrize("transform", ["none", "difference", "sign-magnitude"])
def test_planes_left_out_are_put_back(tmp_path: Path, transform: str) -> None:
    values = np.random.default_rng(2).integers(-4, 4, (9, 14)).astype(np.int8)
    encoded = encode_tensor(values, number_format("int8"), SHORT, transform=transform, drop_planes=True)
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"w": encoded}))
    assert_equal(read_container(path).encoded["w"], encoded)
    assert np.array_equal(decode_tensor(read_container(path).encoded["w"]), values)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (3, 0, 2), (), (1,)])
def test_empty_and_scalar_tensors(tmp_path: Path, shape: tuple[int, ...]) -> None:
    encoded = encode_tensor(np.full(shape, 3, np.int8), number_format("int8"), SHORT)
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"w": encoded}))
    back = decode_tensor(read_container(path).encoded["w"])
    assert back.shape == shape and (back == 3).all()


def test_the_stored_bits_are_those_that_are_counted(tmp_path: Path) -> None:
    for name in ("int4", "int8", "fp32"):
        encoded = encoded_example(name)
        path = tmp_path / "x.safetensors"
        write_container(path, Container({"w": encoded}))
        tensors, _metadata = read_safetensors(path)
        record = tensor_record("w", encoded)
        for part, key in (
            ("symbols", "payload_bits"),
            ("mask", "mask_bits"),
            ("corrections", "correction_bits"),
        ):
            assert tensors[f"xorweave/w/{part}"].values.nbytes == math.ceil(int(record[key]) / 8)  # type: ignore[call-overload]


def test_two_writes_give_the_same_bytes(tmp_path: Path) -> None:
    encoded = encoded_example()
    for name in ("a", "b"):
        write_container(tmp_path / f"{name}.safetensors", Container({"w": encoded}))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["xorweave/x", "w"])
def test_names_that_are_taken_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        write_container(
            tmp_path / "x.safetensors", Container({"w": encoded_example()}, {name: Tensor.of(np.zeros(1))})
        )
    assert str(caught.value) == f"a tensor may not be named {name!r} in a container"
    assert not list(tmp_path.iterdir())


def test_names_that_look_like_parts_do_not_collide(tmp_path: Path) -> None:
    encoded = encoded_example()
    names = ["w", "w/mask", "xorweave/w", "symbols", "w/mask/symbols"]
    write_container(tmp_path / "x.safetensors", Container(dict.fromkeys(names, encoded)))
    back = read_container(tmp_path / "x.safetensors").encoded
    assert sorted(back) == sorted(names)
    for name in names:
        assert_equal(back[name], encoded)


# --- attacks

Head = dict[str, Any]
Tensors = dict[str, Tensor]


def attacked(tmp_path: Path, change: Callable[[Head, Tensors], object], code: Code = SHORT) -> str:
    """Write a container, change it, and return the message that reading it ends with."""
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"w": encoded_example(code=code)}))
    tensors, metadata = read_safetensors(path)
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


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": Tensor.of(np.zeros(3))}, {"format": "pt"})
    with pytest.raises(InputError) as caught:
        read_container(path)
    assert str(caught.value) == (
        f"{path} must be a file written by 'xorweave encode': it has no xorweave metadata"
    )


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

    assert attacked(tmp_path, change) == " has container version 99, but this release reads version 1"


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
        ("code", "n_in=4,n_out=1000000000,n_s=1", "n_out must be between 1 and 16384, not 1000000000"),
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
        ("seconds", "fast", "seconds must be a number, not 'fast'"),
        ("seconds", float("nan"), "seconds must be a number, not nan"),
        ("seconds", float("inf"), "seconds must be a number, not inf"),
        ("seconds", 10**400, None),
        ("seconds", None, "seconds must be a number, not None"),
    ],
)
def test_fields_that_lie_are_refused(tmp_path: Path, key: str, value: object, message: str | None) -> None:
    text = attacked(tmp_path, setting(key, value))
    if message is None:
        assert text.startswith(f"{key} must be ")
    else:
        assert text == message


@pytest.mark.parametrize("key", ["shape", "stride", "seconds", "code"])
def test_missing_fields_are_refused(tmp_path: Path, key: str) -> None:
    def change(head: Head, _tensors: Tensors) -> None:
        del head["tensors"]["w"][key]

    assert attacked(tmp_path, change).startswith(f"{key} must be ")


@pytest.mark.parametrize("shape", [[1 << 40, 0], [1 << 70, 0], [0, 1 << 63], [1] * 70])
def test_shapes_that_no_array_can_have_are_refused(tmp_path: Path, shape: list[int]) -> None:
    encoded = encode_tensor(np.full((math.prod(shape),), 3, np.int8), number_format("int8"), SHORT)
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"w": encoded}))
    tensors, metadata = read_safetensors(path)
    head = json.loads(metadata["xorweave"])
    head["tensors"]["w"]["shape"] = shape
    write_safetensors(path, tensors, {"xorweave": json.dumps(head)})
    try:
        back = decode_tensor(read_container(path).encoded["w"])
    except InputError as error:
        assert (
            str(error)
            == f"{path}: tensor w: shape must be one that an array can have, not {repr(shape)[:60]}"
        )
    else:
        assert back.shape == tuple(shape)


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


@pytest.mark.parametrize("corrections", ["joint", "bounded:9"])
def test_flipped_bytes_and_cut_files_give_a_result_or_one_line(tmp_path: Path, corrections: str) -> None:
    path = tmp_path / "x.safetensors"
    encoded = encoded_example(code=CUSTOM, corrections=corrections)
    write_container(path, Container({"w": encoded}, {"bias": Tensor.of(np.zeros(2))}, {"seed": "1"}))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    outcomes = {"read": 0, "refused": 0}
    cuts = rng.integers(0, len(whole), 40).tolist()
    for at in [*range(len(whole)), *cuts]:
        damaged = bytearray(whole)
        if outcomes["read"] + outcomes["refused"] < len(whole):
            damaged[at] ^= 1 << int(rng.integers(0, 8))
        else:
            damaged = damaged[:at]
        path.write_bytes(damaged)
        try:
            for name, tensor in read_container(path).encoded.items():
                decoded = decode_tensor(tensor)
                assert decoded.size <= 10_000
                json.dumps(tensor_record(name, tensor), allow_nan=False)
            outcomes["read"] += 1
        except InputError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0
