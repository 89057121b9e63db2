"""Direct and effective sparsity: definitions, and the gap the paper reports."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from xorweave.golden.network.catalogue import lenet_300_100, perceptron
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.pruning.sparsity import Sparsity, measure_sparsity


def test_counts_of_a_network_small_enough_to_see() -> None:
    network = perceptron((2, 2, 1))
    masks = {"fc1.weight": np.array([[1, 1], [0, 0]]), "fc2.weight": np.array([[1, 1]])}
    layers, total = measure_sparsity(network, masks)
    assert [(layer.kept, layer.alive, layer.inactivated) for layer in layers] == [(2, 2, 0), (2, 1, 1)]
    assert (total.total, total.kept, total.alive) == (6, 4, 3)
    assert total.direct_compression == 1.5 and total.effective_compression == 2
    assert total.effective_sparsity == 0.5


def test_a_cut_network_is_infinitely_compressed_and_still_json() -> None:
    network = perceptron((2, 2, 1))
    masks = {"fc1.weight": np.zeros((2, 2)), "fc2.weight": np.ones((1, 2))}
    total = measure_sparsity(network, masks)[1]
    assert math.isinf(total.effective_compression)
    assert json.loads(json.dumps(total.to_dict()))["effective_compression"] is None


@pytest.mark.parametrize(
    ("direct", "quota", "low", "high"),
    [
        (100, "uniform", 850, 1150),
        (100, "erk", 111, 117),
        (100, "igq", 101, 103),
        (316, "uniform", 12_000, 40_000),
        (316, "erk", 780, 1020),
        (316, "igq", 430, 490),
    ],
)
def test_random_masks_show_the_published_gap(direct: int, quota: str, low: float, high: float) -> None:
    """Median of 11; measured apart from the same definitions: 993, 114, 102 and 17747, 899, 456."""
    network = lenet_300_100()
    found = []
    for seed in range(11):
        masks = prune(network, None, method="random", sparsity=1 - 1 / direct, quota=quota, seed=seed)
        found.append(measure_sparsity(network, masks)[1].effective_compression)
    assert low < np.median(found) < high


def test_a_tensor_without_weights_has_a_sparsity() -> None:
    found = Sparsity("w", (0, 8), total=0, kept=0, alive=0).to_dict()
    assert found["direct_sparsity"] == found["effective_sparsity"] == 0
    assert found["direct_compression"] is None
    json.dumps(found, allow_nan=False)
