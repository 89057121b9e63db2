"""Masks cut from a ranking: right size, best first, nested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.pruning.quotas import QUOTAS
from xorweave.golden.pruning.ranking import GlobalRanking, LayerRanking

SHAPES = {"a": (3, 5), "b": (2, 2, 2), "c": (4, 1)}


def scores(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 9, shape) for name, shape in SHAPES.items()}


@given(st.integers(0, 999), st.integers(0, 27))
def test_a_global_cut_keeps_the_highest_scores(seed: int, kept: int) -> None:
    score = scores(seed)
    masks = GlobalRanking.of(SHAPES, score).masks(kept)
    inside = np.concatenate([score[n][masks[n]] for n in SHAPES])
    outside = np.concatenate([score[n][~masks[n]] for n in SHAPES])
    assert inside.size == kept
    assert inside.min(initial=99) >= outside.max(initial=-1)


@given(st.integers(0, 999), st.integers(0, 27), st.sampled_from(["uniform", "erk", "igq"]))
def test_a_layer_cut_keeps_each_layers_highest_scores(seed: int, kept: int, quota: str) -> None:
    score = scores(seed)
    masks = LayerRanking(SHAPES, score, QUOTAS[quota]).masks(kept)
    assert {n: int(m.sum()) for n, m in masks.items()} == QUOTAS[quota](SHAPES, kept)
    for name, mask in masks.items():
        assert score[name][mask].min(initial=99) >= score[name][~mask].max(initial=-1)


def test_scores_must_fit() -> None:
    score = scores(0)
    with pytest.raises(InputError, match=r"there must be a score for every weight tensor, but c has none"):
        GlobalRanking.of(SHAPES, {n: score[n] for n in "ab"})
    with pytest.raises(InputError, match=r"the scores of a must be numbers, but some are NaN"):
        GlobalRanking.of(SHAPES, {**score, "a": np.full((3, 5), np.nan)})
