"""One stored tensor as bytes that explain themselves: header, mask, symbols by group, patches, checksums.

docs/format.md has the layout byte by byte. Whatever the bytes say is checked against how many there are before
anything of that size is made.
"""

from __future__ import annotations

import math
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.byte_fields import ByteReader, ByteWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, number_format
from xorweave.golden.base.packed_rows import PackedRows, pack_words
from xorweave.golden.code.code import MAX_CONSTRAINT_LENGTH, MAX_N_IN, MAX_N_OUT, Code
from xorweave.golden.code.generators import check_cost, family_parameters
from xorweave.golden.mask.coders import DenseMask, MaskCoder, PackedBitmap, ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.spec import scan_from_items, scan_items
from xorweave.golden.tensor.corrections import parse_format
from xorweave.golden.tensor.decode import checksum_of, decode_scan, segment_checksums
from xorweave.golden.tensor.encode import correction_format_of, symbol_dtype
from xorweave.golden.tensor.figures import payload_bits
from xorweave.golden.tensor.stored import EncodedTensor, PlaneGroup
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.prefix_code import MAGNITUDES, PrefixCode
from xorweave.golden.values.raw_planes import RawPlanes
from xorweave.golden.values.transforms import TRANSFORMS

VERSION = 2
FAMILIES = ("custom", "uniform", "sparse", "chain", "paired", "graph", "identity")
_SCANS = ("row-major", "affine", "lanes", "cells", "tiles")
_SCAN_NUMBERS = {"row-major": 0, "affine": 2, "lanes": 4, "cells": 3, "tiles": 4}
_MASKS = ("none", "bitmap", "shaped")
_VALUES = ("raw", "prefix")
_PATCHES = ("none", "paper", "joint", "plane", "bounded")
_ENCODERS = ("elimination", "viterbi")
_MASK_CODE = ("n_in", "parities", "window", "taps", "sums", "seed")
_SAME = 255  # instead of a family: family and parameters are those of the group before
_MAX_SIDES = 64
_MAX_WEIGHTS = 1 << 40
# What a generator may cost: so many elements whatever the file's size, and more only if the file is as large.
_FREE_ELEMENTS = 1 << 22


def write_blob(tensor: EncodedTensor) -> bytes:
    """Write a stored tensor; the same tensor gives the same bytes."""
    head = ByteWriter()
    head.byte(VERSION)
    head.text(tensor.number_format.name)
    head.varint(len(tensor.shape))
    for side in tensor.shape:
        head.varint(side)
    kind, numbers = scan_items(tensor.scan)
    head.byte(_SCANS.index(kind))
    for number in numbers:
        head.varint(number)
    head.varint(tensor.n_out)
    head.varint(tensor.segment_blocks)
    _write_mask(head, tensor.mask_coder)
    _write_values(head, tensor.values)
    sections = [_mask_section(tensor.mask_coder)]
    before: tuple[str, dict[str, int]] | None = None
    for group in tensor.groups:
        sections += _write_code(head, group.code, before)
        before = (group.code.family, dict(group.code.parameters))
    for group in tensor.groups:
        sections.append(pack_words(np.asarray(group.symbols), _stored_bits(tensor.values, group)).tobytes())
    name, *fields = tensor.correction_format.split(":")
    head.byte(_PATCHES.index(name))
    for said in fields:
        head.varint(int(said))
    form = correction_format_of(tensor)
    bits = form.pack(tensor.patches, tensor.scan.length, tensor.number_format.n_w)
    head.varint(bits.size)
    sections.append(np.packbits(bits, bitorder="little").tobytes())
    head.byte(_ENCODERS.index(tensor.encoder))
    words = tensor.scan.from_scan(decode_scan(tensor)) if tensor.checksum is None else None
    head.word(checksum_of(words) if tensor.checksum is None and words is not None else tensor.checksum or 0)
    checks = tensor.segment_checksums
    if words is not None:
        checks = segment_checksums(
            tensor.blocks, tensor.segment_blocks, tensor.n_out, tensor.scan.to_scan(words)
        )
    for checksum in checks:
        head.word(checksum)
    whole = bytes(head.data) + b"".join(sections)
    return whole + zlib.crc32(whole).to_bytes(4, "little")


