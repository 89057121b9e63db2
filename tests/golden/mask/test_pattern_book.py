"""Pattern books against a reader that takes one bit after another, and masks through them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.files.stored_examples import BOOKS, book_mask
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.mask.pattern_book import (
    MAX_DEPTH,
    MAX_PATTERN,
    MOST_CODEWORDS,
    PatternBook,
    bits_of,
    patterns_in_order,
    patterns_of,
)
from xorweave.golden.tensor.book_mask import encode_book_mask


# -- the slow reader -------------------------------------------------------------------------------------------------
@cache
def in_order(m: int, inverted: bool) -> list[int]:
    """Patterns in the order of the codewords."""
    ordered = [
        sum(1 << i for i in ones) for n in range(m + 1) for ones in itertools.combinations(range(m), n)
    ]
    ordered.sort(key=lambda pattern: (pattern.bit_count(), pattern))
    return [pattern ^ ((1 << m) - 1) if inverted else pattern for pattern in ordered]


def codewords(counts: tuple[int, ...]) -> list[str]:
    """Codewords as text, in order: each the one before plus one, then as many zeros as it is longer."""
    found: list[str] = []
    value = 0
    for length, count in enumerate(counts, 1):
        value <<= 1
        for _ in range(count):
            found.append(f"{value:0{length}b}")
            value += 1
    return found


@cache
def table(book: PatternBook) -> tuple[dict[str, int], str | None]:
    """What each codeword stands for, and the escape if there is one."""
    words, patterns = codewords(book.counts), in_order(book.m, book.inverted)
    escape = words.pop() if len(words) < len(patterns) else None
    return dict(zip(words, patterns, strict=False)), escape


def read(book: PatternBook, bits: Iterator[str]) -> tuple[int, int]:
    """Take a pattern off bits; return it, and how many bits it took."""
    known, escape = table(book)
    word = ""
    while word not in known and word != escape:
        word += next(bits)
    if word != escape:
        return known[word], len(word)
    raw = [next(bits) for _ in range(book.m)]
    return int("".join(raw), 2), len(word) + book.m


def books(m: int) -> Iterator[PatternBook]:
    """Every book of patterns of m bits."""

    def every(length: int, free: int, left: int) -> Iterator[tuple[int, ...]]:
        # `free` prefixes of `length` bits are to be given, `left` codewords at most
        if not 0 < free <= left or length > MAX_DEPTH:
            return
        yield (free,)
        for count in range(free):
            for rest in every(length + 1, 2 * (free - count), left - count):
                yield (count, *rest)

    for counts in every(1, 2, 1 << m):
        for inverted in (False, True):
            yield PatternBook(m, counts, inverted)


def check(book: PatternBook, every: np.ndarray) -> None:
    """All that a book says of these patterns is what the slow reader makes of their planes."""
    planes, care = book.targets(every, np.ones(every.size, bool))
    words = book.words_of(planes, np.dtype(np.uint16))
    assert np.array_equal(words, every)
    for pattern, plane, bits in zip(every, planes, np.array(care).T, strict=True):
        text = f"{int(plane):0{book.planes}b}"
        assert read(book, iter(text)) == (pattern, book.bits_of_every_pattern[pattern])
        cared = sum(end - first for (first, end), cares in zip(book.spans, bits, strict=True) if cares)
        assert cared == book.bits_of_every_pattern[pattern]
        assert (
            bits[0] and (np.diff(bits.astype(int)) <= 0).all()
        )  # never a plane behind one that is not cared for
    assert not any(np.concatenate(book.targets(every, np.zeros(every.size, bool))[1]))


def check_any_planes(book: PatternBook, planes: np.ndarray) -> None:
    """Whatever the planes are, those that are cared for alone decide."""
    wanted = [read(book, iter(f"{int(plane):0{book.planes}b}"))[0] for plane in planes]
    assert np.array_equal(book.words_of(planes, np.dtype(np.uint16)), wanted)


# -- books -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("m", [2, 3])
def test_every_book_of_few_patterns(m: int) -> None:
    number = 0
    for book in books(m):
        number += 1
        check(book, np.arange(1 << m))
        check_any_planes(book, np.random.default_rng(number).integers(0, 1 << book.planes, 50))
    assert number == {2: 8, 3: 74}[m]


@pytest.mark.parametrize("m", [4, 5])
def test_some_books_of_every_pattern(m: int) -> None:
    rng = np.random.default_rng(m)
    for _ in range(60):
        book = PatternBook(m, random_counts(rng, m), bool(rng.random() < 0.5))
        check(book, np.arange(1 << m))
        check_any_planes(book, rng.integers(0, 1 << book.planes, 200))


def random_counts(rng: np.random.Generator, m: int) -> tuple[int, ...]:
    """Counts of a complete prefix code that a book of patterns of m bits may have."""
    most, counts, free, used = min(1 << m, MOST_CODEWORDS), [], 2, 0
    while True:
        here = int(rng.integers(0, free)) if free > 1 else 0
        last = len(counts) == MAX_DEPTH - 1 or used + here + 2 * (free - here) > most
        here = free if last or rng.random() < 0.1 else here
        counts.append(here)
        used, free = used + here, 2 * (free - here)
        if not free:
            return tuple(counts)


@settings(max_examples=60)
@given(st.integers(6, MAX_PATTERN), st.booleans(), st.integers(0, 10**6))
def test_books_of_long_patterns(m: int, inverted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    book = PatternBook(m, random_counts(rng, m), inverted)
    listed = np.array(in_order(m, inverted)[: book.codewords])
    assert np.array_equal(book.patterns, listed[: listed.size - book.escapes])
    some = rng.choice(listed, min(20, listed.size), replace=False)
    check(book, np.unique(np.r_[some, listed[-1], rng.integers(0, 1 << m, 10)]))
    check_any_planes(book, rng.integers(0, 1 << book.planes, 20))


def test_few_planes_are_looked_up_and_many_are_not() -> None:
    """The same either way."""
    book = BOOKS["escape"]
    planes = np.random.default_rng(0).integers(0, 1 << book.planes, 3 << book.planes)
    whole = book.words_of(planes, np.dtype(np.uint16))
    apart = [book.words_of(planes[i : i + 5], np.dtype(np.uint16)) for i in range(0, planes.size, 5)]
    assert np.array_equal(whole, np.concatenate(apart))


def test_patterns_are_in_order() -> None:
    assert patterns_in_order(3).tolist() == [0, 1, 2, 4, 3, 5, 6, 7]
    for m in range(2, 11):
        assert patterns_in_order(m).tolist() == in_order(m, False)


@pytest.mark.parametrize(
    ("m", "counts", "line"),
    [
        (1, (2,), "patterns of 2 to 16 bits and codewords of 1 to 15, not 1 and 1"),
        (17, (2,), "patterns of 2 to 16 bits and codewords of 1 to 15, not 17 and 1"),
        (2, (), "patterns of 2 to 16 bits and codewords of 1 to 15, not 2 and 0"),
        (8, (1,) * 15 + (2,), "patterns of 2 to 16 bits and codewords of 1 to 15, not 8 and 16"),
        (2, (2, 0), "counted up to the longest"),
        (4, (-1, 6), "counted up to the longest"),
        (2, (1, 0, 4, 1), "at most 4 codewords, not 6"),
        (16, (0,) * 9 + (1024,), "at most 512 codewords, not 1024"),
        (3, (1, 1), "a complete prefix code"),
        (3, (1, 3), "a complete prefix code"),
        (3, (1, 1, 1, 3), "a complete prefix code"),
    ],
)
def test_what_is_no_book_is_refused(m: int, counts: tuple[int, ...], line: str) -> None:
    with pytest.raises(InputError, match=line):
        PatternBook(m, counts)


# -- masks -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("m", range(2, MAX_PATTERN + 1))
@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 333])
def test_patterns_of_a_mask_and_back(m: int, length: int) -> None:
    mask = np.random.default_rng(length).random(length) < 0.3
    patterns = patterns_of(mask, m)
    assert patterns.shape == (-(-length // m),)
    by_hand = [sum(int(bit) << i for i, bit in enumerate(mask[k : k + m])) for k in range(0, length, m)]
    assert patterns.tolist() == by_hand
    assert np.array_equal(bits_of(patterns, m)[:length], mask)
    assert not bits_of(patterns, m)[length:].any()


@settings(max_examples=30)
@given(
    st.sampled_from(sorted(BOOKS)), st.integers(0, 600), st.none() | st.integers(1, 4), st.integers(0, 10**6)
)
def test_a_mask_comes_out_of_its_symbols(name: str, length: int, period: int | None, seed: int) -> None:
    """Decoded from the definition: planes of each group from its matrix, patterns by the slow reader."""
    book, rng = BOOKS[name], np.random.default_rng(seed)
    kept = rng.random(length) < (0.75 if book.inverted else 0.15)
    coder = book_mask(kept, book, book.m * (48 // book.m), period)
    planes = np.zeros((-(-length // coder.n_out) * (48 // book.m), book.planes), np.uint8)
    for group in coder.groups:
        for plane in range(group.first, group.end):
            bits = np.asarray(group.symbols) >> group.end - 1 - plane & 1
            planes[:, plane] = from_definition(group.code, bits.astype(np.uint8), coder.segment_blocks)
    read_back = [read(book, iter("".join(map(str, row))))[0] for row in planes]
    wanted = np.array([pattern >> i & 1 for pattern in read_back for i in range(book.m)], bool)[:length]
    assert np.array_equal(coder.decode(), wanted)
    if length:
        # a tenth more encoded bits than care bits, so next to all of it comes out
        assert np.count_nonzero(wanted != kept) <= 0.1 * length + 8


def from_definition(code: Code, symbols: np.ndarray, period: int) -> np.ndarray:
    """One plane: G times the window, a block at a time."""
    found = [np.zeros(0, np.uint8)]
    for t in range(symbols.shape[0]):
        window = [
            symbols[t - i] if t - i >= t // period * period else np.zeros(code.n_in, np.uint8)
            for i in range(code.n_s + 1)
        ]
        found.append(code.generator @ np.concatenate(window) % 2)
    return np.concatenate(found)


def test_the_first_group_has_the_identity() -> None:
    book, identity = BOOKS["escape"], Code.from_family("identity", n_in=8, n_out=8, n_s=0)
    other = Code.uniform(n_in=4, n_out=8, n_s=1, seed=0)
    kept = np.zeros(100, bool)
    for codes in (
        [identity, other],
        [other] * 4,
        [identity, other, other, Code.uniform(n_in=4, n_out=9, n_s=1, seed=0)],
    ):
        with pytest.raises(InputError, match=r"^there must be 4 codes of one n_out for the mask, the first"):
            encode_book_mask(kept, book, codes)
    assert encode_book_mask(kept, book, [identity, other, other, other]).segment_blocks == 5
