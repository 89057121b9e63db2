from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.files.stored_examples import CUSTOM, KINDS, assert_same, prefix_example, raw_example
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.files.blob import write_blob
from xorweave.golden.files.container import Container, OpenContainer, read_container, write_container
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor

PLAIN = {"bias": Tensor(np.array([0x3F80], np.uint16), "BF16"), "": Tensor.of(np.zeros((0, 3)))}


def example() -> Container:
    """Two tensors, two carried ones, metadata of every sort."""
    return Container(
        {"w/é": raw_example(), "v": prefix_example(n=300)},
        PLAIN,
        {"seed": "3"},
        {"format": "pt", "ünï": "☃"},
        {"v": "bias"},
    )


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(tmp_path: Path, kind: str) -> None:
    encoded = KINDS[kind]()
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"w": encoded}))
    back = read_container(path)
    assert_same(back.encoded["w"], encoded)
    back.verify("w")
    form = encoded.number_format
    assert np.array_equal(form.to_words(back.decode("w")), form.to_words(decode_tensor(encoded)))
    assert back.figures("w") == Container({"w": encoded}).figures("w")
    assert back.side_bits("w") > 0


def test_what_lies_beside_the_encoded_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    written = example()
    write_container(path, written)
    back = read_container(path)
    assert set(back.encoded) == {"w/é", "v"}
    assert (back.info, back.metadata, back.scales) == (written.info, written.metadata, written.scales)
    assert {key: tensor.dtype for key, tensor in back.plain.items()} == {"bias": "BF16", "": "F64"}
    assert back.plain["bias"].values.tolist() == [0x3F80] and back.plain[""].values.shape == (0, 3)


def test_every_type_is_carried(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    held = {"F4": "u1", "F8_E4M3": "u1", "F8_E5M2": "u1", "F8_E8M0": "u1", "BF16": "u2", "BOOL": "?", "C64": "c8",
            "F64": "f8", "I64": "i8", "U16": "u2", "I8": "i1"}  # fmt: skip
    plain = {kind: Tensor(rng.integers(0, 2, (3, 5)).astype(numpy), kind) for kind, numpy in held.items()}
    path = tmp_path / "x.safetensors"
    write_container(path, Container({}, plain))
    back = read_container(path).plain
    for kind, tensor in plain.items():
        assert back[kind].dtype == kind and np.array_equal(back[kind].values, tensor.values)


def test_an_encoded_tensor_is_an_ordinary_row_of_bytes(tmp_path: Path) -> None:
    """A reader that knows safetensors and zlib alone finds the parts, and their checksums."""
    path = tmp_path / "x.safetensors"
    write_container(path, example())
    tensors, metadata = read_safetensors(path)
    blob = tensors["xorweave/w/é"].values.tobytes()
    assert zlib.crc32(blob[:-4]) == int.from_bytes(blob[-4:], "little")
    head = json.loads(metadata["xorweave"])
    assert head["version"] == 2 and head["plain"] == f"{0:08x}{zlib.crc32(bytes([0x80, 0x3F])):08x}"
    assert metadata["format"] == "pt"


def test_two_writes_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_container(tmp_path / f"{name}.safetensors", example())
    whole = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("a", "b", "c")]
    assert whole[0] == whole[1] == whole[2]


@pytest.mark.parametrize("name", ["xorweave/x", "w"])
def test_names_that_are_taken_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        write_container(
            tmp_path / "x.safetensors", Container({"w": raw_example()}, {name: Tensor.of(np.zeros(1))})
        )
    assert str(caught.value) == f"a tensor may not be named {name!r} in a container"
    assert not list(tmp_path.iterdir())


def test_names_that_look_like_ours_do_not_collide(tmp_path: Path) -> None:
    encoded = raw_example()
    names = ["w", "w/mask", "xorweave/w", "symbols", "xorweave/xorweave/w", "", "__metadata__"]
    write_container(tmp_path / "x.safetensors", Container(dict.fromkeys(names, encoded)))
    back = read_container(tmp_path / "x.safetensors").encoded
    assert sorted(back) == sorted(names)
    for name in names:
        assert_same(back[name], encoded)


