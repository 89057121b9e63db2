"""Random masks: right counts, and every choice equally likely."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

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


@given(st.integers(0, 999), st.data())
def test_dropping_stays_between_the_masks(seed: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(seed)
    low = rng.random((5, 6)) < 0.7
    high = low & (rng.random((5, 6)) < 0.4)
    kept = data.draw(st.integers(int(high.sum()), int(low.sum())))
    middle = drop_at_random(low, high, kept, rng)
    assert int(middle.sum()) == kept
    assert not (middle & ~low).any() and not (high & ~middle).any()
