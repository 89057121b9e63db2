"""One small stored tensor of every kind that can be stored, and what it means that two are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from xorweave.golden.base.number_format import FORMATS, Words, number_format
from xorweave.golden.choose import mask_choice
from xorweave.golden.choose.book_choice import choose_book
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.pattern_choice import mask_codes
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.mask.coders import BitmapMask, BookMask, DenseMask, ShapedMask
from xorweave.golden.mask.pattern_book import PatternBook, patterns_of
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.scan import Scan
from xorweave.golden.tensor.book_mask import encode_book_mask
from xorweave.golden.tensor.encode import EncodeOptions, encode_stored, encode_tensor
from xorweave.golden.tensor.packed import pack_tensor
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.packed_words import PackedWords
from xorweave.golden.values.raw_planes import RawPlanes

SHORT = Code.uniform(n_in=4, n_out=10, n_s=1, seed=3)
CUSTOM = Code(n_in=4, n_out=10, n_s=1, generator=SHORT.generator[::-1])


def random_tensor(
    name: str, shape: tuple[int, ...] = (6, 11), density: float = 0.4, seed: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Values of any words, and a mask."""
    form = number_format(name)
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << form.n_w, shape, np.uint64).astype(form.word)
    return form.from_words(words), rng.random(shape) < density


def raw_example(name: str = "int8", code: Code = SHORT, seed: int = 1, **options: Any) -> EncodedTensor:
    values, mask = random_tensor(name, seed=seed)
    inner = {key: options.pop(key) for key in EncodeOptions.__dataclass_fields__ if key in options}
    return encode_tensor(
        values, FORMATS[name], code, mask=mask, **options,
        options=EncodeOptions(**{"encoder": "elimination", **inner}),
    )  # fmt: skip


def few_planes() -> EncodedTensor:
    values = np.random.default_rng(2).integers(-4, 4, (9, 14)).astype(np.int8)
    return encode_tensor(values, FORMATS["int8"], SHORT, transform="difference", drop_planes=True)


def small_words(name: str, n: int, density: float, seed: int) -> Words:
    """Words of a skewed distribution, 0 where they are pruned."""
    form = number_format(name)
    rng = np.random.default_rng(seed)
    values = np.round(rng.laplace(0, 2, n)) if not form.is_float else rng.laplace(0, 2, n)
    kept = rng.random(n) < density
    if form.is_float:
        words = form.to_words(np.where(kept, values, 0).astype(form.storage))
    else:
        top = (1 << form.n_w - 1) - 1
        words = form.to_words(np.where(kept, np.clip(values, -top, top), 0).astype(form.storage))
    return words


def shaped_mask(kept: np.ndarray, n_out: int, period: int) -> ShapedMask:
    """A shaped mask in segments of `period` blocks, each a stream of its own."""
    code = mask_choice.shaped_code(float(kept.mean()), n_out)
    parts = [
        mask_choice.encode_shaped(kept[first : first + period * n_out], code, beam=16).symbols
        for first in range(0, kept.size, period * n_out)
    ]
    return ShapedMask(code, np.concatenate(parts), kept.size, period)


def prefix_example(
    name: str = "int8",
    *,
    shaped: bool = True,
    n: int = 700,
    density: float = 0.2,
    period: int = 3,
    seed: int = 5,
) -> EncodedTensor:
    """A prefix book in several groups, in several segments, under a shaped mask or a bitmap, patches and all."""
    form, n_out = FORMATS[name], 64
    words = small_words(name, n, density, seed)
    scan = Interleaver(n, next(s for s in range(7, n) if math.gcd(s, n) == 1), 7)
    truth = scan.to_scan(words)
    mask = shaped_mask(truth != 0, n_out, period) if shaped else BitmapMask(truth != 0)
    found = choose_book(truth, mask.decode(), form, max_k=32, n_out=n_out)
    assert found is not None
    return encode_stored(
        words,
        shape=(n,),
        number_format=form,
        scan=scan,
        mask_coder=mask,
        values=found.values,
        codes=found.codes(0),
        options=EncodeOptions(encoder="elimination", segment_blocks=period),
    )


