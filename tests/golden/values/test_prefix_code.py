from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.prefix_code import MAGNITUDES, PrefixCode, make_prefix_codes


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


def all_choices(tail: int, prefix: int) -> list[list[tuple[int, int]]]:
    """Return every set of classes (tail, prefix) under one prefix that do not overlap."""
    divided = [
        one + other
        for one in (all_choices(tail - 1, 2 * prefix) if tail else [])
        for other in all_choices(tail - 1, 2 * prefix + 1)
    ]
    return [[], [(tail, prefix)], *(choice for choice in divided if choice)]


def total_of(
    classes: list[tuple[int, int]], lengths: tuple[int, ...], words: list[int], patch_bits: float
) -> float:
    """Bits of two magnitude bits' words: codeword, sign, tail, or a patch; 10 bits and the prefix a class."""
    total = sum(10 + 2 - tail for tail, _ in classes)
    for word in words:
        if word == 0:
            total += lengths[-1]
            continue
        magnitude = word & 3 if word < 4 else ~word & 3
        found = [i for i, (tail, prefix) in enumerate(classes) if magnitude >> tail == prefix]
        total += lengths[found[0]] + 1 + classes[found[0]][0] if found else patch_bits
    return total


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=8, max_size=8),
    st.sampled_from([3.0, 12.0]),
    st.sampled_from(["inverted", "prefix-inverted"]),
)
def test_classes_and_lengths_are_the_best_there_are(
    counts: list[int], patch_bits: float, magnitude: str
) -> None:
    """Against every set of classes with every choice of lengths that Kraft's inequality allows."""
    counts[0] += 1  # the word 0
    words = [word for word, count in enumerate(counts) for _ in range(count)]
    books = make_prefix_codes(
        np.array(words, np.uint8), 3, magnitude=magnitude, patch_bits=patch_bits, class_bits=0
    )
    least = min(
        total_of(classes, lengths, words, patch_bits)
        for classes in all_choices(2, 0)
        for lengths in itertools.product(range(1, 4), repeat=len(classes) + 1)
        if sum(8 >> length for length in lengths) <= 8
    )
    totals = []
    for book in books:
        rows = list(zip(book.tails.tolist(), book.prefixes.tolist(), book.lengths.tolist(), strict=True))
        classes = [(tail, prefix) for tail, prefix, _ in rows if tail >= 0]
        zero = [length for tail, _, length in rows if tail < 0]
        lengths = [length for tail, _, length in rows if tail >= 0]
        totals.append(total_of(classes, (*lengths, *zero), words, patch_bits))
    assert min(totals) <= least + 1e-9  # longer codewords than 3 bits may be better still


