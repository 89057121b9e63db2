"""Training with PyTorch: gradients against finite differences, masks respected, results reproducible."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.network import training
from xorweave.golden.network.batch_norms import with_batch_norms
from xorweave.golden.network.catalogue import lenet_5, lenet_300_100, perceptron
from xorweave.golden.network.digits import load_digits
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.network import Network
from xorweave.golden.network.reachability import effective_masks
from xorweave.golden.network.training import (
    Schedule,
    accuracy,
    flow_gradients,
    initial_tensors,
    loss_gradients,
    train,
)
from xorweave.golden.pruning.quotas import erk
from xorweave.golden.pruning.random_masks import random_masks


def test_absence_of_pytorch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"training and SNIP need PyTorch: pip install '.\[train\]'"):
        loss_gradients(perceptron((2, 2)), {}, np.zeros((1, 2)), np.zeros(1))


@pytest.fixture
def torch() -> object:
    return pytest.importorskip("torch", reason="PyTorch is not installed (extra train)")


def test_gradients_against_finite_differences(torch: object) -> None:
    network = perceptron((5, 4, 3))
    rng = np.random.default_rng(0)
    tensors = initial_tensors(network, 1)
    images, labels = rng.normal(size=(6, 5)), rng.integers(0, 3, 6)
    found = loss_gradients(network, tensors, images, labels)

    def loss(changed: dict) -> float:
        out = evaluate(network, changed, images)[0]
        return float(np.mean(np.log(np.exp(out).sum(axis=1)) - out[np.arange(6), labels]))

    for name in network.weights:
        for index in np.ndindex(*network.weights[name]):
            sides = []
            for step in (1e-4, -1e-4):
                changed = {key: value.astype(np.float64) for key, value in tensors.items()}
                changed[name][index] += step
                sides.append(loss(changed))
            assert found[name][index] == pytest.approx((sides[0] - sides[1]) / 2e-4, abs=1e-4)


def test_gradients_under_masks_are_those_of_the_pruned_network(torch: object) -> None:
    network = perceptron((5, 4, 3))
    rng = np.random.default_rng(1)
    tensors = initial_tensors(network, 1)
    masks = {name: rng.random(shape) < 0.6 for name, shape in network.weights.items()}
    images, labels = rng.normal(size=(6, 5)).astype(np.float32), rng.integers(0, 3, 6)
    pruned = {name: values * masks[name] if name in masks else values for name, values in tensors.items()}
    for find in (loss_gradients, flow_gradients):
        expected, found = find(network, pruned, images, labels), find(network, tensors, images, labels, masks)
        for name in network.weights:
            assert np.array_equal(found[name], expected[name])
            assert found[name][~masks[name]].any()  # what a pruned weight would change counts, too


def test_the_hessian_times_the_gradient_against_finite_differences(torch: object) -> None:
    """H g is how the gradient changes along itself."""
    network = perceptron((5, 4, 3))
    rng = np.random.default_rng(2)
    tensors = initial_tensors(network, 2)
    images, labels = rng.normal(size=(8, 5)).astype(np.float32), rng.integers(0, 3, 8)
    found = flow_gradients(network, tensors, images, labels, temperature=1.0)
    gradient = loss_gradients(network, tensors, images, labels)
    step = 1e-2
    ahead, behind = (
        loss_gradients(
            network,
            {
                name: v + side * step * gradient[name] if name in gradient else v
                for name, v in tensors.items()
            },
            images,
            labels,
        )
        for side in (1, -1)
    )
    for name in network.weights:
        slope = (ahead[name] - behind[name]) / (2 * step)
        assert np.allclose(found[name], slope, atol=2e-3 * max(1.0, np.abs(slope).max()))
        assert np.abs(slope).max() > 1e-2


def test_training_learns_under_a_mask_and_is_reproducible(torch: object) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra train)")
    digits = load_digits()
    network = lenet_300_100()
    rng = np.random.default_rng(0)
    masks = {name: rng.random(shape) < 0.1 for name, shape in network.weights.items()}
    start = initial_tensors(network, 0)
    before = accuracy(network, start, digits.test_images, digits.test_labels, masks)
    first = train(
        network, start, digits.train_images, digits.train_labels, masks, schedule=Schedule(epochs=3)
    )
    again = train(
        network, start, digits.train_images, digits.train_labels, masks, schedule=Schedule(epochs=3)
    )
    after = accuracy(network, first, digits.test_images, digits.test_labels)
    assert before < 0.4 and after > 0.7
    assert all(not first[name][~masks[name]].any() for name in masks)
    assert all((first[name] == again[name]).all() for name in first)


def test_only_free_tensors_are_trained(torch: object) -> None:
    rng = np.random.default_rng(0)
    network = perceptron((6, 16, 2))
    images = rng.normal(size=(400, 6)).astype(np.float32)
    labels = (images[:, 0] > 0).astype(np.int64)
    start = initial_tensors(network, 0)
    start["fc1.weight"][0] = -0.0  # pruned or not, a tensor that is not free keeps its bits
    start["fc2.weight"][:, ::2] = 0
    masks = {name: start[name] != 0 for name in network.weights}
    free = ["fc2.weight", "fc2.bias"]
    after = train(network, start, images, labels, masks, schedule=Schedule(rate=1e-2), free=free)
    for name in ("fc1.weight", "fc1.bias"):
        assert after[name].tobytes() == start[name].tobytes()
    assert not after["fc2.weight"][:, ::2].any()
    for name in free:
        assert not np.array_equal(after[name], start[name])
    assert accuracy(network, after, images, labels) > accuracy(network, start, images, labels) + 0.1
    unchanged = train(network, start, images, labels, free=[])
    assert all(unchanged[name].tobytes() == start[name].tobytes() for name in start)
    with pytest.raises(InputError, match=r"free must name tensors of perceptron: fc1.weight"):
        train(network, start, images, labels, free=["fc9.weight"])


def test_steps_are_those_of_the_schedule_worked_out_by_hand(torch: object) -> None:
    """One layer, one example: momentum, L2 on the weight alone, the rate a tenth in the second half."""
    network = perceptron((2, 2))
    start = {"fc1.weight": np.array([[0.5, -1.0], [0.25, 0.75]]), "fc1.bias": np.array([0.1, -0.2])}
    image, label = np.array([[1.0, -2.0]]), np.array([1])
    plan = Schedule(epochs=4, batch=1, rate=0.1, momentum=0.9, decay=0.05, drops=(0.5,))
    found = train(network, start, image.astype(np.float32), label, schedule=plan)
    w, b, speed_w, speed_b = start["fc1.weight"].copy(), start["fc1.bias"].copy(), 0.0, 0.0
    for step in range(4):
        out = w @ image[0] + b
        error = np.exp(out) / np.exp(out).sum() - np.array([0.0, 1.0])
        speed_w = 0.9 * speed_w + np.outer(error, image[0]) + 2 * 0.05 * w
        speed_b = 0.9 * speed_b + error
        rate = 0.1 if step < 2 else 0.01
        w, b = w - rate * speed_w, b - rate * speed_b
    assert np.allclose(found["fc1.weight"], w, atol=1e-6)
    assert np.allclose(found["fc1.bias"], b, atol=1e-6)


def test_batch_norms_learn_the_statistics_of_the_batches(torch: object) -> None:
    network = with_batch_norms(perceptron((3, 4, 2)))
    assert network.weights == perceptron((3, 4, 2)).weights
    rng = np.random.default_rng(0)
    images = (rng.normal(size=(50, 3)) * 3 + 5).astype(np.float32)
    labels = (images[:, 0] > 5).astype(np.int64)
    start = initial_tensors(network, 0)
    assert (start["fc1.norm.variance"] == 1).all() and (start["fc1.norm.weight"] == 1).all()
    # one step of one batch: a tenth of the way from 0 and 1 to mean and variance (n - 1) of the layer's outputs
    one = train(network, start, images, labels, schedule=Schedule(epochs=1, batch=50))
    outputs = images @ start["fc1.weight"].T
    assert np.allclose(one["fc1.norm.mean"], 0.1 * outputs.mean(axis=0), atol=1e-5)
    assert np.allclose(one["fc1.norm.variance"], 0.9 + 0.1 * outputs.var(axis=0, ddof=1), rtol=1e-5)
    # statistics that are not free stay, and are used as they are
    free = [name for name in start if name.startswith("fc2.")]
    held = train(network, one, images, labels, schedule=Schedule(epochs=1), free=free)
    for name in ("fc1.norm.mean", "fc1.norm.variance", "fc1.norm.weight", "fc1.weight"):
        assert held[name].tobytes() == one[name].tobytes()
    learned = train(network, start, images, labels, schedule=Schedule(epochs=40, rate=1e-2))
    assert accuracy(network, learned, images, labels) > 0.9


def test_what_is_not_trained_is_run_once_and_gives_the_same(
    torch: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two paths leave the layer that stays; one of them meets the trained layer later."""
    network = Network("fork")
    start = network.dense(network.input((6,)), "a.weight", 5, bias="a.bias")
    side = network.dense(network.relu(start), "b.weight", 4, bias="b.bias")
    out = network.dense(network.relu(start), "c.weight", 4, bias="c.bias")
    network.dense(network.relu(network.sum(side, out)), "d.weight", 3, bias="d.bias")
    rng = np.random.default_rng(0)
    tensors = initial_tensors(network, 1)
    images, labels = rng.normal(size=(90, 6)).astype(np.float32), rng.integers(0, 3, 90)
    free = ["c.weight", "c.bias", "d.weight", "d.bias"]
    words = {"schedule": Schedule(epochs=4, batch=10, rate=1e-2), "free": free}
    found = train(network, tensors, images, labels, **words)
    run: list[set[str]] = []
    forward = training.torch_forward

    def spied(*arguments: object, known: dict, **rest: object) -> object:
        run.append(set(known))
        return forward(*arguments, **rest)  # everything anew, nothing known

    monkeypatch.setattr(training, "torch_forward", spied)
    anew = train(network, tensors, images, labels, **words)
    assert len(run) == 4 * 9 and run[0] == {"b", "activation_2"}
    assert all(np.allclose(found[name], anew[name], atol=1e-5) for name in found)
    assert all((found[name] != tensors[name]).any() for name in free)