def refused(path: Path) -> str:
    """Open, verify and decode everything; return the line with which that ends."""
    with pytest.raises(InputError) as caught:
        verify_all(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    return message


def verify_all(path: Path) -> Container:
    container = read_container(path)
    for name in container.encoded:
        container.verify(name)
    for name in container.plain:
        container.plain[name]
    return container


@pytest.mark.parametrize("kind", [*KINDS, "two tensors, carried, metadata"])
def test_every_flipped_bit_is_seen(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.safetensors"
    container = (
        example() if kind not in KINDS else Container({"w": KINDS[kind]()}, PLAIN, {"seed": "1"}, {"k": "v"})
    )
    write_container(path, container)
    verify_all(path)
    whole = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(whole[:8], "little")
    places = {
        f"xorweave/{name}": name for name in container.encoded
    }  # where a bit lies says what must be named
    header = json.loads(whole[8:start])
    # the header's bits are all of one kind: the largest example has every sort of them
    for at in range(0 if kind not in KINDS else start, len(whole)):
        owner = next(
            (
                name
                for name, entry in header.items()
                if name != "__metadata__"
                and entry["data_offsets"][0] <= at - start < entry["data_offsets"][1]
            ),
            None,
        )
        for bit in range(8):
            whole[at] ^= 1 << bit
            path.write_bytes(whole)
            message = refused(path)
            assert message.startswith(str(path)), (at, bit, message)
            # the last four bytes of a stored tensor are part of the directory's checksum too
            if owner is not None and at - start < header[owner]["data_offsets"][1] - 4:
                assert f"tensor {places.get(owner, owner)}" in message, (at, bit, message)
            whole[at] ^= 1 << bit


def test_files_cut_short_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_container(path, example())
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert refused(path).startswith(f"{path} must be a whole safetensors file: ")


def test_two_tensors_that_change_places_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    values = np.arange(60, dtype=np.int8).reshape(6, 10)
    a, b = (
        encode_tensor(
            v, FORMATS["int8"], CUSTOM, options=EncodeOptions(encoder="elimination", corrections="paper")
        )
        for v in (values, values)
    )
    b = replace(b, scan=Interleaver(60, 7, 1))  # other values, in as many bytes
    a = replace(a, scan=Interleaver(60, 7, 2))
    assert len(write_blob(a)) == len(write_blob(b))
    write_container(path, Container({"a": a, "b": b}))
    tensors, metadata = read_safetensors(path)
    one, other = tensors["xorweave/a"], tensors["xorweave/b"]
    assert one.values.size == other.values.size
    write_safetensors(path, {"xorweave/a": other, "xorweave/b": one}, metadata)
    assert refused(path) == f"{path} is damaged: the checksum of its metadata is another"


Head = dict[str, Any]


def changed(tmp_path: Path, change: Callable[[Head, dict[str, Tensor], dict[str, str]], object]) -> str:
    """Change a container and return the line that reading it ends with."""
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"w": raw_example()}, PLAIN))
    tensors, metadata = read_safetensors(path)
    head = json.loads(metadata["xorweave"])
    text = change(head, tensors, metadata)
    metadata["xorweave"] = text if isinstance(text, str) else json.dumps(head)
    write_safetensors(path, tensors, metadata)
    return refused(path).removeprefix(str(path))


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_safetensors(path, {"a": Tensor.of(np.zeros(3))}, {"format": "pt"})
    assert refused(path) == f"{path} must be a file written by 'xorweave encode': it has no xorweave metadata"


@pytest.mark.parametrize(
    "text", ["", "hello", "[]", "3", "null", "{}", "[" * 100_000, '{"a":' * 100_000, "1" * 5000], ids=range(9)
)
def test_metadata_that_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    assert changed(tmp_path, lambda *_: text) == " has xorweave metadata that cannot be read"


@pytest.mark.parametrize("version", [0, 3, 99, "2", True, None, [2], 2.5])
def test_other_versions_are_refused(tmp_path: Path, version: object) -> None:
    assert changed(tmp_path, lambda head, *_: head.update(version=version)) == (
        f" has container version {version!r}, but this release reads versions 1 and 2"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda head, tensors, metadata: head.pop("plain") and None,
        lambda head, tensors, metadata: head.update(scales={"w": "bias"}),
        lambda head, tensors, metadata: metadata.update({"more": "text"}),
        lambda head, tensors, metadata: metadata.pop("xorweave.crc") and None,
        lambda head, tensors, metadata: tensors.pop("bias"),
        lambda head, tensors, metadata: tensors.pop("xorweave/w"),
        lambda head, tensors, metadata: tensors.update({"new": Tensor.of(np.zeros(1))}),
    ],
    ids=range(7),
)
def test_what_is_added_or_taken_away_is_seen(tmp_path: Path, change: Callable) -> None:
    assert changed(tmp_path, change) == " is damaged: the checksum of its metadata is another"


class _Forgetful(dict):
    """Lets `write_container` write what it refuses: it does not know its own names."""

    def __contains__(self, _name: object) -> bool:
        return False


def test_a_name_that_is_encoded_and_carried_is_refused(tmp_path: Path) -> None:
    """What is decoded has room for one of them; the other would vanish without a word."""
    path = tmp_path / "x.safetensors"
    write_container(path, Container(_Forgetful(w=raw_example()), {"w": PLAIN["bias"], "b": PLAIN["bias"]}))
    with pytest.raises(
        InputError, match=r"x\.safetensors: the tensor w must be encoded or carried, not both$"
    ):
        read_container(path)


def test_a_tensor_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    """A damaged tensor keeps no other from being read."""
    path = tmp_path / "x.safetensors"
    write_container(path, Container({"a": raw_example(), "b": raw_example()}, PLAIN))
    whole = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(whole[:8], "little")
    first, _end = json.loads(whole[8:start])["xorweave/b"]["data_offsets"]
    whole[start + first + 40] ^= 1
    path.write_bytes(whole)
    container = read_container(path)
    assert isinstance(container, OpenContainer)
    container.verify("a")
    with pytest.raises(InputError, match=r": tensor b: the stored tensor is damaged"):
        container.decode("b")
