"""Numbers in bytes: unsigned LEB128 ("varint") and what is built from it, for headers that any language can read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xorweave.golden.base.errors import InputError


class ByteWriter:
    """Appends numbers and texts to bytes."""

    def __init__(self) -> None:
        self.data = bytearray()

    def byte(self, value: int) -> None:
        """Append one byte."""
        self.data.append(value)

    def varint(self, value: int) -> None:
        """Append a number of any size: seven bits a byte, lowest first, the top bit set where another byte follows."""
        while value > 127:
            self.data.append(value & 127 | 128)
            value >>= 7
        self.data.append(value)

    def text(self, value: str) -> None:
        """Append a text: its bytes of UTF-8 counted, then they themselves."""
        encoded = value.encode()
        self.varint(len(encoded))
        self.data += encoded

    def words(self, values: Sequence[int]) -> None:
        """Append 32 bits for each value, lowest byte first."""
        self.data += np.asarray(values, "<u4").tobytes()


class ByteReader:
    """Reads what `ByteWriter` wrote.

    Raises
    ------
    InputError
        From every method, when the bytes end before the number does, or it is larger than allowed.
    """

    def __init__(self, data: bytes | memoryview, position: int = 0) -> None:
        self._data = data
        self.position = position

    def bytes(self, count: int) -> bytes:
        """Read `count` bytes.

        Raises
        ------
        InputError
            There are not so many left.
        """
        if not 0 <= count <= len(self._data) - self.position:
            raise InputError("the stored tensor ends before its header does")
        self.position += count
        return bytes(self._data[self.position - count : self.position])

    def byte(self) -> int:
        """Read one byte."""
        return self.bytes(1)[0]

    def varint(self, most: int = (1 << 63) - 1) -> int:
        """Read a number, at most `most`, in its shortest form.

        Raises
        ------
        InputError
            It is larger, or not in its shortest form.
        """
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
            if shift > 63:
                raise InputError("a number of the header is longer than 63 bits")
        if value > most or (shift > 7 and byte == 0):
            raise InputError(
                f"a number of the header must be at most {most}, in its shortest form, not {value}"
            )
        return value

    def text(self, most: int = 64) -> str:
        """Read a text of at most `most` bytes.

        Raises
        ------
        InputError
            It is longer, or not UTF-8.
        """
        try:
            return self.bytes(self.varint(most)).decode()
        except UnicodeDecodeError:
            raise InputError("a text of the header must be UTF-8") from None

    def words(self, count: int) -> tuple[int, ...]:
        """Read 32 bits, so many times."""
        return tuple(np.frombuffer(self.bytes(4 * count), "<u4").tolist())
