"""The differentiable run against the NumPy run, and autograd of the linearised network against ours."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden.network.random_networks import random_direct_masks, random_tensors
from xorweave.golden.network.catalogue import lenet_5, resnet_20, transformer_layer
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.layers import Activation, Affine, BatchNorm, LayerNorm, Multiply, Pool, Softmax
from xorweave.golden.network.linearised import linearised_gradient
from xorweave.golden.network.network import Network
from xorweave.golden.network.torch_model import torch_forward

torch = pytest.importorskip("torch", reason="PyTorch is not installed (extra train)")


def small_transformer() -> Network:
    return transformer_layer(tokens=3, features=8, inner=16, heads=2)


def softmaxes() -> Network:
    network = Network("softmaxes")
    x = network.dense(network.input((3, 4)), "w", 5)
    for axis in (-1, 0, 1):
        x = network.add(Multiply(), network.add(Softmax(axis), x), x)
    for scale, shift, axis in ((None, "a", 0), ("b", None, 0), ("c", "d", -1)):
        x = network.add(Affine(3 if axis == 0 else 5, scale, shift, axis), x)
    return network


@pytest.mark.parametrize("build", [lenet_5, resnet_20, small_transformer, softmaxes])
def test_computes_the_same(build: object) -> None:
    network = build()  # type: ignore[operator]
    rng = np.random.default_rng(0)
    tensors = random_tensors(network, rng)
    data = rng.normal(size=(2, *next(iter(network.nodes.values())).shape))
    with torch.no_grad():
        got = torch_forward(
            network, {n: torch.tensor(t) for n, t in tensors.items()}, torch.tensor(data)
        ).numpy()
    wanted = evaluate(network, tensors, data)[0]
    assert np.abs(got - wanted).max() < 1e-9 * np.abs(wanted).max()


@pytest.mark.parametrize("build", [lenet_5, resnet_20])
def test_linearised_gradient_is_what_autograd_finds(build: object) -> None:
    """The paper's recipe: no activations, average pooling, |w| * mask, ones in, outputs summed."""
    network = build()  # type: ignore[operator]
    plain = {}
    for node in network.nodes.values():
        assert not isinstance(node.layer, BatchNorm | LayerNorm)
        if isinstance(node.layer, Activation):
            plain[node.name] = Activation("identity")
        elif isinstance(node.layer, Pool):
            plain[node.name] = Pool("average", node.layer.kernel, node.layer.stride, node.layer.padding)
    linear = network.replaced(plain)
    rng = np.random.default_rng(0)
    tensors = random_tensors(network, rng)
    masks = random_direct_masks(network, 0.05, rng)
    held = {n: torch.zeros(s, dtype=torch.float64) for n, s in network.parameters.items()}
    strength = {n: torch.tensor(np.abs(tensors[n]) * masks[n], requires_grad=True) for n in masks}
    shape = next(iter(network.nodes.values())).shape
    torch_forward(linear, {**held, **strength}, torch.ones((1, *shape), dtype=torch.float64)).sum().backward()
    found = linearised_gradient(network, masks, tensors)
    for name, weight in strength.items():
        wanted = (weight * weight.grad).detach().numpy()
        assert np.allclose(found[name], wanted, rtol=1e-9, atol=1e-9 * wanted.max())
        assert ((found[name] != 0) == (wanted != 0)).all()
