"""Files' tensors find their network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.golden.network.onnx_models import Builder
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.safetensors_file import write_safetensors
from xorweave.golden.network.catalogue import lenet_5, lenet_300_100, perceptron
from xorweave.golden.network.effective import largest_difference, make_effective
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.matching import infer_perceptron, match_tensors, resolve_network
from xorweave.golden.network.network_files import pruned_tensors, read_network, read_source


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


def test_tensors_in_no_order_are_matched_by_their_shapes() -> None:
    network = lenet_300_100()
    shapes = list(network.weights.values())
    tensors = {name: np.ones(shape) for name, shape in zip("bca", shapes, strict=True)}
    found = match_tensors(network, dict(sorted(tensors.items())), ordered=False)
    assert list(found.weights) == ["b", "c", "a"] and list(found.weights.values()) == shapes


def test_what_a_model_holds_in_other_shapes_belongs_to_its_network(tmp_path: Path) -> None:
    """Exporters add biases of shape (1, 1, n), subtract constants, and add whole arrays."""
    pytest.importorskip("onnx", reason="onnx is not installed (extra onnx)")
    b = Builder(3)
    x = b.op("Add", b.op("MatMul", "x", b.weight("w1", 5, 8)), b.weight("b1", 1, 1, 8))
    x = b.op("Relu", b.op("Sub", x, b.weight("s", 1, 8)))
    x = b.op("Add", b.op("Mul", x, b.weight("m", 1, 1, 8)), b.weight("p", 1, 4, 8))
    y = b.op("Gemm", b.op("Flatten", x), b.weight("w2", 3, 32), b.weight("b2", 3), transB=1)
    (tmp_path / "m.onnx").write_bytes(b.model({"x": ["n", 4, 5]}, y, 2))
    own, held = read_network(tmp_path / "m.onnx", None)
    stored = read_source(tmp_path / "m.onnx", None)
    stored.file.tensors["w1"].values[:, 2] = 0
    write_safetensors(tmp_path / "t.safetensors", dict(stored.file.tensors), {})
    network, tensors = read_network(tmp_path / "t.safetensors", str(tmp_path / "m.onnx"))
    assert network.parameters == own.parameters and {"b1", "b2"} < set(network.parameters)
    held["w1"] = stored.file.tensors["w1"].values
    data = np.random.default_rng(0).normal(size=(6, 4, 5))
    assert np.array_equal(evaluate(network, tensors, data)[0], evaluate(own, held, data)[0])
    # the column's bias goes on as a constant: its weight is dead, its effect is not
    effective = make_effective(tensors, network.zero_masks(tensors), network)
    assert largest_difference(network, tensors, network.zero_masks(tensors), effective, seed=0) < 1e-5
    folded = pruned_tensors(
        read_source(tmp_path / "t.safetensors", str(tmp_path / "m.onnx")), effective.masks, {"b1": np.ones(8)}
    )
    assert folded["b1"].values.shape == (1, 1, 8)


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
