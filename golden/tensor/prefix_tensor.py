"""A pruned tensor at a fixed rate whose values are skewed: prefix-coded words in the planes of XOR codes.

Plane j is a care bit where the mask that comes out is 1 and the weight's codeword has a bit j
(``xorweave.golden.values.prefix_code``); planes with the same care bits share a code, and every such group has its
own N_in for the one N_out. So each block of weights takes the same number of encoded bits, whatever is in it.

The mask is a bitmap, or a shaped code. A false one of the shaped mask is a weight whose codeword is that of the word
0, and that codeword is short: two bits or so. So the mask's search need not avoid false ones at nearly any price; the
linear code, which comes within a percent of its limit, takes over what the search is bad at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.group_rates import choose_rates
from xorweave.golden.choose.plan import choose_plan
from xorweave.golden.choose.shaped_scan import shaped_scan
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_words
from xorweave.golden.encoders.elimination import encode_segment, rotated_rows
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import encode_mask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import JointCorrections, NoCorrections
from xorweave.golden.tensor.shaped_tensor import missed_format
from xorweave.golden.tensor.stream import Patches
from xorweave.golden.values.prefix_code import MAGNITUDES, PrefixCode, make_prefix_codes

ZERO_BITS = 2  # of the zero's codeword, before it is known how many false ones there are
_TAPS = 4
_ADDER = 0.01  # what negated magnitudes must save to be worth an adder a weight
_BOOKS = 5  # code books for which all rates are judged
_DENSEST = 0.36  # beyond it a shaped mask costs as much as a bitmap


@dataclass(frozen=True, eq=False)
class PlaneGroup:
    """Planes with the same care bits.

    Attributes
    ----------
    first, end : int
        Planes of the group, counted from the first bit of the codeword; the tail comes after the codeword.
    code : Code
    symbols : ndarray of uint64, shape (blocks, n_in)
        Bit j of ``symbols[t, b]`` is bit b of x_t of plane ``end - 1 - j``.
    """

    first: int
    end: int
    code: Code
    symbols: NDArray[np.uint64]

    @property
    def bits(self) -> int:
        """Encoded bits."""
        return int(self.symbols.size) * (self.end - self.first)


@dataclass(frozen=True, eq=False)
class PrefixTensor:
    """A tensor of prefix-coded words.

    Attributes
    ----------
    shape : tuple of int
    number_format : NumberFormat
    interleaver : Interleaver
    mask_code : ShapedMaskCode or None
        None: the mask is a bitmap in scan order.
    mask_symbols : ndarray of uint8 (0 or 1)
        Shape (blocks, n_in) of the mask code, or the bitmap, shape (n,).
    book : PrefixCode
    groups : tuple of PlaneGroup
        From the first bit of the codeword to the last of the tail.
    patches : Patches
        Scan positions and differences of words after the mask, for all that is wrong without them: unmatched words,
        words without a codeword, false zeros.
    """

    shape: tuple[int, ...]
    number_format: NumberFormat
    interleaver: Interleaver
    mask_code: ShapedMaskCode | None
    mask_symbols: NDArray[np.uint8]
    book: PrefixCode
    groups: tuple[PlaneGroup, ...]
    patches: Patches

    @property
    def n(self) -> int:
        """Number of weights."""
        return self.interleaver.n

    @property
    def corrections(self) -> JointCorrections | NoCorrections:
        """The format of the patches."""
        return missed_format(self.patches, self.number_format.n_w)

    @property
    def parts(self) -> dict[str, int]:
        """Stored bits of mask, values and corrections; without the header."""
        return {
            "mask": int(self.mask_symbols.size),
            "values": sum(group.bits for group in self.groups),
            "correction": self.corrections.bits(self.patches, self.n, self.number_format.n_w),
        }


def group_code(n_in: int, n_out: int, n_s: int, seed: int) -> Code:
    """Return the code of a group: chains of ten outputs with four fresh taps each.

    Against dense rows that costs about a percent of the bits and saves most of the gates.
    """
    return Code.from_family(
        "chain", n_in=n_in, n_out=n_out, n_s=n_s, seed=seed, taps=min(_TAPS, n_in * (n_s + 1))
    )


def _choose_book(
    truth: Words, under: NDArray[np.bool_], number_format: NumberFormat, max_k: int
) -> tuple[PrefixCode, int, list[int]]:
    """Choose code book and rates; truth: in scan order, what each position under the mask must read as."""
    n, n_w = truth.size, number_format.n_w
    patch_bits = math.log2(max(2, n / 64)) + 1.5 + n_w
    stored = truth[under]
    candidates: list[tuple[float, int, PrefixCode]] = []
    magnitudes = ("plain",) if number_format.is_float else ("inverted", "negated")
    books = (
        book
        for magnitude in magnitudes
        for book in make_prefix_codes(stored, n_w, magnitude=magnitude, patch_bits=patch_bits)
    )
    for book in books:
        rank = book.rank_of(stored)
        per_class = np.bincount(rank[rank >= 0], minlength=book.lengths.size)
        told = per_class @ (book.lengths + book.tails + 1) + patch_bits * int(
            ((rank < 0) & (stored != 0)).sum()
        )
        told *= 1 + _ADDER * (book.magnitude == "negated")
        candidates.append((float(told) + table_bits(book), len(candidates), book))
    best: tuple[float, PrefixCode, int, list[int]] | None = None
    for _, _, book in sorted(candidates)[:_BOOKS]:
        rank = np.full(n, -1, np.int64)
        rank[under] = book.rank_of(stored)
        cost, n_out, widths = choose_rates(book.care_groups(rank), n, n_w, max_k)
        cost += table_bits(book) + patch_bits * int((under & (rank < 0) & (truth != 0)).sum())
        cost *= 1 + _ADDER * (book.magnitude == "negated")
        if best is None or cost < best[0]:
            best = (cost, book, n_out, widths)
    assert best is not None
    return best[1:]


def encode_prefix_tensor(
    values: NDArray,
    number_format: NumberFormat,
    *,
    mask: NDArray[np.bool_] | None = None,
    mask_code: ShapedMaskCode | None = None,
    shaped: bool | None = None,
    beam: int = 1024,
    max_k: int = 256,
    seed: int = 0,
) -> PrefixTensor:
    """Encode a tensor losslessly, words by a prefix code.

    A kept weight whose word is 0 counts as pruned: it reads back as 0 either way.

    Parameters
    ----------
    values : ndarray, any shape, dtype ``number_format.storage``
    number_format : NumberFormat
    mask : ndarray of bool, same shape, optional
        True = kept; by default what is not zero.
    mask_code : ShapedMaskCode, optional
        By default chosen by the density of the mask.
    shaped : bool, optional
        Use a shaped mask, or a bitmap; by default shaped where it is expected to be smaller.
    beam : int
        Paths of the mask's search, see ``encode_mask``.
    max_k : int
        Longest window of any group.
    seed : int

    Raises
    ------
    InputError
        Shapes do not fit, or a shaped mask is asked for whose density is above one half.
    """
    words = number_format.to_words(np.ascontiguousarray(values)).reshape(-1)
    kept = words != 0
    if mask is not None:
        if mask.shape != values.shape:
            raise InputError(f"the mask must have the weights' shape {values.shape}, not {mask.shape}")
        kept &= mask.reshape(-1)
    n, n_w = words.size, number_format.n_w
    density = float(kept.mean()) if n else 0.0
    if shaped is None:
        shaped = mask_code is not None or (n >= 256 and 0 < density <= _DENSEST)
    if shaped:
        mask_code = mask_code or ShapedMaskCode.for_zero_codeword(density, ZERO_BITS, seed=seed)
        scan = shaped_scan(kept, mask_code, n_w, max_k=max_k, seed=seed)
        wanted = scan.to_scan(kept)
        found = encode_mask(wanted, mask_code, cost_of_false_one=1.01 * ZERO_BITS, beam=beam)
        under, mask_symbols = found.decoded, found.symbols
    else:
        mask_code = None
        scan = choose_plan(kept, n_w, max_k=max_k, seed=seed).interleaver
        wanted = scan.to_scan(kept)
        under, mask_symbols = wanted, wanted.astype(np.uint8)
    truth = scan.to_scan(np.where(kept, words, words.dtype.type(0)))
    book, n_out, widths = _choose_book(truth, under, number_format, max_k)
    planes = np.zeros(n, np.uint64)
    rank = np.full(n, -1, np.int64)
    planes[under], rank[under] = book.bits_of(truth[under])
    groups = []
    for (first, end, care), n_in in zip(book.care_groups(rank), widths, strict=True):
        code = group_code(n_in, n_out, max_k // n_in - 1, seed)
        targets = planes >> np.uint64(book.planes - end) & np.uint64((1 << (end - first)) - 1)
        symbols = encode_segment(code, targets, care, rotated_rows(code))
        groups.append(PlaneGroup(first, end, code, symbols))
    stored = PrefixTensor(
        shape=tuple(values.shape),
        number_format=number_format,
        interleaver=scan,
        mask_code=mask_code,
        mask_symbols=mask_symbols,
        book=book,
        groups=tuple(groups),
        patches=Patches(positions=np.zeros(0, np.int64), differences=np.zeros(0, words.dtype)),
    )
    wrong = _decode_scan(stored) ^ truth
    positions = np.flatnonzero(wrong)
    return PrefixTensor(
        **{**stored.__dict__, "patches": Patches(positions=positions, differences=wrong[positions])}
    )


def _decode_scan(tensor: PrefixTensor) -> Words:
    """Decode the words in scan order as the hardware does: planes, codewords, mask, patches."""
    n = tensor.n
    if tensor.mask_code is None:
        mask = tensor.mask_symbols.astype(bool)
    else:
        mask = tensor.mask_code.decode(tensor.mask_symbols, n)
    planes = np.zeros(n, np.uint64)
    for group in tensor.groups:
        decoded = decode_words(group.code, group.symbols).reshape(-1)[:n]
        planes |= decoded << np.uint64(tensor.book.planes - group.end)
    words = tensor.book.words_of(planes, tensor.number_format.word)
    words = np.where(mask, words, words.dtype.type(0))
    words[tensor.patches.positions] ^= tensor.patches.differences
    return words


def decode_prefix_tensor(tensor: PrefixTensor) -> NDArray:
    """Decode a tensor, shape and dtype as they were encoded."""
    words = tensor.interleaver.from_scan(_decode_scan(tensor))
    return tensor.number_format.from_words(words).reshape(tensor.shape)


# -- the stream ---------------------------------------------------------------------------------------------------
_LENGTH_BITS = 32
_SCAN_BITS = 40
_LENGTH_FIELD, _TAIL_FIELD = 4, 6
_MASK_FIELDS = (("n_in", 11), ("n_out", 15), ("parities", 4), ("window", 7), ("taps", 7), ("seed", 32))


def _write_book(writer: BitWriter, book: PrefixCode) -> int:
    """Append the classes: length of the codeword, tail + 1, prefix."""
    bits = writer.field(book.lengths.size, 16) + writer.field(MAGNITUDES.index(book.magnitude), 2)
    for length, tail, prefix in zip(book.lengths, book.tails, book.prefixes, strict=True):
        bits += writer.field(int(length), _LENGTH_FIELD) + writer.field(int(tail) + 1, _TAIL_FIELD)
        if tail >= 0:
            bits += writer.field(int(prefix), book.n_w - 1 - int(tail))
    return bits


def _read_book(reader: BitReader, n_w: int) -> PrefixCode:
    classes = reader.field(16)
    magnitude = reader.field(2)
    if magnitude >= len(MAGNITUDES):
        raise InputError(f"the magnitude must be numbered 0 to {len(MAGNITUDES) - 1}, not {magnitude}")
    rows = []
    for _ in range(classes):
        length, tail = reader.field(_LENGTH_FIELD), reader.field(_TAIL_FIELD) - 1
        if tail >= n_w:
            raise InputError(f"the tail of a class must be at most {n_w - 1} bits, not {tail}")
        rows.append((length, tail, reader.field(n_w - 1 - tail) if tail >= 0 else 0))
    table = np.array(rows, np.int64).reshape(classes, 3)
    return PrefixCode(n_w, MAGNITUDES[magnitude], table[:, 0], table[:, 1], table[:, 2])


def table_bits(book: PrefixCode) -> int:
    """Return the bits that the stored code book takes."""
    return _write_book(BitWriter(), book)


def write_prefix_tensor(writer: BitWriter, tensor: PrefixTensor) -> dict[str, int]:
    """Append everything but shape and number format; return the bits by purpose."""
    n_w = tensor.number_format.n_w
    header = writer.field(tensor.interleaver.stride, _SCAN_BITS)
    header += writer.field(tensor.interleaver.offset, _SCAN_BITS)
    header += writer.field(int(tensor.mask_code is not None), 1)
    if tensor.mask_code is not None:
        for name, width in _MASK_FIELDS:
            header += writer.field(getattr(tensor.mask_code, name), width)
    header += _write_book(writer, tensor.book)
    if tensor.groups:
        header += writer.field(tensor.groups[0].code.n_out, 15)
        header += writer.field(tensor.groups[0].code.parameters["seed"], 32)
    for group in tensor.groups:
        header += writer.field(group.code.n_in, 11) + writer.field(group.code.n_s, 13)
    parts = {"mask": writer.raw(tensor.mask_symbols.reshape(-1))}
    parts["values"] = sum(writer.fields(group.symbols, group.end - group.first) for group in tensor.groups)
    form = tensor.corrections
    packed = form.pack(tensor.patches, tensor.n, n_w)
    header += writer.field(0 if isinstance(form, NoCorrections) else form.gap_bits, 6)
    parts["correction"] = writer.field(packed.size, _LENGTH_BITS) + writer.raw(packed)
    parts["table"] = header
    return parts


def read_prefix_tensor(
    reader: BitReader, shape: tuple[int, ...], number_format: NumberFormat
) -> PrefixTensor:
    """Read what `write_prefix_tensor` wrote.

    Raises
    ------
    InputError
        The stream ends early, or what it holds is no such tensor.
    """
    n, n_w = math.prod(shape), number_format.n_w
    scan = Interleaver(n, reader.field(_SCAN_BITS), reader.field(_SCAN_BITS))
    mask_code = None
    if reader.field(1):
        mask_code = ShapedMaskCode(**{name: reader.field(width) for name, width in _MASK_FIELDS})
    book = _read_book(reader, n_w)
    spans = [(first, end) for first, end, _ in book.care_groups(np.zeros(0, np.int64))]
    n_out, seed = (reader.field(15), reader.field(32)) if spans else (1, 0)
    codes = [group_code(reader.field(11), n_out, reader.field(13), seed) for _ in spans]
    gap_bits = 0
    if mask_code is None:
        mask_symbols = reader.raw(n)
    else:
        mask_symbols = reader.raw(mask_code.blocks(n) * mask_code.n_in).reshape(-1, mask_code.n_in)
    groups = []
    for (first, end), code in zip(spans, codes, strict=True):
        count = -(-n // code.n_out) * code.n_in
        symbols = reader.fields(count, end - first).reshape(-1, code.n_in)
        groups.append(PlaneGroup(first, end, code, symbols))
    gap_bits = reader.field(6)
    packed = reader.raw(reader.field(_LENGTH_BITS))
    form = JointCorrections(gap_bits) if gap_bits else NoCorrections()
    return PrefixTensor(
        shape=shape,
        number_format=number_format,
        interleaver=scan,
        mask_code=mask_code,
        mask_symbols=mask_symbols,
        book=book,
        groups=tuple(groups),
        patches=form.unpack(packed, n, n_w, number_format.word),
    )
