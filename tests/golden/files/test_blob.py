from __future__ import annotations

import base64
import dataclasses
import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.files.stored_examples import (
    BOOKS,
    FROZEN,
    KINDS,
    SHORT,
    assert_same,
    book_example,
    packed_example,
    prefix_example,
    raw_example,
    small_words,
)
from xorweave.golden.base.byte_fields import ByteWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.files.blob import check_stored, read_blob, side_bits, write_blob
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.decode import checksum_of, decode_scan, decode_tensor
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


@pytest.mark.parametrize("corrections", ["joint", "plane", "paper"])
@pytest.mark.parametrize("period", [None, 1, 3])
@pytest.mark.parametrize("scan", ["row-major", "affine"])
@pytest.mark.parametrize("values", ["raw", "prefix"])
@pytest.mark.parametrize("book", BOOKS)
def test_masks_through_books_come_back(
    book: str, values: str, scan: str, period: int | None, corrections: str
) -> None:
    tensor = book_example(
        book,
        values=values,
        scan=scan,
        period=period,
        corrections=corrections,
        n=300,
        all_usual=period is None,
    )
    blob = write_blob(tensor)
    back = read_blob(blob)
    assert_same(back, tensor)
    assert write_blob(back) == blob
    form = tensor.number_format
    truth = small_words(form.name, 300, 0.7 if BOOKS[book].inverted else 0.2, 5)
    assert np.array_equal(form.to_words(decode_tensor(back)), truth)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 63, 64, 65])
@pytest.mark.parametrize("book", BOOKS)
def test_masks_through_books_of_any_length(book: str, n: int) -> None:
    tensor = book_example(book, values="raw", scan="row-major", n=n)
    back = read_blob(write_blob(tensor))
    assert_same(back, tensor)
    density = 0.7 if BOOKS[book].inverted else 0.2
    assert np.array_equal(FORMATS["int8"].to_words(decode_tensor(back)), small_words("int8", n, density, 5))


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


def of_a_book(
    m: int,
    *counts: int,
    n_out: int = 12,
    depth: int | None = None,
    inverted: int = 0,
    codes: tuple = (0, 3, 1),
) -> bytes:
    """A tensor of 24 INT8 weights in raw planes whose header says this of its mask, sealed; its codes as bytes."""
    head = ByteWriter()
    for byte in (3, 1 | 2 << 3, 0, 1, 24):
        head.byte(byte)
    head.varint(n_out)
    for number in (0, 2 * m + inverted, len(counts) if depth is None else depth, *counts):
        head.varint(number)
    head.data += bytes(codes)
    return sealed(head.data + bytes(200))


def test_a_small_book_is_read_by_hand() -> None:
    """As docs/format.md has it: 2 blocks of 6 patterns, a code for the second group and one for the values."""
    data = of_a_book(2, 1, 1, 2, codes=(0, 3, 1, 3, 1, 3, 1))
    body = 4 + 2 + 1 + 1 + 8 * (2 * 3) // 8  # checksum; groups of 1, 1 and 1 planes at whole bytes; symbols
    size = 5 + 1 + 3 + 3 + 7 + body
    tensor = read_blob(sealed(bytearray(data[:size] + bytes(4))))
    assert tensor.mask_coder.kind == "book" and tensor.mask_coder.book == BOOKS["every pattern"]
    sizes = [(group.first, group.end, group.code.n_in) for group in tensor.mask_coder.groups]
    assert sizes == [(0, 1, 6), (1, 2, 3), (2, 3, 3)]
    assert not tensor.mask_coder.decode().any()


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            of_a_book(1, 1, 1),
            "a pattern book must have patterns of 2 to 16 bits and codewords of 1 to 15, not 1 and 2",
        ),
        (
            of_a_book(2),
            "a pattern book must have patterns of 2 to 16 bits and codewords of 1 to 15, not 2 and 0",
        ),
        (of_a_book(17, 1, 2), r"a number of the header must be at most 33, in its shortest form, not 34"),
        (
            of_a_book(2, *[1] * 15, 2),
            r"a number of the header must be at most 15, in its shortest form, not 16",
        ),
        (of_a_book(2, 2, 0), "the codewords of each length must be counted up to the longest"),
        (of_a_book(2, 1, 1, 1), "the codewords of a pattern book must be a complete prefix code"),
        (of_a_book(2, 1, 3), "the codewords of a pattern book must be a complete prefix code"),
        (of_a_book(2, 0, 0, 8), "a pattern book must have at most 4 codewords, not 8"),
        (of_a_book(12, *[0] * 9, 1024), "a pattern book must have at most 512 codewords, not 1024"),
        (
            of_a_book(12, 65537),
            r"a number of the header must be at most 65536, in its shortest form, not 65537",
        ),
        (
            of_a_book(5, 2),
            "the weights of a block must be a multiple of the 5 of a pattern, and at most 1024 patterns, not 12",
        ),
        (
            of_a_book(2, 2, n_out=2050),
            "the weights of a block must be a multiple of the 2 of a pattern, and at most 1024 patterns, not 2050",
        ),
        (of_a_book(2, 1, 1, 2, codes=(0, 3, 1, 0, 1, 3, 1)), "a code must have at least one bit a symbol"),
        (
            of_a_book(2, 1, 1, 2, codes=(0, 3, 1, 1, 0, 3, 1)),
            "start must be between 2 and 1 with runs of 1, not 2",
        ),
        (
            of_a_book(2, 1, 1, 2, codes=(0, 3, 255, 15, 3, 1, 3, 1)),
            r"the constraint length .* must be at most 4096, not 6144",
        ),
        (
            sealed(bytearray(of_a_book(2, 1, 1, 2, codes=(0, 3, 1, 3, 1, 3, 1))[:-187])),
            r"the stored tensor must hold \d+ bytes of symbols, but ends before",
        ),
        (
            sealed(bytearray(of_a_book(2, 1, 1, 2, codes=(0, 3, 1, 3, 1, 3, 1))[:-192])),
            r"the stored tensor must hold \d+ bytes of mask, but ends before",
        ),
    ],
)
def test_a_book_that_lies_is_refused_in_one_line(said: bytes, line: str) -> None:
    with pytest.raises(InputError, match=f"^{line}$"):
        read_blob(said)