def test_dearer_classes_are_fewer() -> None:
    words = drawn_words(8, "integer", 4)
    sizes = [
        max(
            book.lengths.size
            for book in make_prefix_codes(
                words, 8, magnitude="prefix-inverted", patch_bits=20, class_bits=class_bits
            )
        )
        for class_bits in (0.0, 0.02, 0.2)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_no_tail_plane_is_there_for_rare_words_alone() -> None:
    """Behind the book of each length stands the one with a tail plane less; its other words are patched."""
    words = drawn_words(8, "integer", 5)
    books = make_prefix_codes(words, 8, magnitude="prefix-inverted", patch_bits=20)
    assert min(book.planes for book in books if (book.rank_of(words) < 0).mean() < 0.05) <= 9


def drawn_words(n_w: int, kind: str, seed: int) -> np.ndarray:
    """Words of a skewed distribution, zeros among them."""
    random = np.random.default_rng(seed)
    dtype = np.dtype({4: np.uint8, 8: np.uint8, 16: np.uint16, 32: np.uint32}[n_w])
    if kind == "float":
        floats = random.standard_normal(400).astype({16: np.float16, 32: np.float32}[n_w])
        return np.where(random.random(400) < 0.2, floats.dtype.type(0), floats).view(dtype)
    normal = np.clip(
        np.round(random.standard_normal(400) * 2 ** (n_w - 3)), 1 - 2 ** (n_w - 1), 2 ** (n_w - 1) - 1
    )
    return (normal.astype(np.int64) & ((1 << n_w) - 1)).astype(dtype)


@given(
    st.sampled_from(
        [
            (4, "inverted"),
            (8, "inverted"),
            (8, "negated"),
            (8, "prefix-inverted"),
            (16, "prefix-inverted"),
            (16, "negated"),
            (16, "plain"),
            (32, "plain"),
        ]
    ),
    st.floats(8, 60),
    st.integers(0, 1000),
)
def test_words_come_back_whatever_their_dont_cares_are(
    form: tuple[int, str], patch_bits: float, seed: int
) -> None:
    n_w, magnitude = form
    words = drawn_words(n_w, "float" if magnitude == "plain" else "integer", seed)
    random = np.random.default_rng(seed)
    for book in make_prefix_codes(words, n_w, magnitude=magnitude, patch_bits=patch_bits):
        planes, rank = book.bits_of(words)
        if not book.lengths.size:  # patches cost less than any class
            assert (rank < 0).all()
            continue
        cared = np.zeros(words.shape, np.uint64)
        for first, end, care in book.care_groups(rank):
            cared |= np.where(care, np.uint64((1 << (end - first)) - 1 << (book.planes - end)), np.uint64(0))
        noise = random.integers(0, 1 << book.planes, words.size, np.uint64) if book.planes else 0
        back = book.words_of(planes ^ (noise & ~cared), words.dtype)
        known = rank >= 0
        assert np.array_equal(back[known], words[known])
        # care bits are what a word takes: codeword, sign and tail
        taken = np.where(book.tails[rank] >= 0, book.lengths[rank] + 1 + book.tails[rank], book.lengths[rank])
        assert np.array_equal(np.bitwise_count(cared)[known], taken[known])
        assert not cared[~known].any()


def test_classes_cost_about_the_entropy_of_the_words() -> None:
    """Within a few hundredths of a bit of Huffman on every word, with a small fraction of its table."""
    random = np.random.default_rng(2)
    levels = np.clip(np.round(random.standard_normal(20_000) * 30), -127, 127).astype(np.int8).view(np.uint8)
    levels[levels == 0] = 1
    counts = np.bincount(levels)
    least = huffman_total(counts[counts > 0].tolist()) / levels.size
    totals = []
    for book in make_prefix_codes(levels, 8, magnitude="inverted", patch_bits=20):
        rank = book.rank_of(levels)
        assert book.lengths.size < 30
        taken = np.where(rank >= 0, book.lengths[rank] + 1 + book.tails[rank], 20)
        totals.append(float(taken.mean()))
    assert least < min(totals) < least + 0.1


def test_every_word_of_eight_bits_has_one_magnitude_and_sign() -> None:
    """The least integer, which has no negative, shares its magnitude with no other word but 0, a class of its own."""
    words = np.arange(256, dtype=np.uint8)
    for magnitude in MAGNITUDES:
        book = PrefixCode(8, magnitude, np.array([1, 1]), np.array([-1, 7]), np.array([0, 0]))
        planes, rank = book.bits_of(words)
        assert rank.tolist() == [0] + [1] * 255
        assert np.unique(planes[1:]).size == 255
        assert np.array_equal(book.words_of(planes, words.dtype), words)


def test_no_codeword_begins_another() -> None:
    book = make_prefix_codes(drawn_words(8, "integer", 3), 8, magnitude="inverted", patch_bits=20)[-1]
    texts = [
        format(code, f"0{book.depth}b")[:length]
        for code, length in zip(book.first_codes, book.lengths, strict=True)
    ]
    assert len(texts) > 4
    assert not any(a != b and b.startswith(a) for a, b in itertools.permutations(texts, 2))


def test_without_words_there_are_no_classes() -> None:
    (book,) = make_prefix_codes(np.zeros(0, np.uint8), 8, magnitude="inverted", patch_bits=20)
    assert book.planes == 0 and not book.care_groups(np.zeros(0, np.int64))
    (book, *_) = make_prefix_codes(np.zeros(5, np.uint8), 8, magnitude="inverted", patch_bits=20)
    assert book.tails.tolist() == [-1] and book.words_of(
        np.zeros(2, np.uint64), np.dtype(np.uint8)
    ).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("lengths", "tails", "prefixes", "message"),
    [
        ([1, 1, 2], [3, 3, 3], [1, 2, 3], "there is no prefix code of these lengths"),
        ([1, 2], [3, 2], [1, 3], "classes must not overlap, and must lie among the magnitudes"),
        ([1, 2], [3, 3], [1, 16], "classes must not overlap, and must lie among the magnitudes"),
        ([2, 1], [3, 3], [1, 2], "lengths must rise from at least 1 to at most 15"),
        ([1, 16], [3, 3], [1, 2], "lengths must rise from at least 1 to at most 15"),
        ([1, 2], [3, 8], [1, 0], "tails must be between 0 and 7, and -1 for the word 0 alone"),
        ([1, 2], [-1, -1], [0, 0], "tails must be between 0 and 7, and -1 for the word 0 alone"),
        ([1, 2], [-1, 3], [1, 0], "prefixes must not be negative, and 0 for the word 0"),
        ([1], [3, 3], [1, 2], "every class must have one length, one tail and one prefix"),
    ],
)
def test_books_that_are_none_are_refused(
    lengths: list[int], tails: list[int], prefixes: list[int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        PrefixCode(8, "inverted", np.array(lengths), np.array(tails), np.array(prefixes))
