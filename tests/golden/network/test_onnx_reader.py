"""Networks read from ONNX must compute what ONNX's own reference implementation computes."""

from __future__ import annotations

import itertools
import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.golden.network.onnx_models import Builder, residual_network, transformer
from xorweave.golden.base.errors import InputError
from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.folding import fold_biases
from xorweave.golden.network.layers import LayerNorm, Opaque
from xorweave.golden.network.linearised import linearised_masks
from xorweave.golden.network.onnx_reader import read_by, read_onnx
from xorweave.golden.network.reachability import effective_masks

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (extra onnx)")

MODELS = {
    "residual": residual_network,
    "transformer, fused": lambda: transformer(written_out=False),
    "transformer, written out": lambda: transformer(written_out=True),
}


@pytest.mark.parametrize("name", MODELS)
def test_computes_what_the_reference_computes(name: str) -> None:
    from onnx.reference import ReferenceEvaluator

    model = MODELS[name]()
    network, tensors = read_onnx(model)
    shape = next(iter(network.nodes.values())).shape
    data = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    wanted = ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"x": data})[0]
    got = evaluate(network, tensors, data)[0]
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() < 1e-4 * max(1, np.abs(wanted).max())


@pytest.mark.parametrize("name", MODELS)
def test_pruned_networks_keep_their_function(name: str) -> None:
    network, tensors = read_onnx(MODELS[name]())
    rng = np.random.default_rng(1)
    for density in (0.3, 0.15, 0.08):
        masks = {n: rng.random(s) < density for n, s in network.weights.items()}
        alive = effective_masks(network, masks)
        other = linearised_masks(network, masks)
        assert all((alive[n] == other[n]).all() for n in alive)
        folded = fold_biases(network, tensors, masks)
        data = rng.normal(size=(3, *next(iter(network.nodes.values())).shape))
        before = evaluate(network, tensors, data, masks)[0]
        after = evaluate(folded.network, folded.tensors, data, folded.masks)[0]
        # folded biases are stored in the tensors' own single precision
        assert np.abs(before - after).max() < 1e-4 * max(1, np.abs(before).max())


def test_weights_keep_the_names_and_shapes_of_the_file() -> None:
    network, tensors = read_onnx(residual_network())
    assert network.weights == {
        "c1": (4, 2, 3, 3),
        "c2": (4, 2, 3, 3),
        "se": (4, 4, 1, 1),
        "c3": (3, 8, 2, 2),
        "fc": (5, 12),
        "out": (5, 3),
    }
    assert tensors["out"].shape == (5, 3)


def test_a_written_out_norm_is_recognised() -> None:
    network, _ = read_onnx(transformer(written_out=True))
    assert sum(isinstance(node.layer, LayerNorm) for node in network.nodes.values()) == 2
    assert not any(isinstance(node.layer, Opaque) for node in network.nodes.values())


def test_a_transposed_initializer_keeps_its_name() -> None:
    b = Builder()
    turned = b.op("Transpose", b.weight("w", 3, 4), perm=[1, 0])
    y = b.op("MatMul", "x", turned)
    network, tensors = read_onnx(b.model({"x": ["n", 4]}, y, 2))
    assert network.weights == {"w": (3, 4)}
    data = np.ones((1, 4))
    assert np.allclose(evaluate(network, tensors, data)[0], data @ b.initializers["w"].T)


def test_an_unknown_operator_is_opaque() -> None:
    b = Builder()
    y = b.op("MatMul", "x", b.weight("w", 4, 4))
    y = b.op("CumSum", y, b.value("axis", 1, np.int64))
    y = b.op("MatMul", y, b.weight("v", 4, 2))
    network, tensors = read_onnx(b.model({"x": ["n", 4]}, y, 2))
    masks = network.dense_masks()
    masks["w"][:, 0] = False
    assert effective_masks(network, masks)["v"].all()
    with pytest.raises(InputError, match="the layer CumSum is opaque"):
        evaluate(network, tensors, np.ones((1, 4)))


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the data is not an ONNX model"):
        read_onnx(b"\xff\xff\xffnothing")
    with pytest.raises(InputError, match=r"there is no file .*missing.onnx"):
        read_onnx(tmp_path / "missing.onnx")
    b = Builder()
    y = b.op("Relu", "x")
    with pytest.raises(InputError, match="the model must have weights: it holds no layer with any"):
        read_onnx(b.model({"x": ["n", 4]}, y, 2))