def side_bits(tensor: EncodedTensor, blob: bytes | memoryview) -> int:
    """Return what of the blob is neither mask nor payload nor corrections: header, book, checksums, padding."""
    form = correction_format_of(tensor)
    corrections = form.bits(tensor.patches, tensor.scan.length, tensor.number_format.n_w)
    return 8 * len(blob) - tensor.mask_coder.bits - payload_bits(tensor) - corrections


def _write_mask(head: ByteWriter, coder: MaskCoder) -> None:
    head.byte(_MASKS.index(coder.kind))
    if isinstance(coder, ShapedMask):
        for name in _MASK_CODE:
            head.varint(getattr(coder.code, name))


def _mask_section(coder: MaskCoder) -> bytes:
    if isinstance(coder, DenseMask):
        return b""
    if isinstance(coder, PackedBitmap):
        return coder.data.tobytes()
    bits = (
        np.asarray(coder.symbols).reshape(-1) if isinstance(coder, ShapedMask) else coder.kept.view(np.uint8)
    )
    return np.packbits(bits, bitorder="little").tobytes()


def _write_values(head: ByteWriter, values: ValueCoder) -> None:
    head.byte(_VALUES.index(values.kind))
    if isinstance(values, RawPlanes):
        head.byte(TRANSFORMS.index(values.transform))
        head.varint(values.inversion)
        head.varint(values.constant_planes)
        return
    assert isinstance(values, PrefixCode)
    head.byte(MAGNITUDES.index(values.magnitude))
    head.varint(values.lengths.size)
    for length, tail, prefix in zip(values.lengths, values.tails, values.prefixes, strict=True):
        head.byte(int(length))
        head.byte(int(tail) + 1)
        head.varint(int(prefix))


def _write_code(head: ByteWriter, code: Code, before: tuple[str, dict[str, int]] | None) -> list[bytes]:
    """Append a code to the header; return the matrix of a custom one as a section."""
    same = before == (code.family, dict(code.parameters)) and code.family != "custom"
    head.byte(_SAME if same else FAMILIES.index(code.family))
    head.varint(code.n_in)
    head.varint(code.n_s)
    if code.family == "custom":
        return [np.packbits(code.generator.reshape(-1), bitorder="little").tobytes()]
    if not same:
        for key in family_parameters(code.family):
            head.varint(code.parameters.get(key, 0))
    return []


def _stored_bits(values: ValueCoder, group: PlaneGroup) -> list[int]:
    return values.stored_planes if isinstance(values, RawPlanes) else list(range(group.planes))


