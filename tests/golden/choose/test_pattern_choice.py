"""Pattern books are chosen for the fewest bits, and the mask that they encode comes back."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.pattern_choice import beside, choose_pattern_book, mask_codes
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.mask.pattern_book import PatternBook, patterns_of
from xorweave.golden.tensor.book_mask import encode_book_mask
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.figures import figures_of


def _mask(n: int, density: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n) < density


def _huffman_bits(histogram: np.ndarray) -> int:
    """Count the bits of Huffman's code: no prefix code takes fewer."""
    heap = [int(count) for count in histogram if count]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        total += joined
        heapq.heappush(heap, joined)
    return total


@pytest.mark.parametrize("density", [0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 0.95])
def test_codewords_take_hardly_more_than_huffman_s(density: float) -> None:
    """Few lengths and few codewords cost 2 % of the mask at most, beside what Huffman's own code loses."""
    kept = _mask(1 << 18, density)
    _, book = choose_pattern_book(kept)
    patterns = patterns_of(kept, book.m)
    bits = int(book.bits_of_every_pattern[patterns].sum())
    least = _huffman_bits(np.bincount(patterns, minlength=1 << book.m))
    assert least <= bits <= 1.02 * least
    assert bits <= (1.2 if density in (0.05, 0.95) else 1.015) * kept.size * binary_entropy(
        float(kept.mean())
    )


def test_no_book_of_small_patterns_is_better() -> None:
    """All complete books of 2 and 3 bits by counts of lengths, one after the other."""
    kept = _mask(1 << 16, 0.25)

    def complete(m: int) -> list[PatternBook]:
        found = []
        for counts in itertools.product(range(5), range(5), range(7), range(9)):
            trimmed = counts[: max((k + 1 for k, count in enumerate(counts) if count), default=0)]
            try:
                found.append(PatternBook(m, trimmed))
            except InputError:
                continue
        return found

    def bits(book: PatternBook) -> int:
        return int(book.bits_of_every_pattern[patterns_of(kept, book.m)].sum())

    chosen = choose_pattern_book(kept)[1]
    books = complete(2) + complete(3)
    assert len(books) > 20
    assert bits(chosen) <= min(map(bits, books))


@pytest.mark.parametrize("density", [0.03, 0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("n", [300, 4097, 50_000])
def test_tensors_come_back_whatever_their_mask(n: int, density: float) -> None:
    rng = np.random.default_rng(n)
    values = np.where(_mask(n, density, n), rng.integers(-60, 60, n), 0).astype(np.int8).reshape(1, n)
    stored = Choice(mask_code="book").encode(values, number_format("int8"), values != 0)
    assert stored.mask_coder.kind == "book"
    assert (decode_tensor(stored) == values).all()


@pytest.mark.parametrize(("density", "most"), [(0.1, 1.035), (0.3, 1.03), (0.8, 1.03)])
def test_masks_and_values_come_near_their_entropy(density: float, most: float) -> None:
    """A shaped mask, which is searched for, takes two percent more."""
    n = 1 << 18
    rng = np.random.default_rng(5)
    words = np.where(_mask(n, density), rng.integers(1, 256, n), 0).astype(np.uint8)
    values = words.view(np.int8).reshape(-1, 512)
    stored = Choice().encode(values, number_format("int8"), values != 0)
    figures = figures_of(stored)
    assert stored.mask_coder.kind == "book"
    assert figures.all_bits <= most * figures.bound_bits


def test_segments_of_a_mask_stand_by_themselves() -> None:
    kept = _mask(20_000, 0.1)
    book = PatternBook(6, (1, 0, 0, 6, 0, 0, 16))
    codes = mask_codes(book, 240, [(20, 3), (6, 5), (2, 7)])
    mask = encode_book_mask(kept, book, codes, segment_blocks=10, jobs=2)
    assert mask.segment_blocks == 10
    wrong = np.flatnonzero(mask.decode() != kept)
    assert wrong.size < 0.01 * kept.size
    for group in mask.groups:
        group.symbols[20:30] = 0
    # whatever the third segment holds, the others read as before
    again = mask.decode()
    inside = np.zeros(kept.size, bool)
    inside[20 * 240 : 30 * 240] = True
    assert (again != kept)[inside].sum() > 100
    assert (np.flatnonzero((again != kept) & ~inside) == wrong[~inside[wrong]]).all()


def test_what_is_foretold_of_a_mask_is_what_it_takes() -> None:
    """`beside` says how many bits care; the codes that are chosen with it take about as many."""
    kept = _mask(1 << 17, 0.1)
    _, book = choose_pattern_book(kept)
    groups = beside(kept, book, 8).groups
    care = sum((end - first) * int(bits.sum()) for first, end, bits in groups)
    patterns = patterns_of(kept, book.m)
    first_length = book.spans[0][1]
    assert care == int(book.bits_of_every_pattern[patterns].sum()) - first_length * patterns.size


def test_a_book_is_refused_where_raw_planes_alone_are_stored() -> None:
    for asked in ({"goal": "paper"}, {"scan": "lanes"}, {"error_free": True}, {"segments": 3}):
        with pytest.raises(InputError, match="mask_code must not be book where"):
            Choice(mask_code="book", **asked)
