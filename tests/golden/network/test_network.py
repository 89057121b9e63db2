"""Building, checking, writing and reading network descriptions."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden.network.random_networks import convolutional, fully_connected
from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import CATALOGUE, named_network, perceptron
from xorweave.golden.network.layers import Attention, Concatenate, Dense, Multiply, Pool, Reshape
from xorweave.golden.network.network import Network


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("lenet-300-100", 266_200),
        ("lenet-5", 430_500),
        ("lenet-5-cifar", 6 * 75 + 16 * 150 + 120 * 400 + 84 * 120 + 840),
        ("resnet-20", 268_336),
        # 14,714,688 and 20,024,384 parameters of the features published with their biases (4,224 and 5,504)
        ("vgg-16", 14_714_688 - 4_224 + 5_120),
        ("vgg-19", 20_024_384 - 5_504 + 51_200),
        # published parameters without norms and the last layer's 1,000 biases
        ("resnet-18", 11_689_512 - 9_600 - 1_000),
        ("resnet-50", 25_557_032 - 53_120 - 1_000),
        ("mobilenet-v2", 3_504_872 - 34_112 - 1_000),
    ],
)
def test_published_numbers_of_weights(name: str, weights: int) -> None:
    assert named_network(name).connections == weights


@given(st.one_of(fully_connected(), convolutional()))
def test_json_round_trip(network: Network) -> None:
    again = Network.from_json(network.to_json())
    assert again.nodes == network.nodes
    assert again.weights == network.weights and again.parameters == network.parameters
    assert again.outputs == network.outputs and again.name == network.name


@pytest.mark.parametrize("name", CATALOGUE)
def test_graph_is_acyclic_and_complete(name: str) -> None:
    network = named_network(name)
    graph = network.graph()
    assert nx.is_directed_acyclic_graph(graph)
    assert set(graph) == set(network.nodes)
    assert graph.number_of_edges() == len({(s, n.name) for n in network.nodes.values() for s in n.inputs})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "a network description must be JSON"),
        ("[]", "a network description must be JSON"),
        ('{"nodes": [{"layer": "Os"}]}', "a layer must be one of .*, not 'Os'"),
        ('{"nodes": [{"layer": "Layer"}]}', "a layer must be one of .*, not 'Layer'"),
        ('{"nodes": [{"layer": "Input", "shape": [2], "size": 3}]}', "a network description must be JSON"),
        ('{"nodes": [{"layer": "Activation", "inputs": ["x"]}]}', "reads 'x', which is not there"),
    ],
)
def test_bad_descriptions_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Network.from_json(text)


def test_descriptions_by_hand_are_short() -> None:
    text = json.dumps(
        {
            "nodes": [
                {"name": "x", "layer": "Input", "shape": [1, 4, 4]},
                {
                    "name": "c",
                    "layer": "Conv",
                    "inputs": ["x"],
                    "weight": "c.w",
                    "weight_shape": [2, 1, 3, 3],
                },
                {"name": "y", "layer": "Reshape", "inputs": ["c"]},
            ]
        }
    )
    assert Network.from_json(text).nodes["y"].shape == (8,)


def test_what_does_not_fit_is_named() -> None:
    network = Network("bad")
    x = network.input((3, 4, 4), "x")
    with pytest.raises(InputError, match="a node's name must be new, but 'x' is taken"):
        network.input((1,), "x")
    with pytest.raises(
        InputError, match=r"the groups of w must divide its input's channels \(3, 4, 4\), but are 2"
    ):
        network.conv(x, "w", 4, 3, groups=2)
    with pytest.raises(InputError, match=r"a window of \(5, 5\) does not fit an input of \(4, 4\)"):
        network.conv(x, "w", 4, 5)
    with pytest.raises(InputError, match=r"w takes 5 features, but its input has shape \(3, 4, 4\)"):
        network.add(Dense("w", (2, 5)), x)
    with pytest.raises(InputError, match=r"a sum needs two or more inputs of one shape"):
        network.sum(x, network.pool(x, 2))
    with pytest.raises(
        InputError, match=r"a product needs inputs that broadcast, not \(3, 4, 4\) and \(3, 2, 2\)"
    ):
        network.add(Multiply(), x, network.pool(x, 2))
    with pytest.raises(
        InputError, match=r"a product needs inputs that broadcast, not \(3, 4, 4\) and \(48,\)"
    ):
        network.add(Multiply(), x, network.add(Reshape((48,)), x))
    with pytest.raises(InputError, match=r"the axis 3 must be one of every input's axes: \(3, 4, 4\)"):
        network.add(Concatenate(3), x, x)
    with pytest.raises(InputError, match=r"attention with 2 heads needs queries"):
        network.add(Attention(2), x, x, x)
    with pytest.raises(InputError, match=r"pooling must be max or average, not 'min'"):
        Pool("min", (2, 2))
    network.dense(x, "w", 2)
    with pytest.raises(InputError, match=r"the tensor w has shape \(2, 4\), but again needs \(3, 4\)"):
        network.dense(x, "w", 3, name="again")
    with pytest.raises(InputError, match="the output 'z' is not a node"):
        network.outputs = ["z"]


def test_renaming_keeps_structure() -> None:
    network = perceptron((3, 4, 2))
    other = network.renamed({"fc1.weight": "a", "fc1.bias": None})
    assert list(other.weights) == ["a", "fc2.weight"] and list(other.parameters) == ["fc2.bias"]
    with pytest.raises(InputError, match=r"cannot do without the tensor fc2.weight"):
        network.renamed({"fc2.weight": None})


def test_zero_masks_keep_what_is_not_zero() -> None:
    network = perceptron((2, 2))
    masks = network.zero_masks({"fc1.weight": np.array([[0.0, -0.0], [1e-30, np.nan]])})
    assert masks["fc1.weight"].tolist() == [[False, False], [True, True]]