def test_batch_norms_do_not_change_what_is_alive() -> None:
    network = lenet_5()
    masks = random_masks(network.weights, erk(network.weights, 2000), np.random.default_rng(0))
    plain, normed = (effective_masks(n, masks) for n in (network, with_batch_norms(network)))
    behind_convolutions = with_batch_norms(network, dense=False)
    assert sorted(set(behind_convolutions.parameters) - set(network.parameters)) == sorted(
        f"conv{i}.norm.{part}" for i in (1, 2) for part in ("weight", "bias", "mean", "variance")
    )
    assert sum(int(mask.sum()) for mask in plain.values()) < 2000
    assert all(np.array_equal(plain[name], normed[name]) for name in network.weights)


def test_digits_have_the_size_lenet_reads() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra train)")
    digits = load_digits(seed=3)
    assert digits.train_images.shape == (1348, 1, 28, 28) and digits.test_images.shape == (449, 1, 28, 28)
    assert digits.train_images.min() == 0 and digits.train_images.max() == 1
    other = load_digits(seed=4)
    assert (other.test_labels != digits.test_labels).any()
    out = accuracy(lenet_5(), initial_tensors(lenet_5(), 0), digits.test_images[:20], digits.test_labels[:20])
    assert 0 <= out <= 1


def test_images_must_fit(torch: object) -> None:
    network = perceptron((5, 3))
    with pytest.raises(InputError, match=r"images of shape \(4,\) do not fit the input \(5,\) of perceptron"):
        loss_gradients(network, initial_tensors(network, 0), np.zeros((1, 4)), np.zeros(1))