class _Sections:
    """Takes the sections behind the header one after another."""

    def __init__(self, data: NDArray[np.uint8], position: int) -> None:
        self._data, self._position = data, position

    def take(self, bits: int, what: str) -> NDArray[np.uint8]:
        """Return the bytes that hold so many bits; the rest of the last one must be 0."""
        size = -(-bits // 8)
        if size > self._data.size - self._position:
            raise InputError(f"the stored tensor must hold {size} bytes of {what}, but ends before")
        found = self._data[self._position : self._position + size]
        self._position += size
        if bits % 8 and found[-1] >> bits % 8:
            raise InputError(f"the {what} must be padded with zeros to whole bytes")
        return found

    @property
    def left(self) -> int:
        return self._data.size - self._position


def read_blob(data: bytes | memoryview | NDArray[np.uint8]) -> EncodedTensor:
    """Read a stored tensor; symbols and mask stay packed in `data` and are unpacked where they are sliced.

    Raises
    ------
    InputError
        The bytes are no stored tensor of this version, or ask for more than their number warrants.
    """
    flat = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data
    if flat.size < 16:
        raise InputError("the stored tensor ends before its header does")
    head = ByteReader(flat[:-4].data)
    version = head.byte()
    if version != VERSION:
        raise InputError(f"the stored tensor must have version {VERSION}, not {version}")
    form = number_format(head.text())
    shape = tuple(head.varint(_MAX_WEIGHTS) for _ in range(head.varint(_MAX_SIDES)))
    n = math.prod(shape)
    if n > _MAX_WEIGHTS:
        raise InputError(f"the stored tensor must have at most 2^40 weights, not the shape {shape!s:.60}")
    scan = _read_scan(head, shape)
    if scan.length > (1 << 20) + 1024 * flat.size:
        raise InputError(f"a tensor of {scan.length} scan positions must not come with {flat.size} bytes")
    n_out = head.varint(MAX_N_OUT)
    if not n_out:
        raise InputError("the weights of a block must be at least 1")
    blocks = -(-scan.length // n_out)
    period = head.varint(max(1, blocks))
    if not period:
        raise InputError("the blocks of a segment must be at least 1")
    mask = _read_mask(head)
    values = _read_values(head, form)
    codes = _read_codes(head, values, n_out, flat.size)
    numbers = {"joint": 1, "plane": 1, "bounded": 2}
    kind = _item(_PATCHES, head.byte(), "correction format")
    text = ":".join([kind, *(str(head.varint(99999)) for _ in range(numbers.get(kind, 0)))])
    patch_bits = head.varint(8 * flat.size)
    encoder = _item(_ENCODERS, head.byte(), "encoder")
    checksum = head.word()
    segments = -(-blocks // period)
    checks = tuple(head.word() for _ in range(segments)) if segments > 1 else ()
    sections = _Sections(flat[:-4], head.position)
    mask_coder = _mask_coder(sections, mask, scan.length, n_out, period)
    read = [code if isinstance(code, Code) else _custom(sections, *code) for code in codes]
    groups = tuple(
        _group(sections, values, span, code, blocks, form)
        for span, code in zip(values.spans, read, strict=True)
    )
    packed = np.unpackbits(sections.take(patch_bits, "corrections"), count=patch_bits, bitorder="little")
    patches = parse_format(text, n_out).unpack(packed, scan.length, form.n_w, form.word)
    if sections.left:
        raise InputError("the stored tensor is longer than its header says")
    return EncodedTensor(
        shape=shape,
        number_format=form,
        scan=scan,
        mask_coder=mask_coder,
        values=values,
        groups=groups,
        patches=patches,
        correction_format=text,
        segment_blocks=period,
        checksum=checksum,
        segment_checksums=checks,
        encoder=encoder,
    )


def check_stored(data: bytes | memoryview | NDArray[np.uint8]) -> None:
    """Check the CRC-32 of the stored bytes themselves.

    Raises
    ------
    InputError
        A bit was changed since they were written.
    """
    flat = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data
    if flat.size < 4 or zlib.crc32(flat[:-4].data) != int.from_bytes(flat[-4:].tobytes(), "little"):
        raise InputError("the stored tensor is damaged: the checksum of its bytes is another")


def _item(names: tuple[str, ...], number: int, what: str) -> str:
    if number >= len(names):
        raise InputError(f"the {what} must be numbered 0 to {len(names) - 1}, not {number}")
    return names[number]


def _read_scan(head: ByteReader, shape: tuple[int, ...]) -> Scan:
    kind = _item(_SCANS, head.byte(), "scan")
    numbers = [head.varint(_MAX_WEIGHTS) for _ in range(_SCAN_NUMBERS[kind])]
    if kind == "lanes" and (
        0 in shape or not 1 <= numbers[0] <= MAX_N_OUT or numbers[3] > MAX_CONSTRAINT_LENGTH
    ):
        raise InputError("the lanes of a scan must be those of a matrix, and its lead a window at most")
    scan = scan_from_items(kind, numbers, shape)
    if scan.length > 4 * scan.n + (1 << 20):
        raise InputError(f"a scan of {scan.n} weights must not have {scan.length} positions")
    return scan


def _read_mask(head: ByteReader) -> str | dict[str, int]:
    kind = _item(_MASKS, head.byte(), "mask code")
    if kind != "shaped":
        return kind
    return {name: head.varint((1 << 32) - 1) for name in _MASK_CODE}


def _mask_coder(
    sections: _Sections, mask: str | dict[str, int], length: int, n_out: int, period: int
) -> MaskCoder:
    if mask == "none":
        return DenseMask(length)
    if mask == "bitmap":
        return PackedBitmap(sections.take(length, "mask"), length)
    assert isinstance(mask, dict)
    code = _mask_code(n_out=n_out, **mask)
    blocks = -(-length // n_out)
    symbols = PackedRows(
        sections.take(blocks * code.n_in, "mask"), blocks, code.n_in, [0], np.dtype(np.uint8)
    )
    return ShapedMask(code, symbols, length, period)  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def _mask_code(**sizes: int) -> ShapedMaskCode:
    return ShapedMaskCode(**sizes)


def _read_values(head: ByteReader, form: NumberFormat) -> ValueCoder:
    if _item(_VALUES, head.byte(), "value coder") == "raw":
        transform = _item(TRANSFORMS, head.byte(), "transform")
        ones = (1 << form.n_w) - 1
        return RawPlanes(form.n_w, head.varint(ones), head.varint(ones), transform)
    magnitude = _item(MAGNITUDES, head.byte(), "magnitude")
    rows = [(head.byte(), head.byte() - 1, head.varint(1 << form.n_w)) for _ in range(head.varint(1 << 15))]
    table = np.array(rows, np.int64).reshape(len(rows), 3)
    return PrefixCode(form.n_w, magnitude, table[:, 0], table[:, 1], table[:, 2])


def _read_codes(
    head: ByteReader, values: ValueCoder, n_out: int, size: int
) -> list[Code | tuple[int, int, int]]:
    """Return the codes; of a custom one, whose matrix is a section, its sizes."""
    codes: list[Code | tuple[int, int, int]] = []
    family = ""
    parameters: tuple[tuple[str, int], ...] = ()
    for _ in values.spans:
        number = head.byte()
        same = number == _SAME and family not in ("", "custom")
        if not same:
            family = _item(FAMILIES, number, "generator family")
        n_in, n_s = head.varint(MAX_N_IN), head.varint(MAX_CONSTRAINT_LENGTH)
        if n_in * (n_s + 1) * n_out > max(_FREE_ELEMENTS, 8 * size):
            raise InputError(f"a generator of {n_out} x {n_in * (n_s + 1)} must not come with {size} bytes")
        if family == "custom":
            codes.append((n_in, n_out, n_s))
            continue
        if not same:
            parameters = tuple((key, head.varint((1 << 63) - 1)) for key in family_parameters(family))
        check_cost(family, n_in, n_out, n_s, dict(parameters), max(_FREE_ELEMENTS, 8 * size))
        codes.append(_code(family, n_in, n_out, n_s, parameters))
    return codes


@lru_cache(maxsize=64)
def _code(family: str, n_in: int, n_out: int, n_s: int, parameters: tuple[tuple[str, int], ...]) -> Code:
    used = {key: value for key, value in parameters if (key, value) != ("of", 0)}
    return Code.from_family(family, n_in=n_in, n_out=n_out, n_s=n_s, **used)


def _custom(sections: _Sections, n_in: int, n_out: int, n_s: int) -> Code:
    columns = n_in * (n_s + 1)
    bits = sections.take(n_out * columns, "generator")
    matrix = np.unpackbits(bits, count=n_out * columns, bitorder="little").reshape(n_out, columns)
    return Code(n_in=n_in, n_out=n_out, n_s=n_s, generator=matrix)


def _group(
    sections: _Sections,
    values: ValueCoder,
    span: tuple[int, int],
    code: Code,
    blocks: int,
    form: NumberFormat,
) -> PlaneGroup:
    first, end = span
    dtype = symbol_dtype(end - first, form)
    stored = _stored_bits(values, PlaneGroup(first, end, code, np.zeros((0, code.n_in), dtype)))
    if not stored and blocks * code.n_in > 1 << 24:
        raise InputError("planes that are all constant must come with a short code")
    symbols: Any = PackedRows(
        sections.take(blocks * code.n_in * len(stored), "symbols"), blocks, code.n_in, stored, dtype
    )
    return PlaneGroup(first, end, code, symbols)
