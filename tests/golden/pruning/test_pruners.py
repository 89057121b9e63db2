"""Every method, to a direct and to an effective target."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.pruning.pruners import METHODS, prune
from xorweave.golden.pruning.sparsity import measure_sparsity

NETWORK = perceptron((40, 30, 20, 5))
RNG = np.random.default_rng(0)
TENSORS = {name: RNG.normal(size=shape) for name, shape in NETWORK.weights.items()}
GRADIENTS = {name: RNG.normal(size=shape) for name, shape in NETWORK.weights.items()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("effective", [False, True])
def test_targets_are_met(method: str, effective: bool) -> None:
    masks = prune(
        NETWORK, TENSORS, method=method, sparsity=0.9, effective=effective, gradients=GRADIENTS, seed=3
    )
    total = measure_sparsity(NETWORK, masks)[1]
    if effective:
        assert 0.88 < total.effective_sparsity <= 0.9 + 1e-9
    else:
        assert total.direct_sparsity == pytest.approx(0.9, abs=0.0005)


@pytest.mark.parametrize("method", ["magnitude", "lamp", "snip"])
@pytest.mark.parametrize("quota", ["uniform", "erk", "igq"])
def test_scores_work_with_layer_quotas(method: str, quota: str) -> None:
    masks = prune(NETWORK, TENSORS, method=method, sparsity=0.8, quota=quota, gradients=GRADIENTS)
    assert measure_sparsity(NETWORK, masks)[1].direct_sparsity == pytest.approx(0.8, abs=0.0005)


@pytest.mark.parametrize("quota", ["magnitude", "lamp", "snip", "synflow:20"])
@pytest.mark.parametrize("seed", [1, 2])
def test_random_pruning_reshuffles_the_layers_of_a_scored_pruning(quota: str, seed: int) -> None:
    words = {"sparsity": 0.9, "gradients": GRADIENTS}
    scored = prune(NETWORK, TENSORS, method=quota, **words)
    shuffled = prune(NETWORK, TENSORS, method="random", quota=quota, seed=seed, **words)
    for name, mask in scored.items():
        assert shuffled[name].sum() == mask.sum()
        assert (shuffled[name] != mask).any()
    # to an effective target the counts are those of a shallower cut of the same ranking
    effective = prune(NETWORK, TENSORS, method="random", quota=quota, seed=seed, effective=True, **words)
    assert all(effective[name].sum() >= shuffled[name].sum() for name in scored)
    assert 0.85 < measure_sparsity(NETWORK, effective)[1].effective_sparsity <= 0.9 + 1e-9


def test_scores_within_the_layer_counts_of_another_method() -> None:
    counts = {name: mask.sum() for name, mask in prune(NETWORK, TENSORS, method="lamp", sparsity=0.8).items()}
    masks = prune(NETWORK, TENSORS, method="magnitude", quota="lamp", sparsity=0.8)
    for name, mask in masks.items():
        assert mask.sum() == counts[name]
        assert np.abs(TENSORS[name][mask]).min() > np.abs(TENSORS[name][~mask]).max()


def test_what_a_method_needs_is_named() -> None:
    with pytest.raises(
        InputError, match="must be one of random, magnitude, lamp, snip, grasp, synflow, not 'l1'"
    ):
        prune(NETWORK, TENSORS, method="l1", sparsity=0.5)
    with pytest.raises(InputError, match="snip needs gradients of the loss, or images to find them with"):
        prune(NETWORK, TENSORS, method="snip", sparsity=0.5)
    with pytest.raises(InputError, match="magnitude pruning needs the weights"):
        prune(NETWORK, None, method="magnitude", sparsity=0.5)
    with pytest.raises(InputError, match="pruning in rounds ranks all layers together and takes no quota"):
        prune(NETWORK, TENSORS, method="synflow", sparsity=0.5, quota="erk")
    with pytest.raises(InputError, match=r"the quota must be one of uniform.*, or a method .*, not 'random'"):
        prune(NETWORK, TENSORS, method="random", sparsity=0.5, quota="random")
    with pytest.raises(InputError, match="synflow pruning needs the weights"):
        prune(NETWORK, None, method="random", sparsity=0.5, quota="synflow")
    with pytest.raises(InputError, match="magnitude pruning scores once and takes no rounds"):
        prune(NETWORK, TENSORS, method="random", sparsity=0.5, quota="magnitude:3")
