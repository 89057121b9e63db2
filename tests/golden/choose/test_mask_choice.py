"""A mask that is encoded in segments: each of them its own piece of the mask."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.choose import mask_choice
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode


def test_segments_are_pieces_of_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_choice, "_SEGMENT", 2000)
    kept = random_mask((70, 100), 0.9, 3).reshape(-1)
    code = ShapedMaskCode.for_density(0.1, 8)
    found = mask_choice.encode_shaped(kept, code, beam=16)
    assert found.segment_blocks * code.n_out < kept.size
    decoded = found.decode()
    for first in range(0, kept.size, found.segment_blocks * code.n_out):
        piece = slice(first, first + found.segment_blocks * code.n_out)
        assert np.mean(decoded[piece] != kept[piece]) < 0.1


def test_the_seed_is_frozen() -> None:
    code, seeds = mask_choice.shaped_code(0.1, 64), [mask_choice.shaped_code(0.1, 64, seed=k) for k in (0, 1)]
    assert code == seeds[0] and code != seeds[1]