def test_a_small_file_cannot_claim_a_large_constant() -> None:
    b = Builder()
    big = b.op("Add", b.weight("row", 1, 3000), b.weight("column", 3000, 1))
    b.op("ConstantOfShape", b.value("sides", [1 << 20, 1 << 20], np.int64))
    y = b.op("MatMul", b.op("MatMul", "x", b.weight("w", 3000, 3000)), big)
    network, tensors = read_onnx(b.model({"x": ["n", 3000]}, y, 2))
    assert list(network.weights) == ["w"] and sum(t.nbytes for t in tensors.values()) < 40_000_000


def test_a_repeated_constant_counts_as_what_it_becomes() -> None:
    b = Builder()
    big = b.op("Tile", b.weight("row", 1, 3000), b.value("times", [3000, 1], np.int64))
    y = b.op("MatMul", b.op("MatMul", "x", b.weight("w", 8, 3000)), big)
    _, tensors = read_onnx(b.model({"x": ["n", 8]}, y, 2))
    assert sum(t.nbytes for t in tensors.values()) < 200_000


def test_what_a_graph_inside_makes_itself_is_not_read_from_outside() -> None:
    from onnx import helper

    def branch(name: str) -> object:
        nodes = [
            helper.make_node("Relu", ["outer"], [f"{name}1"]),
            helper.make_node("Add", [f"{name}1", "also"], [f"{name}2"]),
        ]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}2", 1, None)])

    node = helper.make_node("If", ["which"], ["y"], then_branch=branch("a"), else_branch=branch("b"))
    assert sorted(read_by(node)) == ["also", "also", "outer", "outer", "which"]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"reading ONNX needs the package onnx: pip install '.\[onnx\]'"):
        read_onnx(b"")


def test_a_published_model_with_graphs_inside_is_bounded() -> None:
    data = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[4] / "shared" / "data"))
    file = data / "silero-vad" / "silero_vad_16k_op15.onnx"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    network, tensors = read_onnx(file)
    assert network.connections > 100_000 and not network.is_known
    masks = network.zero_masks(tensors)
    assert all((effective_masks(network, masks)[name] == mask).all() for name, mask in masks.items())


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"strides": [1.5, 2.5]}, "must have 'strides' as INTS, not FLOATS"),
        ({"group": "a"}, "must have 'group' as INT, not STRING"),
        ({"dilations": 1}, "must have 'dilations' as INTS, not INT"),
    ],
)
def test_attributes_of_another_type_are_refused(attributes: dict, message: str) -> None:
    made = onnx.helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
    graph = onnx.helper.make_graph(
        [made],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [onnx.helper.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")],
    )
    with pytest.raises(InputError, match=message):
        read_onnx(onnx.helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize("kind", ["Concat", "Expand"])
def test_what_is_worked_out_is_bounded_together(kind: str) -> None:
    """Forty weights joined to themselves are 2^40 of them; a thousand shapes of a million places, as many."""
    h, make = onnx.helper, onnx.numpy_helper.from_array
    if kind == "Concat":
        names = ["w", *(f"c{k}" for k in range(40))]
        nodes = [h.make_node("Concat", [a, a], [b], axis=0) for a, b in itertools.pairwise(names)]
    else:
        nodes = [h.make_node("Expand", ["one", "sides"], [f"c{k}"]) for k in range(1000)]
    nodes.append(h.make_node("MatMul", ["x", "w"], ["y"]))
    graph = h.make_graph(
        nodes,
        "g",
        [h.make_tensor_value_info("x", 1, ["n", 2])],
        [h.make_tensor_value_info("y", 1, None)],
        [
            make(np.ones((2, 3), np.float32), "w"),
            make(np.ones(1), "one"),
            make(np.array([1000, 900]), "sides"),
        ],
    )
    tracemalloc.start()
    try:
        network, _ = read_onnx(h.make_model(graph).SerializeToString())
        assert tracemalloc.get_traced_memory()[1] < 600 << 20
    finally:
        tracemalloc.stop()
    assert set(network.weights) == {"w"}
