"""Random masks: right counts, and every choice equally likely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from xorweave.golden.pruning import random_masks as module
from xorweave.golden.pruning.random_masks import drop_at_random, random_masks


@given(st.integers(0, 12), st.integers(0, 999))
def test_counts(kept: int, seed: int) -> None:
    masks = random_masks({"a": (3, 4), "b": (2, 2)}, {"a": kept, "b": 4}, np.random.default_rng(seed))
    assert int(masks["a"].sum()) == kept and masks["a"].shape == (3, 4) and masks["b"].all()


def test_every_position_is_equally_likely() -> None:
    rng = np.random.default_rng(0)
    for kept in (3, 9):
        hits = sum(random_masks({"a": (12,)}, {"a": kept}, rng)["a"].astype(int) for _ in range(4000))
        # draws without replacement vary less than independent ones, so this test is on the safe side
        assert chisquare(hits).pvalue > 1e-4


def test_big_masks_are_drawn_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 5)
    rng = np.random.default_rng(1)
    hits = np.zeros(12)
    pairs = 0
    for _ in range(6000):
        mask = random_masks({"a": (12,)}, {"a": 4}, rng)["a"]
        assert int(mask.sum()) == 4
        hits += mask
        pairs += bool(mask[4] and mask[5])  # two neighbours in different blocks
    assert chisquare(hits).pvalue > 1e-4
    chance = 4 / 12 * 3 / 11
    assert abs(pairs / 6000 - chance) < 5 * np.sqrt(chance * (1 - chance) / 6000)


@given(st.integers(0, 999), st.data())
def test_dropping_stays_between_the_masks(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    low = rng.random((5, 6)) < 0.7
    high = low & (rng.random((5, 6)) < 0.4)
    kept = data.draw(st.integers(int(high.sum()), int(low.sum())))
    middle = drop_at_random(low, high, kept, rng)
    assert int(middle.sum()) == kept
    assert not (middle & ~low).any() and not (high & ~middle).any()