#: Books by what is unusual about them; which density each is for, 0.2 or 0.7, follows from whether it is inverted.
BOOKS = {
    "escape": PatternBook(3, (1, 1, 2)),
    "every pattern": PatternBook(2, (1, 1, 2)),
    "one plane": PatternBook(2, (2,)),
    "inverted": PatternBook(2, (1, 1, 2), inverted=True),
    "inverted, escape": PatternBook(4, (0, 3, 2), inverted=True),
    "wide": PatternBook(10, (0, 1, 2, 6, 4)),
    "widest": PatternBook(16, (1, 0, 3, 1, 2)),
}


def book_mask(kept: np.ndarray, book: PatternBook, n_out: int, period: int | None = None) -> BookMask:
    """A mask through a book, in segments of `period` blocks, each code with a tenth more bits than care bits."""
    outputs = n_out // book.m
    _, care = book.targets(patterns_of(kept, book.m), np.ones(-(-kept.size // book.m), bool))
    sizes = []
    for bits in care[1:]:
        n_in = min(outputs, max(1, math.ceil(1.1 * outputs * np.count_nonzero(bits) / max(1, bits.size))))
        sizes.append((n_in, max(2, 24 // n_in)))
    return encode_book_mask(kept, book, mask_codes(book, n_out, sizes), segment_blocks=period)


def book_example(
    book: str = "escape",
    name: str = "int8",
    *,
    values: str = "prefix",
    scan: str = "affine",
    n: int = 500,
    period: int | None = None,
    corrections: str = "auto",
    seed: int = 5,
    all_usual: bool = True,
) -> EncodedTensor:
    """A tensor whose mask goes through a book, under any value coder, scan, segments and corrections."""
    form, coder = FORMATS[name], BOOKS[book]
    n_out = coder.m * (64 // coder.m)
    words = small_words(name, n, 0.7 if coder.inverted else 0.2, seed)
    order: Scan = Interleaver(n)
    if scan == "affine":
        order = Interleaver(n, next(s for s in range(7, n) if math.gcd(s, n) == 1), 7)
    truth = order.to_scan(words)
    mask = book_mask(truth != 0, coder, n_out, period)
    density = float(mask.decode().mean()) if n else 0.0
    n_in = min(n_out, math.ceil(1.1 * n_out * density) + 1)
    raw = usual_graph(n_in, n_out, 1) if all_usual else Code.uniform(n_in=n_in, n_out=n_out, n_s=1, seed=3)
    coded, codes = RawPlanes(form.n_w), [raw]
    if values == "prefix":
        found = choose_book(truth, mask.decode(), form, max_k=128 if coder.inverted else 32, n_out=n_out)
        assert found is not None
        coded, codes = found.values, found.codes(0)  # type: ignore[assignment]
    return encode_stored(
        words,
        shape=(n,),
        number_format=form,
        scan=order,
        mask_coder=mask,
        values=coded,
        codes=codes,
        options=EncodeOptions(encoder="elimination", segment_blocks=period, corrections=corrections),
    )


def dense_example() -> EncodedTensor:
    values, _ = random_tensor("int4", (5, 8))
    form = FORMATS["int4"]
    return encode_stored(
        form.to_words(values).reshape(-1),
        shape=values.shape,
        number_format=form,
        scan=Interleaver(values.size),
        mask_coder=DenseMask(values.size),
        values=RawPlanes(4),
        codes=[Code.from_family("identity", n_in=10, n_out=10, n_s=0)],
        options=EncodeOptions(),
    )


def lanes_example() -> EncodedTensor:
    values, mask = random_tensor("int8", (8, 30), 0.3)
    return Choice(scan="lanes", lanes=4).encode(values, FORMATS["int8"], mask)


def shared_example() -> EncodedTensor:
    """The first rows of a code that serves a sparser tensor too."""
    values, mask = random_tensor("int8", (20, 30), 0.3)
    code = Code.from_family("chain", n_in=8, n_out=80, n_s=3, seed=0, taps=2)
    return encode_tensor(values, FORMATS["int8"], code.first_rows(24), mask=mask)


def packed_example(name: str, density: float) -> EncodedTensor:
    """No code: kept words one after another, all of them, or none."""
    values, mask = random_tensor(name, density=density)
    words = np.where(mask, FORMATS[name].to_words(values) | 1, 0).astype(FORMATS[name].word)
    return pack_tensor(words.reshape(-1), values.shape, FORMATS[name])


KINDS = {
    "raw": raw_example,
    "paper": lambda: raw_example("int4", corrections="paper"),
    "custom code": lambda: raw_example(code=CUSTOM, corrections="plane"),
    "segments": lambda: raw_example(
        "fp16", scan=Interleaver(66, 41, 7), segment_blocks=3, corrections="joint"
    ),
    "bounded": lambda: raw_example("bf16", corrections="bounded:9", segment_blocks=2),
    "constant planes": few_planes,
    "dense": dense_example,
    "prefix, bitmap": lambda: prefix_example("int4", shaped=False, n=200),
    "prefix, shaped": prefix_example,
    "book": lambda: book_example(n=130),
    "book, raw, segments": lambda: book_example("inverted, escape", "int4", values="raw", n=200, period=2),
    "book, codes in full": lambda: book_example("wide", values="raw", n=130, all_usual=False),
    "lanes": lanes_example,
    "shared": shared_example,
    "packed": lambda: packed_example("int4", 0.3),
    "packed, no mask": lambda: packed_example("fp16", 1.0),
    "zeros": lambda: packed_example("int8", 0.0),
    "empty": lambda: encode_tensor(np.zeros((0, 4), np.int8), FORMATS["int8"], SHORT),
    "scalar": lambda: encode_tensor(np.full((), 3, np.int8), FORMATS["int8"], SHORT),
}

#: What files of this version hold besides: read from frozen bytes, too.
FROZEN = {
    **KINDS,
    **{f"book, {name}": (lambda name=name: book_example(name, n=130)) for name in BOOKS},
    "book, codes in full, segments": lambda: book_example(
        values="raw", n=200, all_usual=False, period=2, corrections="plane"
    ),
    "usual graph": lambda: raw_example(code=usual_graph(4, 10, 2)),
    "usual graph of few columns": lambda: raw_example(code=usual_graph(2, 10, 0)),
    "usual chain": lambda: raw_example(
        code=Code.from_family("chain", n_in=4, n_out=10, n_s=1, taps=2, run=10)
    ),
    "usual graphs of a book of values": lambda: prefix_example("int4", shaped=False, n=120),
}


def assert_same(a: EncodedTensor, b: EncodedTensor) -> None:
    """Everything that is stored is the same, whether it is packed or not."""
    for name in ("shape", "number_format", "correction_format", "segment_blocks", "checksum", "encoder"):
        assert getattr(a, name) == getattr(b, name), name
    assert a.segment_checksums == b.segment_checksums
    assert (a.scan.spec, a.scan.n, a.scan.length) == (b.scan.spec, b.scan.n, b.scan.length)
    assert (a.mask_coder.kind, a.mask_coder.bits) == (b.mask_coder.kind, b.mask_coder.bits)
    assert np.array_equal(a.mask, b.mask)
    if isinstance(a.mask_coder, ShapedMask) and isinstance(b.mask_coder, ShapedMask):
        assert np.array_equal(np.asarray(a.mask_coder.symbols), np.asarray(b.mask_coder.symbols))
        assert a.mask_coder.code == b.mask_coder.code
    if isinstance(a.mask_coder, BookMask) and isinstance(b.mask_coder, BookMask):
        assert a.mask_coder.book == b.mask_coder.book and a.mask_coder.segment_blocks == b.segment_blocks
        assert_same_groups(a.mask_coder.groups, b.mask_coder.groups)
    assert a.values.kind == b.values.kind and a.values.spans == b.values.spans
    if isinstance(a.values, RawPlanes):
        assert a.values == b.values
    elif isinstance(a.values, PackedWords) and isinstance(b.values, PackedWords):
        assert np.array_equal(np.asarray(a.values.words), np.asarray(b.values.words))
    else:
        for name in ("magnitude", "lengths", "tails", "prefixes"):
            assert np.array_equal(getattr(a.values, name), getattr(b.values, name)), name
    assert_same_groups(a.groups, b.groups)
    assert np.array_equal(a.patches.positions, b.patches.positions)
    assert np.array_equal(a.patches.differences, b.patches.differences)
    assert a.patches.differences.dtype == b.patches.differences.dtype


def assert_same_groups(some: Sequence[PlaneGroup], others: Sequence[PlaneGroup]) -> None:
    """They are of the same planes, codes and symbols."""
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert (one.first, one.end) == (other.first, other.end)
        assert one.code.spec == other.code.spec and one.code.check_value == other.code.check_value
        assert np.array_equal(np.asarray(one.symbols), np.asarray(other.symbols))
        assert one.symbols.dtype == other.symbols.dtype
