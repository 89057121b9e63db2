from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.network import Network
from xorweave.golden.network.training import Schedule, initial_tensors, train
from xorweave.golden.weightless.layers import store_layer, store_model, tensors_after

DATA = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[4] / "shared" / "data"))
STORE = partial(store_layer, t=8, clusters=7)
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
    assert layer.bits == layer.table.bits + 32 * 9
    assert layer.compression == pytest.approx(32 * weights.size / layer.bits)


def shaken(now, free, step):  # type: ignore[no-untyped-def]
    """Retraining that moves everything, also what it must leave alone."""
    return {
        name: value + 1 if "bias" in name else value + np.float32(0.25) * (value != 0)
        for name, value in now.items()
    }


def three_layers() -> tuple[Network, dict[str, np.ndarray]]:
    network = perceptron((50, 40, 20, 10))
    shapes = {**network.weights, **network.parameters}
    return network, {
        name: pruned(shape, seed) if len(shape) == 2 else np.full(shape, seed, np.float32)
        for seed, (name, shape) in enumerate(shapes.items(), 1)
    }


def test_only_what_comes_after_the_stored_layer_is_retrained() -> None:
    network, tensors = three_layers()
    seen = []

    def retrain(now, free, step):  # type: ignore[no-untyped-def]
        seen.append((step, sorted(free)))
        return shaken(now, free, step)

    model = store_model(network, tensors, ["fc2.weight", "fc3.weight"], STORE, retrain)
    assert seen == [(0, ["fc3.bias", "fc3.weight"])]  # after the last layer nothing is left to train
    # bit for bit as they were: the layer before, its bias, and the biases of both stored layers' own
    for name in ("fc1.weight", "fc1.bias", "fc2.bias"):
        assert model.tensors[name].tobytes() == tensors[name].tobytes()
    assert model.tensors["fc2.weight"].tobytes() == model.layers["fc2.weight"].weights.tobytes()
    # the third layer went into its filter only after the retraining that followed the second
    kept = tensors["fc3.weight"] != 0
    assert np.abs(model.layers["fc3.weight"].weights[kept] - tensors["fc3.weight"][kept] - 0.25).max() < 0.7
    assert np.array_equal(model.tensors["fc3.bias"], tensors["fc3.bias"] + 1)


def test_a_layer_stored_before_an_earlier_one_stays_stored() -> None:
    network, tensors = three_layers()
    model = store_model(network, tensors, ["fc2.weight", "fc1.weight"], STORE, shaken)
    for name in ("fc1.weight", "fc2.weight"):
        assert model.tensors[name].tobytes() == model.layers[name].weights.tobytes()
    assert np.array_equal(model.tensors["fc2.bias"], tensors["fc2.bias"])
    assert np.array_equal(model.tensors["fc3.bias"], tensors["fc3.bias"] + 2)


def test_what_comes_after_a_layer_follows_the_graph() -> None:
    # a, then b beside c, then d: c does not read b, and s is used on both sides of b
    network = Network()
    a = network.dense(network.input((4,)), "a.weight", 4, bias="a.bias")
    shared = network.dense(a, "s.weight", 4)
    b = network.dense(shared, "b.weight", 4, bias="b.bias")
    c = network.dense(a, "c.weight", 4)
    network.dense(network.dense(network.sum(b, c), "s.weight", 4), "d.weight", 2, bias="d.bias")
    assert set(tensors_after(network, "b.weight")) == {"d.weight", "d.bias"}
    assert set(tensors_after(network, "d.weight")) == set()
    with pytest.raises(InputError, match=r"must hold the layer 'x.weight'; it holds a.weight, s.weight"):
        tensors_after(network, "x.weight")


def test_real_training_leaves_what_was_stored_and_what_is_before_it_bit_for_bit() -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed (extra train)")
    network = perceptron((12, 30, 20, 10, 3))
    random = np.random.default_rng(0)
    images = random.normal(size=(300, 12)).astype(np.float32)
    labels = images[:, :3].argmax(axis=1)
    tensors = initial_tensors(network, 0)
    for name in network.weights:
        tensors[name] = tensors[name] * (random.random(tensors[name].shape) < 0.5)
    for name in network.parameters:
        tensors[name] = random.normal(size=tensors[name].shape).astype(np.float32)
    seen: list[dict[str, bytes]] = []

    def retrain(now, free, step):  # type: ignore[no-untyped-def]
        before = {name: value.tobytes() for name, value in now.items()}
        kept = {name: now[name] != 0 for name in network.weights}
        after = train(network, now, images, labels, kept, schedule=Schedule(epochs=3, rate=1e-2), free=free)
        # training moves all that is free, and nothing else
        assert {name for name in before if after[name].tobytes() != before[name]} == set(free)
        seen.append(before)
        return after

    order = list(network.weights)
    model = store_model(network, tensors, order, partial(store_layer, t=7, clusters=6), retrain)
    assert len(seen) == len(order) - 1
    # what was stored, and its bias, is at every later step and at the end what it was when it was stored
    for step, name in enumerate(order[:-1]):
        bias = name.replace("weight", "bias")
        for later in (*seen[step + 1 :], {key: value.tobytes() for key, value in model.tensors.items()}):
            assert later[name] == model.layers[name].weights.tobytes()
            assert later[bias] == seen[step][bias]
    assert model.tensors["fc1.bias"].tobytes() == tensors["fc1.bias"].tobytes()
    assert model.tensors["fc4.bias"].tobytes() != tensors["fc4.bias"].tobytes()


def test_a_layer_is_read_back_as_the_filter_answers_position_by_position() -> None:
    weights = pruned((90, 70), 5)
    layer = store_layer(weights, t=6, clusters=9)
    answers = [int(layer.table.query(np.array([at]))[0]) for at in range(weights.size)]
    wanted = [layer.centroids[answer] if answer < 9 else np.float32(0) for answer in answers]
    assert layer.weights.reshape(-1).tolist() == wanted
    assert layer.false_positives == sum(answer < 9 for answer in answers) - np.count_nonzero(weights)


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
