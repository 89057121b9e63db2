"""The header of a stored tensor, version 3: what is usual is not written. docs/format.md has it byte by byte.

`golden.files.header_v2` reads the one of version 2. Whatever a header says is checked against how many bytes there are
before anything of that size is made.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from xorweave.golden.base.byte_fields import ByteReader, ByteWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, number_format
from xorweave.golden.code.code import MAX_CONSTRAINT_LENGTH, MAX_N_IN, MAX_N_OUT, Code
from xorweave.golden.code.generators import FAMILIES, check_cost, family_parameters
from xorweave.golden.code.usual_graph import usual_parameters
from xorweave.golden.files.value_fields import VALUES, is_usual, number_of, read_values, write_values
from xorweave.golden.mask.coders import BookMask, MaskCoder, ShapedMask
from xorweave.golden.mask.pattern_book import MAX_DEPTH, MAX_PATTERN, PatternBook
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.spec import (
    SCANS,
    believed_weights,
    matrix_shape,
    most_positions,
    scan_from_items,
    scan_items,
)
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.coder import ValueCoder

VERSION = 3
FORMATS = ("int4", "int8", "uint8", "int16", "int32", "fp16", "bf16", "fp32")
MASKS = (
    "none",
    "bitmap",
    "shaped",
)  # a book is a shaped mask without encoded bits, its numbers behind that 0
PATCHES = ("none", "paper", "joint", "plane", "bounded")
ENCODERS = ("elimination", "viterbi")
MASK_NUMBERS = ("n_in", "parities", "window", "taps", "sums", "seed")
SAME = 255  # instead of a family: family and parameters are those of the group before
_PATCH_NUMBERS = {"joint": 1, "plane": 1, "bounded": 2}
_MAX_SIDES = 64
_MAX_WEIGHTS = 1 << 40
# What a generator may cost: so many elements whatever the file's size, and more only if the file is as large.
_FREE_ELEMENTS = 1 << 22

CodeOrSizes = Code | tuple[int, int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class Header:
    """What a header says of a tensor before its sections are read.

    Attributes
    ----------
    number_format, shape, scan, n_out, segment_blocks
        As of `EncodedTensor`.
    mask : "none", "bitmap", ShapedMaskCode or PatternBook
    values : ValueCoder or None
        None for packed words, which are a section.
    codes : list of Code or (n_in, n_out, n_s)
        Those of a book's groups but the first, then those of the values. Of a code whose matrix is a section only its
        sizes.
    corrections : str
    patch_bits : int
    encoder : str
    checksum : int or None
        None for packed words: the checksum of the bytes is one of the words.
    segment_checksums : tuple of int
    """

    number_format: NumberFormat
    shape: tuple[int, ...]
    scan: Scan
    n_out: int
    segment_blocks: int
    mask: str | ShapedMaskCode | PatternBook
    values: ValueCoder | None
    codes: Sequence[CodeOrSizes] = ()
    corrections: str = "none"
    patch_bits: int = 0
    encoder: str = "elimination"
    checksum: int | None = None
    segment_checksums: tuple[int, ...] = ()


def write_header(tensor: EncodedTensor, patch_bits: int, checksums: Sequence[int]) -> bytes:
    """Write the header of a tensor.

    Parameters
    ----------
    patch_bits : int
        Length of that section.
    checksums : sequence of int
        Of the words, and of the segments' if there are several; none for packed words.
    """
    head = ByteWriter()
    packed = tensor.values.kind == "packed"
    several = tensor.segment_blocks < tensor.blocks
    kind, numbers, live = scan_items(tensor.scan)
    patches, *fields = tensor.correction_format.split(":")
    mask = tensor.mask_coder
    codes = [group.code for group in tensor.groups]
    if isinstance(mask, BookMask):
        codes = [*(group.code for group in mask.groups[1:]), *codes]
    form = common_form(codes)
    usual = _is_usual(mask, tensor.values)
    head.byte(VERSION)
    head.byte(
        FORMATS.index(tensor.number_format.name)
        | (3 * number_of(tensor.values) + MASKS.index("shaped" if mask.kind == "book" else mask.kind)) << 3
        | ENCODERS.index(tensor.encoder) << 6
        | several << 7
    )
    head.byte(list(SCANS).index(kind) | PATCHES.index(patches) << 3 | (form is None) << 6 | (not usual) << 7)
    head.varint(len(tensor.shape))
    for number in (*tensor.shape, *numbers):
        head.varint(number)
    if live:
        head.byte(bool(live[0]) | bool(live[1]) << 1)
        head.data += b"".join(live)
    if not packed:
        head.varint(tensor.n_out)
        if several:
            head.varint(tensor.segment_blocks)
    if isinstance(mask, ShapedMask):
        for name in MASK_NUMBERS[: 2 if usual else None]:
            head.varint(getattr(mask.code, name))
    elif isinstance(mask, BookMask):
        for number in (0, 2 * mask.book.m + mask.book.inverted, mask.book.depth, *mask.book.counts):
            head.varint(number)
    write_values(head, tensor.values, usual)
    _write_codes(head, codes, form)
    for said in fields:
        head.varint(int(said))
    if patches != "none":
        head.varint(patch_bits)
    head.words(checksums)
    return bytes(head.data)


def read_header(head: ByteReader, size: int) -> Header:
    """Read a header whose version byte is read; `size` is that of the whole stored tensor in bytes."""
    first, second = head.byte(), head.byte()
    form = number_format(FORMATS[first & 7])
    kind, mask_kind = list(VALUES)[(first >> 3 & 7) // 3], MASKS[(first >> 3 & 7) % 3]
    patches = item(PATCHES, second >> 3 & 7, "correction format")
    in_full, usual = bool(second >> 6 & 1), not second >> 7
    shape = read_shape(head)
    scan = read_scan(head, item(SCANS, second & 7, "scan"), shape, size)
    if kind == "packed":
        if second >> 3 or first >> 6:
            raise InputError("packed words must come without patches, codes and segments")
        return Header(
            number_format=form, shape=shape, scan=scan, n_out=1, segment_blocks=max(1, scan.length), mask=mask_kind,
            values=None,
        )  # fmt: skip
    n_out = read_n_out(head)
    blocks = -(-scan.length // n_out)
    period = head.varint(max(1, blocks)) if first >> 7 else max(1, blocks)
    if not period:
        raise InputError("the blocks of a segment must be at least 1")
    mask = read_mask(head, mask_kind, n_out, usual)
    values = read_values(head, kind, form.n_w, usual)
    outputs = [n_out] * len(values.spans)
    if isinstance(mask, PatternBook):
        outputs = [n_out // mask.m] * (len(mask.spans) - 1) + outputs
    codes = read_codes(head, outputs, size) if in_full else _read_usual(head, outputs, size)
    corrections = read_corrections(head, patches)
    patch_bits = head.varint(8 * size) if patches != "none" else 0
    segments = -(-blocks // period)
    checksum, *of_segments = head.words(1 + (segments if segments > 1 else 0))
    return Header(
        number_format=form,
        shape=shape,
        scan=scan,
        n_out=n_out,
        segment_blocks=period,
        mask=mask,
        values=values,
        codes=codes,
        corrections=corrections,
        patch_bits=patch_bits,
        encoder=ENCODERS[first >> 6 & 1],
        checksum=checksum,
        segment_checksums=tuple(of_segments),
    )


# -- what both versions have in common ---------------------------------------------------------------------------
def item(names: Iterable[str], number: int, what: str) -> str:
    """Return the name of a number; refuse one that has none."""
    known = tuple(names)
    if number >= len(known):
        raise InputError(f"the {what} must be numbered 0 to {len(known) - 1}, not {number}")
    return known[number]


def read_shape(head: ByteReader) -> tuple[int, ...]:
    """Read rank and sides."""
    shape = tuple(head.varint(_MAX_WEIGHTS) for _ in range(head.varint(_MAX_SIDES)))
    if math.prod(shape) > _MAX_WEIGHTS:
        raise InputError(f"the stored tensor must have at most 2^40 weights, not the shape {shape!s:.60}")
    return shape


def read_scan(head: ByteReader, kind: str, shape: tuple[int, ...], size: int) -> Scan:
    """Read the numbers of a scan, and make it."""
    numbers = [head.varint(_MAX_WEIGHTS) for _ in SCANS[kind].numbers]
    if kind == "lanes" and (
        0 in shape or not 1 <= numbers[0] <= MAX_N_OUT or numbers[3] > MAX_CONSTRAINT_LENGTH
    ):
        raise InputError("the lanes of a scan must be those of a matrix, and its lead a window at most")
    live = _read_live(head, shape) if SCANS[kind].lists_live else ()
    scan = scan_from_items(kind, numbers, shape, live)
    if scan.length > most_positions(scan.n):
        raise InputError(f"a scan of {scan.n} weights must not have {scan.length} positions")
    if scan.length > believed_weights(size):
        raise InputError(f"a tensor of {scan.length} scan positions must not come with {size} bytes")
    if scan.n > believed_weights(size):
        raise InputError(f"a tensor of {scan.n} weights must not come with {size} bytes")
    return scan


def _read_live(head: ByteReader, shape: tuple[int, ...]) -> tuple[bytes, bytes]:
    told = head.byte()
    if not 1 <= told <= 3:
        raise InputError("a live scan must list live rows, live columns, or both")
    rows, columns = matrix_shape(shape)
    if not rows * columns:
        raise InputError("a live scan must be that of a matrix with weights")
    return head.bytes(-(-rows // 8) * (told & 1)), head.bytes(-(-columns // 8) * (told >> 1))


def read_n_out(head: ByteReader) -> int:
    """Read the weights of a block."""
    n_out = head.varint(MAX_N_OUT)
    if not n_out:
        raise InputError("the weights of a block must be at least 1")
    return n_out


def read_mask(head: ByteReader, kind: str, n_out: int, usual: bool) -> str | ShapedMaskCode | PatternBook:
    """Read the numbers of a mask code."""
    if kind != "shaped":
        return kind
    n_in = head.varint((1 << 32) - 1)
    if not n_in:
        return _read_book(head, n_out)
    names = MASK_NUMBERS[1 : 2 if usual else None]
    return _mask_code(n_in=n_in, n_out=n_out, **{name: head.varint((1 << 32) - 1) for name in names})


def _read_book(head: ByteReader, n_out: int) -> PatternBook:
    m, inverted = divmod(head.varint(2 * MAX_PATTERN + 1), 2)
    depth = head.varint(MAX_DEPTH)
    book = PatternBook(m, tuple(head.varint(1 << MAX_PATTERN) for _ in range(depth)), bool(inverted))
    if n_out % m or not n_out // m <= MAX_N_IN:
        raise InputError(
            f"the weights of a block must be a multiple of the {m} of a pattern, and at most {MAX_N_IN} patterns, "
            f"not {n_out}"
        )
    return book


@lru_cache(maxsize=64)
def _mask_code(**sizes: int) -> ShapedMaskCode:
    return ShapedMaskCode(**sizes) if "seed" in sizes else ShapedMaskCode.usual(**sizes)


def _families() -> tuple[str, ...]:
    """Return the generator families by their numbers in a file; 0 is a matrix that is a section."""
    return ("custom", *FAMILIES)


def read_codes(head: ByteReader, outputs: Sequence[int], size: int) -> list[CodeOrSizes]:
    """Read codes of so many outputs that are given in full; of a custom one, whose matrix is a section, the sizes."""
    codes: list[CodeOrSizes] = []
    family = ""
    parameters: tuple[tuple[str, int], ...] = ()
    for n_out in outputs:
        number = head.byte()
        same = number == SAME and family not in ("", "custom")
        if not same:
            family = item(_families(), number, "generator family")
        n_in, n_s = head.varint(MAX_N_IN), head.varint(MAX_CONSTRAINT_LENGTH)
        if n_in * (n_s + 1) * n_out > max(_FREE_ELEMENTS, 8 * size):
            raise InputError(f"a generator of {n_out} x {n_in * (n_s + 1)} must not come with {size} bytes")
        if family == "custom":
            codes.append((n_in, n_out, n_s))
            continue
        if not same:
            parameters = tuple((key, head.varint((1 << 63) - 1)) for key in family_parameters(family))
        codes.append(_made(family, n_in, n_out, n_s, parameters, size))
    return codes


def _made(
    family: str, n_in: int, n_out: int, n_s: int, parameters: tuple[tuple[str, int], ...], size: int
) -> Code:
    check_cost(family, n_in, n_out, n_s, dict(parameters), max(_FREE_ELEMENTS, 8 * size))
    return _code(family, n_in, n_out, n_s, parameters)


@lru_cache(maxsize=64)
def _code(family: str, n_in: int, n_out: int, n_s: int, parameters: tuple[tuple[str, int], ...]) -> Code:
    used = {key: value for key, value in parameters if (key, value) != ("of", 0)}
    return Code.from_family(family, n_in=n_in, n_out=n_out, n_s=n_s, **used)


def read_corrections(head: ByteReader, kind: str) -> str:
    """Read the numbers of a correction format."""
    return ":".join([kind, *(str(head.varint(99999)) for _ in range(_PATCH_NUMBERS.get(kind, 0)))])


# -- what is usual -------------------------------------------------------------------------------------------------
def _is_usual(mask: MaskCoder, values: ValueCoder) -> bool:
    """Whether a shaped mask has the structure of its density, and raw planes are the words as they are."""
    if isinstance(mask, ShapedMask):
        code = mask.code
        made = ShapedMaskCode.usual(n_in=code.n_in, n_out=code.n_out, parities=min(6, code.parities))
        if code != made:
            return False
    return is_usual(values)


def common_form(codes: Sequence[Code]) -> int | str | None:
    """Return ``"graph"`` if all codes are `usual_graph`, K if they are usual chains, None if they are neither.

    Usual chains have runs of 10, equal taps, seed 0, and n_s = max(1, K // n_in - 1).
    """
    if codes and all(_is_usual_graph(code) for code in codes):
        return "graph"
    if len({tuple(sorted(code.parameters.items())) for code in codes}) > 1:
        return None
    low, high = 0, MAX_CONSTRAINT_LENGTH
    for code in codes:
        told = dict(code.parameters)
        if code.family != "chain" or code.n_s < 1 or told != {"seed": 0, "taps": told.get("taps"), "run": 10}:
            return None
        if code.n_s > 1:
            low = max(low, code.constraint_length)
        high = min(high, code.constraint_length + code.n_in - 1)
    return low if low <= high else None


def _is_usual_graph(code: Code) -> bool:
    usual = usual_parameters(code.n_in, code.n_out, code.n_s)
    return code.family == "graph" and {k: v for k, v in code.parameters.items() if v or k == "seed"} == usual


def _write_codes(head: ByteWriter, codes: Sequence[Code], form: int | str | None) -> None:
    if form is not None and codes:
        if isinstance(form, int):
            head.byte(codes[0].parameters["taps"])
            head.varint(form)
        else:
            head.byte(0)
        for code in codes:
            head.varint(code.n_in)
            if form == "graph":
                head.varint(code.n_s)
        return
    before: tuple[str, dict[str, int]] | None = None
    for code in codes:
        said = (code.family, dict(code.parameters))
        same = before == said and code.family != "custom"
        head.byte(SAME if same else _families().index(code.family))
        head.varint(code.n_in)
        head.varint(code.n_s)
        if code.family != "custom" and not same:
            for key in family_parameters(code.family):
                head.varint(code.parameters.get(key, 0))
        before = said


def _read_usual(head: ByteReader, outputs: Sequence[int], size: int) -> list[CodeOrSizes]:
    if not outputs:
        return []
    taps = head.byte()
    window = head.varint(MAX_CONSTRAINT_LENGTH) if taps else 0
    parameters = (("seed", 0), ("taps", taps), ("run", 10))
    codes: list[CodeOrSizes] = []
    for n_out in outputs:
        n_in = head.varint(MAX_N_IN)
        if not n_in:
            raise InputError("a code must have at least one bit a symbol")
        if taps:
            codes.append(_made("chain", n_in, n_out, max(1, window // n_in - 1), parameters, size))
        else:
            n_s = head.varint(MAX_CONSTRAINT_LENGTH)
            given = tuple(usual_parameters(n_in, n_out, n_s).items())
            codes.append(_made("graph", n_in, n_out, n_s, given, size))
    return codes
