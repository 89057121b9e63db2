from __future__ import annotations

import base64
import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.files.stored_examples import (
    KINDS,
    SHORT,
    assert_same,
    packed_example,
    prefix_example,
    raw_example,
)
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.files.blob import check_stored, read_blob, side_bits, write_blob
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back(kind: str) -> None:
    tensor = KINDS[kind]()
    blob = write_blob(tensor)
    assert write_blob(KINDS[kind]()) == blob  # made twice, the same bytes
    check_stored(blob)
    back = read_blob(blob)
    assert_same(back, tensor)
    assert write_blob(back) == blob  # and from packed parts too


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(FORMATS)),
    st.lists(st.integers(0, 7), min_size=1, max_size=3),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from(["auto", "paper", "joint", "plane", "bounded:10"]),
    st.sampled_from(["none", "difference", "sign-magnitude", "auto"]),
    st.booleans(),
    st.none() | st.integers(1, 5),
    st.integers(0, 10**6),
)
def test_raw_planes_come_back(
    name: str,
    shape: list[int],
    density: float,
    corrections: str,
    transform: str,
    drop: bool,
    segment: int | None,
    seed: int,
) -> None:
    form, n = FORMATS[name], math.prod(shape)
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << form.n_w, shape, np.uint64).astype(form.word)
    mask = rng.random(shape) < density
    strides = [s for s in range(1, max(2, n)) if math.gcd(s, n) == 1] or [1]
    scan = Interleaver(n, strides[seed % len(strides)], seed % n if n > 1 else 0)
    tensor = encode_tensor(
        form.from_words(words), form, SHORT, mask=mask, scan=scan, transform=transform, drop_planes=drop,
        options=EncodeOptions(encoder="elimination", corrections=corrections, segment_blocks=segment),
    )  # fmt: skip
    blob = write_blob(tensor)
    back = read_blob(blob)
    assert_same(back, tensor)
    assert np.array_equal(form.to_words(decode_tensor(back)), np.where(mask, words, 0))


@settings(max_examples=15)
@given(
    st.sampled_from(["int4", "int8", "fp16", "fp32"]),
    st.booleans(),
    st.integers(30, 400),
    st.sampled_from([0.1, 0.3]),
    st.integers(1, 4),
    st.integers(0, 100),
)
def test_books_and_shaped_masks_come_back(
    name: str, shaped: bool, n: int, density: float, period: int, seed: int
) -> None:
    tensor = prefix_example(name, shaped=shaped, n=n, density=density, period=period, seed=seed)
    blob = write_blob(tensor)
    assert_same(read_blob(blob), tensor)


def test_every_bit_is_counted_once() -> None:
    """Counted by hand from docs/format.md for the plainest tensor."""
    tensor = raw_example()
    # version, kinds, shape, n_out, a code in full, gap, length of the patches, checksum
    header = 1 + 2 + (1 + 1 + 1) + 1 + (1 + 1 + 1 + 2) + 1 + 1 + 4
    mask, payload, patches = 66, 7 * 4 * 8, 2 * (6 + 8)
    parts = -(-mask // 8) + payload // 8 + -(-patches // 8)
    blob = write_blob(tensor)
    assert len(blob) == header + parts + 4
    assert side_bits(tensor, blob) == 8 * len(blob) - mask - payload - patches


def sealed(blob: bytearray) -> bytes:
    """The bytes with a checksum that is right again, as an attacker would make them."""
    return bytes(blob[:-4]) + zlib.crc32(blob[:-4]).to_bytes(4, "little")


@pytest.mark.parametrize("kind", KINDS)
def test_sealed_lies_are_read_or_refused_in_one_line(kind: str) -> None:
    """Every byte of the header set to hostile values, the checksum made right: no other error, no long work."""
    blob = write_blob(KINDS[kind]())
    outcomes = {"read": 0, "refused": 0}
    for at in range(len(blob) - 4):
        for value in (0, 1, 2, 127, 128, 255, blob[at] ^ 1):
            lie = bytearray(blob)
            lie[at] = value
            try:
                tensor = read_blob(sealed(lie))
                assert tensor.n <= 1 << 20 and tensor.blocks <= 1 << 20
                decode_tensor(tensor)
                outcomes["read"] += 1
            except InputError as error:
                assert "\n" not in str(error) and len(str(error)) < 300
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_cut_short_or_too_many_are_refused(kind: str) -> None:
    blob = write_blob(KINDS[kind]())
    for length in range(len(blob)):
        with pytest.raises(InputError):
            read_blob(blob[:length])
    with pytest.raises(InputError, match="longer than its header says"):
        read_blob(blob + b"\0")


def test_another_version_is_refused() -> None:
    blob = bytearray(write_blob(raw_example()))
    blob[0] = 4
    with pytest.raises(InputError, match=r"^the stored tensor must have version 2 or 3, not 4$"):
        read_blob(bytes(blob))


VERSION_2 = json.loads(Path(__file__).with_name("version_2_blobs.json").read_text())


@pytest.mark.parametrize("kind", VERSION_2)
def test_version_2_is_read_bit_for_bit(kind: str) -> None:
    """Written by a release that wrote version 2; what is in them is made again, and written in fewer bytes."""
    old = base64.b64decode(VERSION_2[kind])
    assert old[0] == 2
    check_stored(old)
    tensor = read_blob(old)
    assert_same(tensor, KINDS[kind]())
    new = write_blob(tensor)
    assert new == write_blob(KINDS[kind]()) and len(new) < len(old)


@pytest.mark.parametrize("kind", VERSION_2)
def test_version_2_that_lies_is_read_or_refused_in_one_line(kind: str) -> None:
    blob = base64.b64decode(VERSION_2[kind])
    for at in range(len(blob) - 4):
        for value in (0, 127, 255, blob[at] ^ 1):
            lie = bytearray(blob)
            lie[at] = value
            try:
                decode_tensor(read_blob(sealed(lie)))
            except InputError as error:
                assert "\n" not in str(error) and len(str(error)) < 300


def test_packed_words_take_what_they_are_said_to() -> None:
    """n + kept * n_w bits, and what any file needs: what it is, the shape, a checksum."""
    for name, density in (("int8", 0.3), ("fp32", 0.3), ("int8", 1.0)):
        tensor = packed_example(name, density)
        kept = int(np.count_nonzero(FORMATS[name].to_words(decode_tensor(tensor))))
        n_w = FORMATS[name].n_w
        bitmap = 66 if density < 1 else 0
        assert len(write_blob(tensor)) == 3 + 3 + -(-bitmap // 8) + kept * n_w // 8 + 4
