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