def test_the_codes_of_a_book_are_not_custom() -> None:
    said = bytearray(of_a_book(2, 1, 1, 2, codes=(0, 3, 1, 0, 3, 1, 0, 3, 1)))
    said[2] = 1 << 6  # in full
    with pytest.raises(InputError, match=r"^the codes of a mask's book must not be custom$"):
        read_blob(sealed(said))


def test_a_book_in_a_header_of_version_2_is_refused() -> None:
    """Its codes have no place there."""
    head = header(24, n_out=12)[:-40]
    numbers = bytes([2, 2, 0, 4, 2, 1, 2, 0, 0, 0, 0])
    with pytest.raises(InputError, match=r"^a mask's book must come in a header of version 3$"):
        read_blob(sealed(bytearray(head + numbers + bytes(80))))


def header(*shape: int, scan: bytes = b"\0", n_out: int = 8) -> bytes:
    """The first bytes of a stored tensor, sealed: all that is looked at before what follows."""
    head = ByteWriter()
    head.byte(2)
    head.text("int8")
    for number in (len(shape), *shape):
        head.varint(number)
    head.data += scan
    head.varint(n_out)
    return sealed(head.data + bytes(40))


def test_the_largest_tensor_has_2_to_the_40_weights() -> None:
    with pytest.raises(
        InputError, match=r"^the stored tensor must have at most 2\^40 weights, not the shape"
    ):
        read_blob(header(1 << 20, (1 << 20) + 1))
    with pytest.raises(
        InputError, match=r"^a tensor of 1099511627776 scan positions must not come with \d+ bytes$"
    ):
        read_blob(header(1 << 20, 1 << 20))


@pytest.mark.parametrize(("lanes", "fits"), [(0, False), (1, True), (16384, True), (16385, False)])
def test_lanes_are_at_most_the_outputs_of_a_block(lanes: int, fits: bool) -> None:
    head = ByteWriter()
    head.byte(2)  # lanes
    for number in (lanes, 1, 0, 0):
        head.varint(number)
    said = "the lanes of a scan must be those of a matrix, and its lead a window at most"
    with pytest.raises(InputError) as caught:
        read_blob(header(16384, 2, scan=bytes(head.data)))
    assert (str(caught.value) != said) == fits


@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_that_never_was_in_a_file_gets_its_checksums(kind: str) -> None:
    tensor = KINDS[kind]()
    bare = dataclasses.replace(tensor, checksum=None, segment_checksums=())
    assert write_blob(bare) == write_blob(tensor)
    if kind.startswith("packed"):  # the checksum of the bytes is that of the words
        return
    # what a tensor brings with it is kept: were it made anew, damage would go unseen
    kept = dataclasses.replace(tensor, checksum=(tensor.checksum or 0) ^ 1)
    assert read_blob(write_blob(kept)).checksum == kept.checksum


VERSION_2 = json.loads(Path(__file__).with_name("version_2_blobs.json").read_text())


@pytest.mark.parametrize("kind", VERSION_2)
def test_version_2_is_read_bit_for_bit(kind: str) -> None:
    """Written by a release that wrote version 2; what is in them is made again, and written in fewer bytes."""
    old = base64.b64decode(VERSION_2[kind])
    assert old[0] == 2
    check_stored(old)
    tensor, made = read_blob(old), KINDS[kind]()
    assert np.array_equal(decode_tensor(tensor), decode_tensor(made))
    if tensor.values.kind == "raw":  # books and their codes are chosen otherwise by now
        assert_same(tensor, made)
    new = write_blob(tensor)
    assert len(new) < len(old)
    assert_same(read_blob(new), tensor)


VERSION_3 = json.loads(Path(__file__).with_name("version_3_blobs.json").read_text())


@pytest.mark.parametrize("kind", VERSION_3)
def test_version_3_is_read_and_written_bit_for_bit(kind: str) -> None:
    """Written when books of masks came in: what is in them is made again, though books and codes may be others."""
    old = base64.b64decode(VERSION_3[kind])
    assert old[0] == 3
    check_stored(old)
    tensor, made = read_blob(old), FROZEN[kind]()
    words = decode_scan(tensor)
    assert np.array_equal(words, decode_scan(made))
    if tensor.checksum is not None:
        assert checksum_of(tensor.scan.from_scan(words)) == tensor.checksum
    assert write_blob(tensor) == old
    assert (made.mask_coder.kind, made.values.kind) == (tensor.mask_coder.kind, tensor.values.kind)
    if tensor.values.kind == "raw" and tensor.mask_coder.kind != "shaped":
        assert write_blob(made) == old


def test_every_kind_is_frozen() -> None:
    assert list(VERSION_3) == list(FROZEN)


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
