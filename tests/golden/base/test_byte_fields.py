from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.byte_fields import ByteReader, ByteWriter
from xorweave.golden.base.errors import InputError


@given(st.lists(st.integers(0, (1 << 63) - 1)))
def test_numbers_come_back(numbers: list[int]) -> None:
    writer = ByteWriter()
    for number in numbers:
        writer.varint(number)
    reader = ByteReader(bytes(writer.data))
    assert [reader.varint() for _ in numbers] == numbers
    assert reader.position == len(writer.data)


@pytest.mark.parametrize(
    ("number", "data"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (624485, "e58e26")]
)
def test_numbers_are_leb128(number: int, data: str) -> None:
    """Known values: those of the DWARF standard and of Protocol Buffers."""
    writer = ByteWriter()
    writer.varint(number)
    assert writer.data.hex() == data
    assert ByteReader(bytes.fromhex(data)).varint() == number


def test_texts_words_and_bytes() -> None:
    writer = ByteWriter()
    writer.text("wörter")
    writer.words([0xDEADBEEF, 1])
    writer.byte(7)
    assert bytes(writer.data) == b"\x07w\xc3\xb6rter\xef\xbe\xad\xde\x01\0\0\0\x07"
    reader = ByteReader(memoryview(writer.data))
    assert (reader.text(), reader.words(2), reader.byte()) == ("wörter", (0xDEADBEEF, 1), 7)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "ends before its header does"),
        ("80", "ends before its header does"),
        ("8000", "in its shortest form"),
        ("ff" * 9 + "7f", "longer than 63 bits|at most"),
        ("80" * 9 + "01", f"must be at most {(1 << 63) - 1}, in its shortest form, not {1 << 63}$"),
        ("80" * 12 + "01", "longer than 63 bits"),
    ],
)
def test_numbers_that_are_none_are_refused(data: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ByteReader(bytes.fromhex(data)).varint()


def test_numbers_and_texts_too_large_are_refused() -> None:
    with pytest.raises(InputError, match=r"at most 5, in its shortest form, not 6"):
        ByteReader(b"\x06").varint(5)
    with pytest.raises(InputError, match=r"at most 2"):
        ByteReader(b"\x03abc").text(2)
    with pytest.raises(InputError, match=r"must be UTF-8"):
        ByteReader(b"\x01\xff").text()
    with pytest.raises(InputError, match=r"ends before"):
        ByteReader(b"\x05ab").text()
    with pytest.raises(InputError, match=r"ends before"):
        ByteReader(b"abc").words(1)
