"""What a header says of a value coder, by kind: version 3. docs/format.md has it bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xorweave.golden.base.bit_fields import BitWriter
from xorweave.golden.base.byte_fields import ByteReader, ByteWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.prefix_code import MAGNITUDES, PrefixCode
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.golden.values.transforms import TRANSFORMS

_MAX_CLASSES = 1 << 15
_FURTHER = 128  # instead of a transform of raw planes, with the kind's place added


@dataclass(frozen=True)
class ValueFields:
    """How the fields of a kind of value coder are written and read: `read` gets n_w, too, and checks what it reads."""

    write: Callable[[ByteWriter, Any], None]
    read: Callable[[ByteReader, int], ValueCoder]


def _write_raw(head: ByteWriter, values: RawPlanes) -> None:
    head.byte(TRANSFORMS.index(values.transform))
    head.varint(values.inversion)
    head.varint(values.constant_planes)


def read_raw(head: ByteReader, n_w: int) -> RawPlanes:
    """Read what is unusual about raw planes."""
    return _rest_of_raw(head, n_w, head.byte())


def _rest_of_raw(head: ByteReader, n_w: int, transform: int) -> RawPlanes:
    if transform >= len(TRANSFORMS):
        raise InputError(f"the transform must be numbered 0 to {len(TRANSFORMS) - 1}, not {transform}")
    ones = (1 << n_w) - 1
    return RawPlanes(n_w, head.varint(ones), head.varint(ones), TRANSFORMS[transform])


def _write_prefix(head: ByteWriter, values: PrefixCode) -> None:
    head.varint(values.lengths.size << 2 | MAGNITUDES.index(values.magnitude))
    table, before = BitWriter(), 1
    for length, tail, prefix in zip(values.lengths, values.tails, values.prefixes, strict=True):
        table.raw(np.r_[np.ones(int(length) - before, np.uint8), np.uint8(0)])
        table.field(int(tail) + 1, values.n_w.bit_length())
        if tail >= 0:
            table.field(int(prefix), values.n_w - 1 - int(tail))
        before = int(length)
    head.data += table.stream()


def _read_prefix(head: ByteReader, n_w: int) -> PrefixCode:
    said = head.varint(_MAX_CLASSES << 2)
    table = _Bits(head)
    rows, length = [], 1
    for _ in range(said >> 2):
        while table.field(1):
            length += 1
        tail = table.field(n_w.bit_length()) - 1
        if tail >= n_w:
            raise InputError(f"tails must be between 0 and {n_w - 1}, and -1 for the word 0 alone")
        rows.append((length, tail, table.field(n_w - 1 - tail) if tail >= 0 else 0))
    table.end()
    columns = np.array(rows, np.int64).reshape(len(rows), 3)
    return PrefixCode(n_w, MAGNITUDES[said & 3], columns[:, 0], columns[:, 1], columns[:, 2])


class _Bits:
    """Reads fields of bits from the bytes of a header, and goes on to a whole byte at the end."""

    def __init__(self, head: ByteReader) -> None:
        self._head, self._bits, self._left = head, 0, 0

    def field(self, width: int) -> int:
        while self._left < width:
            self._bits |= self._head.byte() << self._left
            self._left += 8
        value = self._bits & (1 << width) - 1
        self._bits >>= width
        self._left -= width
        return value

    def end(self) -> None:
        if self._bits:
            raise InputError("the book must be padded with zeros to whole bytes")


# Files name a kind by its place here: append, never insert. Packed words are a section, not a field.
VALUES: dict[str, ValueFields | None] = {
    "raw": ValueFields(_write_raw, read_raw),
    "prefix": ValueFields(_write_prefix, _read_prefix),
    "packed": None,
}
_SHORT = 3  # kinds that have a number of their own in the first byte of kinds; others are marked there as raw


def number_of(values: ValueCoder) -> int:
    """Return the kind's number in the first byte of kinds."""
    place = list(VALUES).index(values.kind)
    return place if place < _SHORT else 0


def is_usual(values: ValueCoder) -> bool:
    """Whether the kind's number says it all but for a book: raw planes that are the words as they are."""
    if isinstance(values, RawPlanes):
        return values == RawPlanes(values.n_w)
    return list(VALUES).index(values.kind) < _SHORT


def write_values(head: ByteWriter, values: ValueCoder, usual: bool) -> None:
    """Write the fields; `usual` is what the header says of mask and values together."""
    fields = VALUES[values.kind]
    if fields is None or (values.kind == "raw" and usual):
        return
    place = list(VALUES).index(values.kind)
    if place >= _SHORT:
        head.byte(_FURTHER + place)
    fields.write(head, values)


def read_values(head: ByteReader, kind: str, n_w: int, usual: bool) -> ValueCoder:
    """Read what `write_values` wrote for a kind that has planes."""
    if kind == "raw" and usual:
        return RawPlanes(n_w)
    if kind == "raw":
        number = head.byte()
        if number < _FURTHER + _SHORT:
            return _rest_of_raw(head, n_w, number)
        if number - _FURTHER >= len(VALUES):
            raise InputError(
                f"the value coder must be numbered 0 to {len(VALUES) - 1}, not {number - _FURTHER}"
            )
        kind = list(VALUES)[number - _FURTHER]
    fields = VALUES[kind]
    assert fields is not None
    return fields.read(head, n_w)
