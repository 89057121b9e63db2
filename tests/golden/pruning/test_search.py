"""Searches for an effective target against trying every cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import lenet_5, perceptron
from xorweave.golden.pruning.quotas import QUOTAS, igq
from xorweave.golden.pruning.ranking import GlobalRanking
from xorweave.golden.pruning.search import alive_count, kept_count, least_alive, search_random, search_ranking

TINY = perceptron((6, 5, 4, 2))


@given(st.integers(0, 999), st.floats(0, 1))
@settings(max_examples=15, deadline=None)
def test_the_cut_is_the_deepest_that_meets_the_target(seed: int, sparsity: float) -> None:
    rng = np.random.default_rng(seed)
    ranking = GlobalRanking.of(TINY.weights, {n: rng.random(s) for n, s in TINY.weights.items()})
    masks = search_ranking(TINY, ranking, sparsity)
    counts = [alive_count(TINY, ranking.masks(k)) for k in range(TINY.connections + 1)]
    meeting = [k for k, alive in enumerate(counts) if 1 - alive / TINY.connections <= sparsity + 1e-9]
    assert sum(int(m.sum()) for m in masks.values()) == min(meeting)


@given(st.integers(0, 999), st.floats(0, 1), st.sampled_from(["uniform", "erk", "igq"]))
@settings(max_examples=40, deadline=None)
def test_random_search_meets_the_target_and_its_quotas(seed: int, sparsity: float, quota: str) -> None:
    masks = search_random(TINY, QUOTAS[quota], sparsity, seed=seed)
    assert 1 - alive_count(TINY, masks) / TINY.connections <= sparsity + 1e-9
    kept = sum(int(m.sum()) for m in masks.values())
    for name, count in QUOTAS[quota](TINY.weights, kept).items():
        assert abs(int(masks[name].sum()) - count) <= 2


def test_random_search_comes_close_on_a_real_size_and_is_reproducible() -> None:
    network = lenet_5()
    masks = search_random(network, igq, 0.99, seed=4)
    alive, wanted = alive_count(network, masks), kept_count(network, 0.99)
    assert wanted <= alive <= 1.01 * wanted
    again = search_random(network, igq, 0.99, seed=4)
    assert all((masks[n] == again[n]).all() for n in masks)
    other = search_random(network, igq, 0.99, seed=5)
    assert any((masks[n] != other[n]).any() for n in masks)


def test_targets_are_rounded_so_that_no_more_is_cut_than_asked() -> None:
    network = perceptron((10, 1))
    # 10 * (1 - .7) is 3.0000000000000004 in doubles
    for sparsity, least in ((0.7, 3), (0.69, 4), (0.75, 3), (0.76, 3), (0.0, 10), (0.999, 1), (1.0, 0)):
        assert least_alive(network, sparsity) == least


def test_sparsity_must_be_a_share() -> None:
    with pytest.raises(InputError, match=r"sparsity must lie between 0 and 1, not 90"):
        kept_count(TINY, 90)
