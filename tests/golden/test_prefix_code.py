from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.errors import InputError
from xorweave.golden.prefix_code import PrefixCode, limited_lengths, make_prefix_code


def huffman_total(counts: list[int]) -> int:
    """Least total of any prefix code: Huffman's sum of merged weights."""
    heap = list(counts)
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def least_total(counts: list[int], longest: int) -> int:
    """Least total under the limit, by trying every choice of lengths that Kraft's inequality allows."""
    choices = itertools.product(range(1, longest + 1), repeat=len(counts))
    return min(
        sum(c * length for c, length in zip(counts, lengths, strict=True))
        for lengths in choices
        if sum(1 << (longest - length) for length in lengths) <= 1 << longest
    )


@given(st.lists(st.integers(1, 100), min_size=2, max_size=6), st.integers(3, 4))
def test_limited_lengths_are_the_best_there_are(counts: list[int], longest: int) -> None:
    counts = sorted(counts, reverse=True)
    lengths = limited_lengths(np.array(counts), longest)
    assert lengths.max() <= longest
    assert sum(2.0 ** -int(length) for length in lengths) <= 1
    assert int((lengths * counts).sum()) == least_total(counts, longest)


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=40))
def test_without_a_limit_that_binds_it_is_huffman(counts: list[int]) -> None:
    counts = sorted(counts, reverse=True)
    assert int((limited_lengths(np.array(counts), 40) * counts).sum()) == huffman_total(counts)


def test_too_many_symbols_for_the_limit_are_refused() -> None:
    with pytest.raises(InputError, match="9 symbols must have codewords of more than 3 bits"):
        limited_lengths(np.ones(9, np.int64), 3)


@given(
    st.sampled_from([(8, 8), (16, 6), (16, 16), (32, 9), (4, 4)]),
    st.integers(6, 12),
    st.integers(0, 1000),
)
def test_words_come_back_whatever_their_dont_cares_are(
    sizes: tuple[int, int], longest: int, seed: int
) -> None:
    n_w, head_bits = sizes
    random = np.random.default_rng(seed)
    dtype = np.dtype({4: np.uint8, 8: np.uint8, 16: np.uint16, 32: np.uint32}[n_w])
    words = (random.geometric(0.05, 300).astype(np.uint64) << np.uint64(max(0, n_w - 9))).astype(dtype)
    words &= dtype.type((1 << n_w) - 1)
    book = make_prefix_code(words, n_w, head_bits, longest=longest, patch_bits=30.0)
    planes, lengths = book.bits_of(words)
    known = lengths > 0
    assert known.any() and book.depth <= longest
    # what lies behind a codeword, and the tail of the word 0, may be anything
    behind = (np.uint64(1) << (book.depth - lengths[known]).astype(np.uint64)) - np.uint64(1)
    noise = random.integers(0, 1 << 16, known.sum(), np.uint64) & behind
    dirty = planes[known] ^ noise << np.uint64(book.tail_bits)
    zero = words[known] == 0
    dirty[zero] ^= np.uint64((1 << book.tail_bits) - 1)
    assert np.array_equal(book.words_of(dirty, dtype), words[known])


def test_no_codeword_begins_another() -> None:
    words = np.repeat(np.arange(40, dtype=np.uint8), np.arange(1, 41))
    book = make_prefix_code(words, 8, 8, longest=9, patch_bits=30.0)
    texts = [
        format(code, f"0{book.depth}b")[:length]
        for code, length in zip(book.first_codes, book.lengths, strict=True)
    ]
    assert len(texts) == 40
    assert not any(a != b and b.startswith(a) for a, b in itertools.permutations(texts, 2))
    assert [end for _, end in book.groups] == sorted(set(book.lengths.tolist()))


@pytest.mark.parametrize(
    ("symbols", "lengths", "message"),
    [
        ([1, 2, 3], [1, 1, 2], "there is no prefix code of these lengths"),
        ([1, 1], [1, 2], "the symbols of a prefix code must be different"),
        ([1, 2], [2, 1], "lengths must rise from at least 1 to at most 16"),
        ([1, 2], [1, 17], "lengths must rise from at least 1 to at most 16"),
        ([1, 300], [1, 2], "symbols must be between 0 and 256"),
        ([1], [1, 2], "every symbol must have one length"),
    ],
)
def test_books_that_are_none_are_refused(symbols: list[int], lengths: list[int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PrefixCode(8, 8, np.array(symbols), np.array(lengths))
