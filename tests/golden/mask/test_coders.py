from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.golden.files.stored_examples import BOOKS, book_mask, shaped_mask
from xorweave.golden.mask.coders import BitmapMask, BookMask, DenseMask, MaskCoder, PackedBitmap


def coders() -> dict[str, MaskCoder]:
    kept = np.random.default_rng(3).random(413) < 0.2
    return {
        "none": DenseMask(413),
        "bitmap": BitmapMask(kept),
        "packed": PackedBitmap(np.packbits(kept, bitorder="little"), 413),
        "shaped": shaped_mask(kept, 64, 2),
        "shaped, one segment": shaped_mask(kept, 64, 7),
        "book": book_mask(kept, BOOKS["escape"], 63, 2),
        "book, one segment": book_mask(kept, BOOKS["wide"], 60),
        "book, inverted": book_mask(~kept, BOOKS["inverted"], 64, 3),
    }


@pytest.mark.parametrize("name", coders())
def test_a_part_is_the_slice_of_the_whole(name: str) -> None:
    coder = coders()[name]
    whole = coder.decode()
    assert whole.shape == (413,) and whole.dtype == bool
    for begin in range(0, 414, 7):
        for end in range(begin, 414, 13):
            assert np.array_equal(coder.part(begin, end), whole[begin:end])


def test_stored_bits() -> None:
    sizes = {name: coder.bits for name, coder in coders().items()}
    assert (sizes["none"], sizes["bitmap"], sizes["packed"]) == (0, 413, 413)
    assert 0 < sizes["shaped"] < 413


def test_every_segment_of_a_shaped_mask_is_a_stream_of_its_own() -> None:
    coder = coders()["shaped"]
    code, symbols = coder.code, coder.symbols  # type: ignore[union-attr]
    apart = [
        code.decode(symbols[first : first + 2], len(symbols[first : first + 2]) * 64)
        for first in range(0, 7, 2)
    ]
    assert np.array_equal(coder.decode(), np.concatenate(apart)[:413])


@pytest.mark.parametrize("period", [1, 2, 3])
def test_every_segment_of_a_book_is_a_stream_of_its_own(period: int) -> None:
    kept = np.random.default_rng(3).random(413) < 0.2
    coder = book_mask(kept, BOOKS["escape"], 63, period)
    assert coder.n_out == 63 and coder.segment_blocks == period
    apart = []
    for first in range(0, 7, period):
        groups = tuple(
            replace(group, symbols=group.symbols[first : first + period]) for group in coder.groups
        )
        length = min(413, (first + period) * 63) - first * 63
        apart.append(BookMask(coder.book, groups, length, period).decode())
    assert np.array_equal(coder.decode(), np.concatenate(apart))


@pytest.mark.parametrize("name", coders())
def test_ones_before_a_position(name: str) -> None:
    coder = coders()[name]
    before = np.r_[0, np.cumsum(coder.decode())]
    for position in (0, 1, 63, 64, 100, 413):
        assert coder.ones_before(position) == before[position]
