"""Exact reachability against enumerated paths, the unit graph, and the linearised gradient."""

from __future__ import annotations

import networkx as nx
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
from xorweave.golden.base.errors import InputError
from xorweave.golden.network import reachability as module
from xorweave.golden.network.catalogue import CATALOGUE, perceptron, transformer_layer
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.layers import Attention, MatrixMultiply, Multiply, Opaque, Softmax, Transpose
from xorweave.golden.network.linearised import linearised_masks
from xorweave.golden.network.network import Network
from xorweave.golden.network.reachability import effective_masks, reachability
from xorweave.golden.network.unit_graph import masks_from_paths, unit_graph

densities = st.floats(0.1, 0.9)
seeds = st.integers(0, 2**32 - 1)

SMALL = [name for name in CATALOGUE if CATALOGUE[name]().connections < 2_000_000]


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


@given(st.one_of(fully_connected(), convolutional()), densities, seeds)
@settings(max_examples=120, deadline=None)
def test_agrees_with_the_unit_graph_and_the_linearised_gradient(
    network: Network, density: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    masks = random_direct_masks(network, density, rng)
    alive = effective_masks(network, masks)
    assert same(alive, masks_from_paths(network, masks))
    assert same(alive, linearised_masks(network, masks))
    assert same(alive, linearised_masks(network, masks, random_tensors(network, rng)))


@given(densities, seeds)
@settings(max_examples=30, deadline=None)
def test_agrees_with_enumerated_paths(density: float, seed: int) -> None:
    """Not only reachability but every single path, on networks small enough to list them all."""
    rng = np.random.default_rng(seed)
    network = Network("two-branches")
    x = network.input((1, 3))
    y = network.conv(x, "a.weight", 2, 2, padding=1)
    z = network.conv(y, "b.weight", 2, 3, padding=1)
    out = network.flatten(network.sum(y, z))
    network.dense(out, "c.weight", 2)
    masks = random_direct_masks(network, density, rng)
    graph = unit_graph(network, masks)
    on_a_path = {name: np.zeros(shape, bool) for name, shape in network.weights.items()}
    ends = [(network.outputs[0], (o,)) for o in range(2)]
    for start in ((x, (0, i)) for i in range(3)):
        for path in nx.all_simple_edge_paths(graph, start, ends):
            for before, after, key in path:
                data = graph.edges[before, after, key]
                if "weight" in data:
                    on_a_path[data["weight"]][data["index"]] = True
    assert same(effective_masks(network, masks), on_a_path)


@given(st.one_of(fully_connected(), convolutional()), densities, seeds)
@settings(max_examples=30, deadline=None)
def test_effective_masks_are_subsets_stay_put_and_grow(network: Network, density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = random_direct_masks(network, density, rng)
    alive = effective_masks(network, masks)
    assert all(not (alive[name] & ~masks[name]).any() for name in masks)
    assert same(effective_masks(network, alive), alive)
    more = {name: mask | (rng.random(mask.shape) < 0.3) for name, mask in masks.items()}
    assert all(not (alive[name] & ~grown).any() for name, grown in effective_masks(network, more).items())


def test_a_tap_that_only_sees_padding_is_dead() -> None:
    network = Network("padding")
    network.conv(network.input((1, 1, 1)), "w", 1, 3, padding=1)
    alive = effective_masks(network, network.dense_masks())["w"]
    assert alive[0, 0].tolist() == [[False] * 3, [False, True, False], [False] * 3]


def test_a_tensor_used_twice_is_alive_where_either_use_is() -> None:
    network = Network("tied")
    x = network.input((2,))
    y = network.dense(x, "w", 2)
    network.dense(y, "w", 2, name="again")
    mask = np.array([[True, False], [True, False]])
    # first use: both rows read input 0; second: both rows read unit 0, so row 1 of the first feeds nothing
    assert effective_masks(network, {"w": mask})["w"].tolist() == mask.tolist()


@pytest.mark.parametrize("name", SMALL)
def test_both_ways_agree_on_the_named_networks(name: str) -> None:
    network = CATALOGUE[name]()
    rng = np.random.default_rng(5)
    for density in (0.1, 0.004):
        masks = random_direct_masks(network, density, rng)
        alive = effective_masks(network, masks)
        assert same(alive, linearised_masks(network, masks))
        paper = effective_masks(network, masks, mixing_norms=False)
        assert same(paper, linearised_masks(network, masks, mixing_norms=False))


def tiny_attention(biases: bool) -> Network:
    network = Network("attention")
    x = network.input((3, 4))
    parts = [
        network.dense(x, f"{p}.weight", 4, bias=f"{p}.bias" if biases else None) for p in ("q", "k", "v")
    ]
    network.dense(network.add(Attention(2), *parts), "o.weight", 3, bias="o.bias")
    return network


@given(st.booleans(), densities, seeds)
@settings(max_examples=60, deadline=None)
def test_attention_keeps_exactly_what_data_can_feel(biases: bool, density: float, seed: int) -> None:
    """Changing a dropped weight changes no response to the input; changing an alive one does."""
    network = tiny_attention(biases)
    rng = np.random.default_rng(seed)
    masks = random_direct_masks(network, density, rng)
    tensors = random_tensors(network, rng)
    if not biases:
        tensors["o.bias"] = np.zeros(3)
    data = rng.normal(size=(4, 3, 4))
    alive = effective_masks(network, masks)
    assert same(alive, linearised_masks(network, masks))

    def response(changed: dict[str, np.ndarray]) -> np.ndarray:
        out = evaluate(network, changed, data, masks)[0]
        return out - evaluate(network, changed, np.zeros((1, 3, 4)), masks)[0]

    before = response(tensors)
    for name in network.weights:
        for index in np.argwhere(masks[name]):
            changed = {key: value.copy() for key, value in tensors.items()}
            changed[name][tuple(index)] += 0.5
            felt = np.abs(response(changed) - before).max() > 1e-9
            assert felt == alive[name][tuple(index)], (name, index)


def test_attention_behind_position_dependent_constants_is_judged_with_care() -> None:
    """A padded convolution's bias differs from token to token, so constant values and keys may matter."""
    network = Network("patches")
    x = network.conv(network.input((2, 4)), "c.weight", 2, 3, bias="c.bias", padding=1)
    x = network.conv(x, "d.weight", 2, 3, bias="d.bias", padding=1)
    x = network.add(Transpose((1, 0)), x)
    parts = [network.dense(x, f"{p}.weight", 2, bias=f"{p}.bias") for p in ("q", "k", "v")]
    network.add(Attention(1), *parts)
    rng = np.random.default_rng(3)
    tensors = random_tensors(network, rng)
    masks = network.dense_masks()
    masks["c.weight"][1] = False  # channel 1 of the first convolution: its bias only
    masks["d.weight"][1, 0] = False  # channel 1 of the second reads only that: differs at the border
    masks["v.weight"][:, 0] = False  # the values read only channel 1
    alive = effective_masks(network, masks)
    assert alive["q.weight"][:, 0].all() and alive["k.weight"][:, 0].all()
    assert not alive["q.weight"][
        :, 1
    ].any()  # a constant, to be folded into a bias that depends on the position
    data = rng.normal(size=(2, 2, 4))
    changed = {**tensors, "q.weight": tensors["q.weight"] * 2}
    assert not np.allclose(
        evaluate(network, tensors, data, masks)[0], evaluate(network, changed, data, masks)[0]
    )


@given(densities, seeds)
@settings(max_examples=40, deadline=None)
def test_products_agree_with_the_linearised_way(density: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = Network("products")
    x = network.input((2, 3))
    a = network.dense(x, "a.weight", 3, bias="a.bias")
    b = network.dense(x, "b.weight", 3)
    gate = network.add(Multiply(), a, b)
    scores = network.add(Softmax(-1), network.add(MatrixMultiply(), a, network.add(Transpose((1, 0)), gate)))
    mixed = network.add(MatrixMultiply(), scores, b)
    network.dense(mixed, "c.weight", 2)
    masks = random_direct_masks(network, density, rng)
    assert same(effective_masks(network, masks), linearised_masks(network, masks))


def test_an_opaque_layer_lets_everything_through() -> None:
    network = perceptron((2, 3, 2))
    y = network.add(Opaque("Mystery", (4,)), network.outputs[0])
    network.dense(y, "last.weight", 1)
    masks = network.dense_masks()
    masks["fc2.weight"][1] = False
    alive = effective_masks(network, masks)
    assert alive["last.weight"].all()
    assert alive["fc1.weight"].all()


def test_nothing_is_reached_through_an_empty_layer() -> None:
    network = perceptron((4, 3, 2))
    masks = network.dense_masks()
    masks["fc2.weight"][...] = False
    found = reachability(network, masks)
    assert not any(mask.any() for mask in found.alive.values())
    assert found.reached["fc1"].all() and not found.live["fc1"].any()


def test_masks_must_fit() -> None:
    network = perceptron((4, 3, 2))
    masks = network.dense_masks()
    with pytest.raises(
        InputError, match=r"there must be a mask for every weight tensor of perceptron, but fc2.weight has"
    ):
        effective_masks(network, {"fc1.weight": masks["fc1.weight"]})
    with pytest.raises(InputError, match=r"the mask of fc2.weight must have shape \(2, 3\), not \(3, 2\)"):
        effective_masks(network, {**masks, "fc2.weight": masks["fc2.weight"].T})


def test_the_number_of_tokens_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    one = transformer_layer(tokens=1, features=8, inner=16, heads=2)
    masks = random_direct_masks(one, 0.08, rng)
    many = transformer_layer(tokens=5, features=8, inner=16, heads=2)
    assert same(effective_masks(one, masks), effective_masks(many, masks))


def test_big_masks_are_walked_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    network = perceptron((37, 29, 23, 5))
    masks = random_direct_masks(network, 0.05, np.random.default_rng(0))
    whole = effective_masks(network, masks)
    monkeypatch.setattr(module, "_BLOCK", 50)
    assert same(whole, effective_masks(network, masks))


@pytest.mark.parametrize("first", [True, False])
def test_a_product_with_what_does_not_change_is_reached(first: bool) -> None:
    """One side hangs on the input, the other is a bias alone: the product hangs on the input, whichever is first."""
    network = Network("gate")
    x = network.input((3,))
    moved = network.dense(x, "moved", 2)
    held = network.dense(x, "held", 2, bias="bias")
    gate = network.add(Multiply(), *((moved, held) if first else (held, moved)))
    network.dense(gate, "out", 1)
    masks = {"moved": np.ones((2, 3)), "held": np.zeros((2, 3)), "out": np.ones((1, 2))}
    alive = effective_masks(network, masks)
    assert alive["moved"].all() and alive["out"].all() and not alive["held"].any()
