"""One stored tensor as bytes that explain themselves: header, mask, symbols by group, patches, checksums.

docs/format.md has the layout byte by byte. Whatever the bytes say is checked against how many there are before
anything of that size is made.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.byte_fields import ByteReader
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.base.packed_rows import PackedRows, pack_words
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.files import header_v2
from xorweave.golden.files.header import VERSION, CodeOrSizes, Header, read_header, write_header
from xorweave.golden.mask.coders import BookMask, DenseMask, MaskCoder, PackedBitmap, ShapedMask
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.tensor.corrections import correction_format_of, parse_format
from xorweave.golden.tensor.decode import checksum_of, decode_scan, segment_checksums
from xorweave.golden.tensor.figures import payload_bits
from xorweave.golden.tensor.stored import EncodedTensor, symbol_dtype
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.packed_words import PackedWords
from xorweave.golden.values.raw_planes import RawPlanes

_SMALLEST = 8  # bytes of any stored tensor


def write_blob(tensor: EncodedTensor) -> bytes:
    """Write a stored tensor; the same tensor gives the same bytes."""
    form = correction_format_of(tensor)
    patches = form.pack(tensor.patches, tensor.scan.length, tensor.number_format.n_w)
    sections = [_mask_section(tensor.mask_coder)]
    for group in tensor.groups:
        if group.code.family == "custom":
            sections.append(np.packbits(group.code.generator.reshape(-1), bitorder="little").tobytes())
    for group in tensor.groups:
        sections.append(pack_words(np.asarray(group.symbols), _stored_bits(tensor.values, group)).tobytes())
    if isinstance(tensor.values, PackedWords):
        sections.append(tensor.values.packed().tobytes())
    sections.append(np.packbits(patches, bitorder="little").tobytes())
    whole = write_header(tensor, patches.size, _checksums(tensor)) + b"".join(sections)
    return whole + zlib.crc32(whole).to_bytes(4, "little")


def _checksums(tensor: EncodedTensor) -> tuple[int, ...]:
    """Return the checksum of the words, and of those of each segment; of packed words none is needed."""
    if isinstance(tensor.values, PackedWords):
        return ()
    if tensor.checksum is not None:
        return (tensor.checksum, *tensor.segment_checksums)
    words = decode_scan(tensor)
    segments = segment_checksums(tensor.blocks, tensor.segment_blocks, tensor.n_out, words)
    return (checksum_of(tensor.scan.from_scan(words)), *segments)


def side_bits(tensor: EncodedTensor, blob: bytes | memoryview) -> int:
    """Return what of the blob is neither mask nor payload nor corrections: header, book, checksums, padding."""
    form = correction_format_of(tensor)
    corrections = form.bits(tensor.patches, tensor.scan.length, tensor.number_format.n_w)
    return 8 * len(blob) - tensor.mask_coder.bits - payload_bits(tensor) - corrections


def _mask_section(coder: MaskCoder) -> bytes:
    if isinstance(coder, DenseMask):
        return b""
    if isinstance(coder, BookMask):
        packed = (pack_words(np.asarray(group.symbols), list(range(group.planes))) for group in coder.groups)
        return b"".join(part.tobytes() for part in packed)
    if isinstance(coder, PackedBitmap):
        return coder.data.tobytes()
    bits = (
        np.asarray(coder.symbols).reshape(-1) if isinstance(coder, ShapedMask) else coder.kept.view(np.uint8)
    )
    return np.packbits(bits, bitorder="little").tobytes()


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
        The bytes are no stored tensor of a version that is known, or ask for more than their number warrants.
    """
    flat = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data
    if flat.size < _SMALLEST:
        raise InputError("the stored tensor ends before its header does")
    reader = ByteReader(flat[:-4].data)
    version = reader.byte()
    if version not in (VERSION, header_v2.VERSION):
        raise InputError(
            f"the stored tensor must have version {header_v2.VERSION} or {VERSION}, not {version}"
        )
    head = (read_header if version == VERSION else header_v2.read_header)(reader, flat.size)
    sections = _Sections(flat[:-4], reader.position)
    # the codes of a book's groups come first
    of_mask = len(head.mask.spans) - 1 if isinstance(head.mask, PatternBook) else 0
    mask_coder = _mask_coder(sections, head, head.codes[:of_mask])
    values = head.values or _packed(sections, mask_coder, head.number_format)
    blocks = -(-head.scan.length // head.n_out)
    read = [code if isinstance(code, Code) else _custom(sections, *code) for code in head.codes[of_mask:]]
    groups = tuple(
        _group(sections, values, span, code, blocks, head.number_format)
        for span, code in zip(values.spans, read, strict=True)
    )
    bits = head.patch_bits
    packed = np.unpackbits(sections.take(bits, "corrections"), count=bits, bitorder="little")
    form = parse_format(head.corrections, head.n_out)
    patches = form.unpack(packed, head.scan.length, head.number_format.n_w, head.number_format.word)
    if sections.left:
        raise InputError("the stored tensor is longer than its header says")
    return EncodedTensor(
        shape=head.shape,
        number_format=head.number_format,
        scan=head.scan,
        mask_coder=mask_coder,
        values=values,
        groups=groups,
        patches=patches,
        correction_format=head.corrections,
        segment_blocks=head.segment_blocks,
        checksum=head.checksum,
        segment_checksums=head.segment_checksums,
        encoder=head.encoder,
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


def _mask_coder(sections: _Sections, head: Header, codes: Sequence[CodeOrSizes]) -> MaskCoder:
    length = head.scan.length
    if head.mask == "none":
        return DenseMask(length)
    if isinstance(head.mask, PatternBook):
        return _book_mask(sections, head, head.mask, codes)
    if isinstance(head.mask, str):
        return PackedBitmap(sections.take(length, "mask"), length)
    blocks, n_in = -(-length // head.n_out), head.mask.n_in
    data = sections.take(blocks * n_in, "mask")
    symbols = PackedRows(data, blocks, n_in, [0], np.dtype(np.uint8))
    return ShapedMask(head.mask, symbols, length, head.segment_blocks)  # type: ignore[arg-type]


def _book_mask(
    sections: _Sections, head: Header, book: PatternBook, codes: Sequence[CodeOrSizes]
) -> BookMask:
    outputs = head.n_out // book.m
    blocks = -(-head.scan.length // head.n_out)
    groups = []
    identity = Code.from_family("identity", n_in=outputs, n_out=outputs, n_s=0)
    for (first, end), code in zip(book.spans, [identity, *codes], strict=True):
        if not isinstance(code, Code):
            raise InputError("the codes of a mask's book must not be custom")
        planes = end - first
        word = np.dtype(next(f"uint{size}" for size in (8, 16) if planes <= size))
        data = sections.take(blocks * code.n_in * planes, "mask")
        symbols: Any = PackedRows(data, blocks, code.n_in, list(range(planes)), word)
        groups.append(PlaneGroup(first, end, code, symbols))
    return BookMask(book, tuple(groups), head.scan.length, head.segment_blocks)


def _packed(sections: _Sections, mask: MaskCoder, form: NumberFormat) -> PackedWords:
    count = mask.ones_before(mask.length)
    data = sections.take(count * form.n_w, "words")
    return PackedWords(form.n_w, PackedRows(data, count, 1, list(range(form.n_w)), form.word))


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
