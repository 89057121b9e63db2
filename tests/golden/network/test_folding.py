"""Folding must not change the function: both networks are run on data, in NumPy and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.network.random_networks import (
    convolutional,
    fully_connected,
    random_direct_masks,
    random_tensors,
)
from xorweave.golden.network.catalogue import CATALOGUE, perceptron, transformer_layer
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.folding import fold_biases
from xorweave.golden.network.layers import Activation, Layer, Opaque
from xorweave.golden.network.network import Network
from xorweave.golden.network.reachability import effective_masks

SMALL = [name for name in CATALOGUE if CATALOGUE[name]().connections < 2_000_000]


def outputs_differ(network: Network, tensors: dict, masks: dict, folded: object, data: np.ndarray) -> float:
    before = evaluate(network, tensors, data, masks)
    after = evaluate(folded.network, folded.tensors, data, folded.masks)  # type: ignore[attr-defined]
    scale = max(1.0, max(np.abs(out).max(initial=0) for out in before))
    return max(np.abs(a - b).max(initial=0) for a, b in zip(before, after, strict=True)) / scale


@given(
    st.one_of(fully_connected(), convolutional()),
    st.floats(0.1, 0.9),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_function_is_unchanged(network: Network, density: float, seed: int, bias_maps: bool) -> None:
    rng = np.random.default_rng(seed)
    masks = random_direct_masks(network, density, rng)
    tensors = random_tensors(network, rng)
    folded = fold_biases(network, tensors, masks, bias_maps=bias_maps)
    shape = next(iter(network.nodes.values())).shape
    assert outputs_differ(network, tensors, masks, folded, rng.normal(size=(5, *shape))) < 1e-9
    alive = effective_masks(network, masks)
    for name, mask in folded.masks.items():
        assert not (mask & ~masks[name]).any()
        extra = int(np.count_nonzero(mask & ~alive[name]))
        assert extra == folded.kept.get(name, 0) and not (alive[name] & ~mask).any()
    if bias_maps:
        assert not folded.kept
    else:
        assert not folded.position_dependent


@given(st.floats(0.02, 0.5), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_function_of_attention_is_unchanged(density: float, seed: int) -> None:
    network = transformer_layer(tokens=3, features=8, inner=12, heads=2)
    rng = np.random.default_rng(seed)
    masks, tensors = random_direct_masks(network, density, rng), random_tensors(network, rng)
    folded = fold_biases(network, tensors, masks)
    assert outputs_differ(network, tensors, masks, folded, rng.normal(size=(4, 3, 8))) < 1e-9


def test_without_folding_the_function_would_change() -> None:
    """Why folding is needed: a unit without inputs whose bias feeds a live unit."""
    network = perceptron((2, 2, 1))
    tensors = {
        "fc1.weight": np.ones((2, 2)),
        "fc1.bias": np.array([0.0, 3.0]),
        "fc2.weight": np.ones((1, 2)),
        "fc2.bias": np.array([0.5]),
    }
    masks = network.dense_masks()
    masks["fc1.weight"][1] = False
    alive = effective_masks(network, masks)
    assert alive["fc2.weight"].tolist() == [[True, False]]
    data = np.ones((1, 2))
    assert evaluate(network, tensors, data, masks)[0] != evaluate(network, tensors, data, alive)[0]
    folded = fold_biases(network, tensors, masks)
    assert folded.tensors["fc2.bias"].tolist() == [3.5] and folded.changed == ("fc2.bias",)


def padded_case() -> tuple[Network, dict, dict]:
    network = Network("padded")
    x = network.conv(network.input((1, 4, 4)), "a.weight", 2, 3, padding=1, bias="a.bias")
    network.conv(x, "b.weight", 1, 3, padding=1)
    rng = np.random.default_rng(0)
    masks = network.dense_masks()
    masks["a.weight"][1] = False
    return network, random_tensors(network, rng), masks


def test_padding_makes_the_folded_bias_depend_on_the_position() -> None:
    network, tensors, masks = padded_case()
    kept = fold_biases(network, tensors, masks)
    assert kept.kept == {"b.weight": 9} and kept.changed == ()
    maps = fold_biases(network, tensors, masks, bias_maps=True)
    assert maps.position_dependent == ("b.bias",) and maps.tensors["b.bias"].shape == (1, 4, 4)
    inner = maps.tensors["b.bias"][0, 1:3, 1:3]
    assert np.allclose(inner, inner[0, 0]) and not np.allclose(maps.tensors["b.bias"], inner[0, 0])
    data = np.random.default_rng(1).normal(size=(3, 1, 4, 4))
    for folded in (kept, maps):
        assert outputs_differ(network, tensors, masks, folded, data) < 1e-12


def test_a_bias_shared_by_two_layers_is_not_overwritten() -> None:
    network = Network("shared-bias")
    x = network.relu(network.dense(network.input((2,)), "a.weight", 2, bias="shared"))
    network.dense(x, "b.weight", 2, bias="shared")
    rng = np.random.default_rng(0)
    tensors = random_tensors(network, rng)
    tensors["shared"] = np.array([0.7, 0.9])
    masks = network.dense_masks()
    masks["a.weight"][0] = False
    folded = fold_biases(network, tensors, masks)
    assert (folded.tensors["shared"] == tensors["shared"]).all() and folded.changed == ("b.bias",)
    assert outputs_differ(network, tensors, masks, folded, rng.normal(size=(3, 2))) < 1e-12


@pytest.mark.parametrize("name", SMALL)
def test_function_of_the_named_networks_is_unchanged(name: str) -> None:
    network = CATALOGUE[name]()
    rng = np.random.default_rng(7)
    tensors = random_tensors(network, rng)
    masks = random_direct_masks(network, 0.004, rng)
    folded = fold_biases(network, tensors, masks)
    shape = next(iter(network.nodes.values())).shape
    assert outputs_differ(network, tensors, masks, folded, rng.normal(size=(2, *shape))) < 1e-9
    assert sum(int(m.sum()) for m in folded.masks.values()) < sum(int(m.sum()) for m in masks.values())


def overflowing() -> tuple[Network, dict, dict]:
    """Two units that are always 600, times 10 each, into a bias of 60000: more than FP16 holds."""
    network = perceptron((4, 3, 1))
    tensors = {
        "fc1.weight": np.zeros((3, 4), np.float16),
        "fc1.bias": np.array([600, 600, 0], np.float16),
        "fc2.weight": np.array([[10, 10, -1]], np.float16),
        "fc2.bias": np.array([60000], np.float16),
    }
    tensors["fc1.weight"][2, 0] = 1
    return network, tensors, {name: tensors[name] != 0 for name in network.weights}


@pytest.mark.parametrize("bias_maps", [False, True])
def test_a_constant_that_a_bias_cannot_hold_stays_a_connection(bias_maps: bool) -> None:
    network, tensors, masks = overflowing()
    folded = fold_biases(network, tensors, masks, bias_maps=bias_maps)
    assert folded.kept == {"fc2.weight": 2} and folded.changed == ()
    assert outputs_differ(network, tensors, masks, folded, np.array([[20000.0, 0, 0, 0]])) == 0
    wide = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    assert fold_biases(network, wide, masks).tensors["fc2.bias"].tolist() == [72000.0]


@pytest.mark.parametrize("layer", [Activation("other"), Opaque("Unheard", (3,))])
def test_what_an_unknown_layer_makes_of_a_constant_stays_a_connection(layer: Layer) -> None:
    network = Network("unknown")
    x = network.dense(network.input((2,)), "a.weight", 3, bias="a.bias")
    x = network.add(layer, x)
    network.dense(x, "b.weight", 2, bias="b.bias")
    tensors = random_tensors(network, np.random.default_rng(0))
    masks = network.dense_masks()
    masks["a.weight"][1] = False
    masks["b.weight"][1] = [False, True, True]
    folded = fold_biases(network, tensors, masks)
    assert folded.changed == () and (folded.masks["b.weight"] == masks["b.weight"]).all()
