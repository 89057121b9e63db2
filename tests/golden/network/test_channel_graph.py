"""The graph of channels against networkx on the channels, and against the exact way."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import lenet_5, perceptron, transformer_layer
from xorweave.golden.network.channel_graph import channel_masks
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.network.reachability import effective_masks


def drawn(network: Network, density: float, seed: int) -> Masks:
    rng = np.random.default_rng(seed)
    return {name: rng.random(shape) < density for name, shape in network.weights.items()}


def small() -> Network:
    network = Network("small")
    x = network.relu(network.conv(network.input((2, 6, 6)), "a.weight", 4, 3, padding=1))
    y = network.conv(x, "b.weight", 4, 3, padding=1, groups=2)
    x = network.pool(network.sum(x, y), 3)
    network.dense(network.flatten(x), "c.weight", 3)
    return network


def by_networkx(network: Network, masks: Masks) -> Masks:
    """Channels of `small` as nodes, one edge a kept weight; alive lies on a path from in to out."""
    graph = nx.MultiDiGraph()
    graph.add_edges_from(("in", ("x", channel)) for channel in range(2))
    graph.add_edges_from((("sum", channel), ("pool", channel)) for channel in range(4))
    graph.add_edges_from((("a", channel), ("sum", channel)) for channel in range(4))
    graph.add_edges_from((("b", channel), ("sum", channel)) for channel in range(4))
    graph.add_edges_from((("c", unit), "out") for unit in range(3))
    ends = {}
    for name, mask in masks.items():
        for index in map(tuple, np.argwhere(mask)):
            output, source = index[:2]
            before, after = {
                "a.weight": (("x", source), ("a", output)),
                "b.weight": (("a", 2 * (output // 2) + source), ("b", output)),
                "c.weight": (("pool", source // 4), ("c", output)),  # 4 channels of 2 x 2 positions
            }[name]
            graph.add_edge(before, after)
            ends[name, index] = before, after
    down = nx.descendants(graph, "in") | {"in"} if "in" in graph else set()
    up = nx.ancestors(graph, "out") | {"out"} if "out" in graph else set()
    found = {name: np.zeros_like(mask) for name, mask in masks.items()}
    for (name, index), (before, after) in ends.items():
        found[name][index] = before in down and after in up
    return found


@pytest.mark.parametrize("seed", range(30))
def test_channels_are_those_of_networkx(seed: int) -> None:
    network = small()
    masks = drawn(network, (0.03, 0.06, 0.15)[seed % 3], seed)
    found, wanted = channel_masks(network, masks), by_networkx(network, masks)
    assert all(np.array_equal(found[name], wanted[name]) for name in masks)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_that_is_alive_is_missed_and_without_positions_it_is_the_same(seed: int) -> None:
    for network, density in ((lenet_5(), 0.01), (small(), 0.1)):
        masks = drawn(network, density, seed)
        exact, channels = effective_masks(network, masks), channel_masks(network, masks)
        assert all(not (exact[name] & ~channels[name]).any() for name in masks)
    network = perceptron((30, 20, 10))
    masks = drawn(network, 0.05, seed)
    exact, channels = effective_masks(network, masks), channel_masks(network, masks)
    assert all(np.array_equal(exact[name], channels[name]) for name in masks)


def test_a_tap_that_reads_padding_alone_counts_for_channels_only() -> None:
    network = Network("border")
    x = network.conv(network.input((1, 1, 1)), "a.weight", 1, 3, padding=1)
    network.dense(network.flatten(x), "b.weight", 1)
    masks = network.dense_masks()
    assert effective_masks(network, masks)["a.weight"].sum() == 1
    assert channel_masks(network, masks)["a.weight"].sum() == 9


def test_other_layers_are_refused() -> None:
    network = transformer_layer(tokens=2, features=8, inner=8, heads=2)
    with pytest.raises(InputError, match=r"the graph of channels of transformer-layer knows no layer like"):
        channel_masks(network, network.dense_masks())
