from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.layers import store_layer, store_model

DATA = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[4] / "shared" / "data"))
LENET = DATA / "dns" / "derived" / "lenet300100_sparse.npz"


def pruned(shape: tuple[int, int], seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=shape) * (random.random(shape) < 0.05)).astype(np.float32)


def test_kept_weights_come_back_as_their_centroid_and_false_positives_are_counted() -> None:
    weights = pruned((100, 300), 0)
    layer = store_layer(weights, t=6, clusters=9)
    kept = weights != 0
    assert np.isin(layer.weights[kept], layer.centroids).all()
    nearest = layer.centroids[np.abs(weights[kept][:, None] - layer.centroids).argmin(axis=1)]
    assert np.array_equal(layer.weights[kept], nearest)
    assert layer.false_positives == (layer.weights[~kept] != 0).sum() > 0
    assert layer.compression == pytest.approx(32 * weights.size / layer.bits)


def test_later_layers_are_retrained_on_frozen_earlier_ones() -> None:
    tensors = {"first": pruned((40, 50), 1), "second": pruned((20, 40), 2), "bias": np.zeros(20, np.float32)}
    seen = []

    def retrain(now, frozen, step):  # type: ignore[no-untyped-def]
        seen.append((step, sorted(frozen)))
        assert all(np.array_equal(now[name], value) for name, value in frozen.items())
        changed = {name: value + np.float32(0.25) * (value != 0) for name, value in now.items()}
        return {**changed, "bias": now["bias"] + 1}

    model = store_model(tensors, ["first", "second"], retrain, t=8, clusters=7)
    assert seen == [(0, ["first"]), (1, ["first", "second"])]
    # the second layer went into its filter only after the retraining that followed the first
    kept = tensors["second"] != 0
    assert np.abs(model.layers["second"].weights[kept] - tensors["second"][kept] - 0.25).max() < 0.7
    assert np.array_equal(model.tensors["first"], model.layers["first"].weights)
    assert (model.tensors["bias"] == 2).all()
    with pytest.raises(
        InputError, match="the model must hold the layer 'third'; it holds first, second, bias"
    ):
        store_model(tensors, ["third"], retrain, t=8, clusters=7)


@pytest.mark.skipif(not LENET.exists(), reason=f"needs the published pruned LeNet ({LENET})")
@pytest.mark.parametrize("t", [6, 9])
def test_the_published_pruned_lenet_costs_about_t_c_bits_a_kept_weight(t: int) -> None:
    with np.load(LENET) as archive:
        weights = archive["ip1.weight"]
    layer = store_layer(weights, t=t, clusters=10, k=4)
    kept = np.count_nonzero(weights)
    assert layer.table.keys == kept
    assert layer.bits_per_kept_weight == pytest.approx(t * layer.table.cells_a_key, rel=0.02)
    expected = (weights.size - kept) * 10 / 2**t
    assert layer.false_positives == pytest.approx(expected, abs=5 * expected**0.5)
