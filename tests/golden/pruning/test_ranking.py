"""Masks cut from a ranking: right size, best first, nested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.pruning.quotas import QUOTAS
from xorweave.golden.pruning.ranking import GlobalRanking, LayerRanking, highest

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


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -2.0, np.inf, -np.inf]), max_size=30), st.integers(0, 31))
def test_the_highest_are_those_of_a_stable_sort(values: list[float], count: int) -> None:
    marked = np.zeros(len(values), bool)
    marked[sorted(range(len(values)), key=lambda place: -values[place])[:count]] = True
    assert (highest(np.array(values, float), count) == marked).all()


def test_scores_must_fit() -> None:
    score = scores(0)
    with pytest.raises(InputError, match=r"there must be a score for every weight tensor, but c has none"):
        GlobalRanking.of(SHAPES, {n: score[n] for n in "ab"})
    with pytest.raises(InputError, match=r"the scores of a must be numbers, but some are NaN"):
        GlobalRanking.of(SHAPES, {**score, "a": np.full((3, 5), np.nan)})
