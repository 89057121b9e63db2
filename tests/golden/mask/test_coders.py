from __future__ import annotations

import numpy as np
import pytest

from tests.golden.files.stored_examples import shaped_mask
from xorweave.golden.mask.coders import BitmapMask, DenseMask, MaskCoder, PackedBitmap


def coders() -> dict[str, MaskCoder]:
    kept = np.random.default_rng(3).random(413) < 0.2
    return {
        "none": DenseMask(413),
        "bitmap": BitmapMask(kept),
        "packed": PackedBitmap(np.packbits(kept, bitorder="little"), 413),
        "shaped": shaped_mask(kept, 64, 2),
        "shaped, one segment": shaped_mask(kept, 64, 7),
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
