from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.training import accuracy, initial_tensors
from xorweave.golden.weightless.retraining import retrain_unfrozen

pytest.importorskip("torch", reason="needs the extra 'train'")


def test_frozen_layers_stay_and_pruned_weights_stay_pruned_while_the_rest_learns() -> None:
    random = np.random.default_rng(0)
    network = perceptron((6, 16, 2))
    images = random.normal(size=(400, 6)).astype(np.float32)
    labels = (images[:, 0] > 0).astype(np.int64)
    tensors = initial_tensors(network, 0)
    tensors["fc2.weight"][:, ::2] = 0
    before = {name: value.copy() for name, value in tensors.items()}
    after = retrain_unfrozen(network, tensors, ["fc1.weight"], images, labels, epochs=20, rate=1e-2)
    assert np.array_equal(after["fc1.weight"], before["fc1.weight"])
    assert (after["fc2.weight"][:, ::2] == 0).all()
    assert not np.array_equal(after["fc2.weight"], before["fc2.weight"])
    assert all(np.array_equal(tensors[name], before[name]) for name in tensors)
    assert accuracy(network, after, images, labels) > accuracy(network, before, images, labels) + 0.1
