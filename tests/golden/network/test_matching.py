"""Files' tensors find their network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import lenet_5, lenet_300_100, perceptron
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.matching import infer_perceptron, match_tensors, resolve_network
from xorweave.golden.network.network_files import read_network


def published(data_dir: Path) -> dict[str, np.ndarray]:
    return dict(np.load(data_dir / "dns" / "derived" / "lenet300100_sparse.npz"))


def test_published_weights_are_matched_in_order(data_dir: Path) -> None:
    tensors = published(data_dir)
    network = resolve_network("lenet-300-100", tensors)
    assert list(network.weights) == ["ip1.weight", "ip2.weight", "ip3.weight"]
    assert list(network.parameters) == ["ip1.bias", "ip2.bias", "ip3.bias"]
    inferred = infer_perceptron(tensors)
    data = np.random.default_rng(0).normal(size=(2, 784))
    assert (evaluate(network, tensors, data)[0] == evaluate(inferred, tensors, data)[0]).all()


def test_residual_network_without_its_norms(data_dir: Path) -> None:
    network, tensors = read_network(data_dir / "resnet-cifar10" / "derived" / "resnet20.npz", "resnet-20")
    assert network.parameters == {}
    assert evaluate(network, tensors, np.ones((1, 3, 32, 32)))[0].shape == (1, 10)


def test_transformer_layer_by_its_own_names(data_dir: Path) -> None:
    network, tensors = read_network(data_dir / "minilm" / "minilm_l6_layer0.safetensors", "minilm-layer")
    assert network.weights.keys() | network.parameters.keys() == tensors.keys()
    out = evaluate(network, tensors, np.random.default_rng(0).normal(size=(2, 8, 384)))[0]
    assert np.isfinite(out).all()


def test_a_folder_of_arrays_is_one_network(data_dir: Path) -> None:
    network, tensors = read_network(data_dir / "l-obs" / "LeNet300100" / "CR_10", None)
    assert list(network.weights) == ["fc1.weight", "fc2.weight", "fc3.weight"]
    assert network.connections == 266_200 and "fc3.bias" in network.parameters and len(tensors) == 6


def test_both_orientations_are_made_out() -> None:
    tensors = {"a": np.ones((4, 3)), "b": np.ones((3, 2))}
    network = infer_perceptron(tensors)
    assert network.nodes[network.outputs[0]].shape == (2,)
    turned = infer_perceptron({name: tensor.T for name, tensor in tensors.items()})
    assert turned.nodes[turned.outputs[0]].shape == (2,)


def test_descriptions_and_their_files(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    file.write_text(lenet_5().to_json())
    tensors = {name: np.ones(shape) for name, shape in lenet_5().weights.items()}
    network = resolve_network(str(file), tensors)
    assert list(network.weights) == list(lenet_5().weights) and network.parameters == {}
    bare, nothing = read_network(file, None)
    assert nothing == {} and bare.parameters.keys() == lenet_5().parameters.keys()


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the network must be one of lenet-300-100, .*, not 'vgg'"):
        resolve_network("vgg", {})
    with pytest.raises(
        InputError, match=r"lenet-300-100 needs weights of the shapes \(300, 784\), .*, not none"
    ):
        match_tensors(lenet_300_100(), {})
    with pytest.raises(InputError, match=r"the tensor fc1.bias must have shape \(2,\), not \(3,\)"):
        match_tensors(perceptron((4, 2)), {"fc1.weight": np.ones((2, 4)), "fc1.bias": np.ones(3)})
    with pytest.raises(InputError, match="do not follow on each other as layers; give the network"):
        infer_perceptron({"a": np.ones((4, 3)), "b": np.ones((5, 2))})
    with pytest.raises(InputError, match="only a fully connected network can be made out"):
        infer_perceptron({"a": np.ones((4, 3, 3))})
    with pytest.raises(InputError, match=r"net.json cannot be read: No such file or directory"):
        read_network(tmp_path / "net.json", None)
    with pytest.raises(InputError, match=r"must hold .safetensors or .npy files"):
        read_network(tmp_path, None)
