from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.onnx_file import load_onnx, onnx_weights
from xorweave.golden.files.weight_files import read_weight_file

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (extra onnx)")

W = np.array([[1, 0, 3], [0, 2, 0]], np.float32)


def model(
    nodes: list, initializers: dict[str, np.ndarray] | None = None, sparse: list | None = None
) -> object:
    h = onnx.helper
    graph = h.make_graph(
        nodes,
        "g",
        [h.make_tensor_value_info("x", 1, ["n", 2])],
        [h.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(v, n) for n, v in (initializers or {}).items()],
        sparse_initializer=sparse or [],
    )
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 17)])


def product() -> list:
    return [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]


def external(place: str, **more: str) -> object:
    tensor = onnx.numpy_helper.from_array(W, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": place, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def with_external(path: Path, tensor: object, constant: bool) -> Path:
    nodes = [onnx.helper.make_node("Constant", [], ["w"], value=tensor)] if constant else []
    made = model([*nodes, *product()])
    if not constant:
        made.graph.initializer.append(tensor)  # type: ignore[attr-defined]
    path.write_bytes(made.SerializeToString())  # type: ignore[attr-defined]
    return path


@pytest.mark.parametrize("constant", [True, False])
def test_data_is_read_from_the_models_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, constant: bool
) -> None:
    folder, other = tmp_path / "model", tmp_path / "other"
    (folder / "data").mkdir(parents=True)
    other.mkdir()
    monkeypatch.chdir(other)
    (other / "w.bin").write_bytes(b"\1" * 24)  # a stranger's file in the working directory
    (folder / "data" / "w.bin").write_bytes(b"....." + W.tobytes())
    path = with_external(folder / "m.onnx", external("data/w.bin", offset="5", length="24"), constant)
    tensors, _ = onnx_weights(load_onnx(path))
    assert np.array_equal(tensors["w"].values, W)
    with pytest.raises(InputError, match="another file, which is not given"):
        load_onnx(path.read_bytes())
    (folder / "w.bin").symlink_to(other / "w.bin")
    for place in ("../other/w.bin", str(other / "w.bin"), "w.bin"):
        with pytest.raises(InputError, match="must keep its data in its own folder"):
            load_onnx(with_external(folder / "n.onnx", external(place), constant))
    os.mkfifo(folder / "pipe")
    with pytest.raises(InputError, match="must be a file, not a pipe"):
        load_onnx(with_external(folder / "n.onnx", external("pipe"), constant))
    with pytest.raises(InputError, match="claims more"):
        load_onnx(with_external(folder / "n.onnx", external("data/w.bin", length="9999"), constant))


def coo(indices: np.ndarray, values: np.ndarray, shape: list[int]) -> object:
    make = onnx.numpy_helper.from_array
    return onnx.helper.make_sparse_tensor(make(values, "w"), make(indices, "wi"), shape)


@pytest.mark.parametrize("pairs", [False, True])
def test_sparse_tensors_become_dense(pairs: bool) -> None:
    at = np.argwhere(W) if pairs else np.flatnonzero(W)
    sparse = coo(at.astype(np.int64), W[W != 0], [2, 3])
    node = onnx.helper.make_node("Constant", [], ["w"], sparse_value=sparse)
    for made in (model(product(), sparse=[sparse]), model([node, *product()])):
        tensors, _ = onnx_weights(load_onnx(made.SerializeToString()))  # type: ignore[attr-defined]
        assert np.array_equal(tensors["w"].values, W)


@pytest.mark.parametrize(
    ("indices", "shape"),
    [
        ([6], [2, 3]),
        ([-1], [2, 3]),
        ([0], [1 << 20, 1 << 20]),
        ([0], [-1, 3]),
        ([0, 1], [2, 3]),
        ([[2, 0]], [2, 3]),
    ],
)
def test_sparse_tensors_that_claim_too_much_are_refused(indices: list, shape: list[int]) -> None:
    sparse = coo(np.array(indices, np.int64), np.ones(1, np.float32), shape)
    with pytest.raises(InputError, match="sparse"):
        load_onnx(model(product(), sparse=[sparse]).SerializeToString())  # type: ignore[attr-defined]


def test_every_type_and_the_graphs_inside(tmp_path: Path) -> None:
    h = onnx.helper
    kinds = {
        "FLOAT16": "F16",
        "BFLOAT16": "BF16",
        "INT8": "I8",
        "INT64": "I64",
        "BOOL": "BOOL",
        "FLOAT8E4M3FN": "F8_E4M3",
        "INT4": "I8",
    }
    held = [h.make_tensor(kind, getattr(onnx.TensorProto, kind), [2, 2], [1, 0, 1, 1]) for kind in kinds]
    text = h.make_tensor("text", onnx.TensorProto.STRING, [1], [b"a"])
    inside = h.make_graph(
        product(),
        "then",
        [],
        [h.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(W, "FLOAT16")],
    )
    branch = h.make_node("If", ["BOOL"], ["y"], name="branch", then_branch=inside, else_branch=inside)
    made = model([branch])
    made.graph.initializer.extend([*held, text])  # type: ignore[attr-defined]
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())  # type: ignore[attr-defined]
    read = read_weight_file(path)
    assert {name: read.tensors[name].dtype for name in kinds} == kinds
    assert np.array_equal(read.tensors["branch/FLOAT16"].values, W)
    assert list(read.left_out) == ["text"]


def test_a_type_that_onnx_does_not_name_is_left_out() -> None:
    strange = onnx.TensorProto(name="strange", data_type=99, dims=[2, 2], raw_data=bytes(16))
    made = model([])
    made.graph.initializer.extend([strange])  # type: ignore[attr-defined]
    tensors, left_out = onnx_weights(made)
    assert not tensors and "not ONNX type 99" in left_out["strange"]


def test_what_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    for data in (b"", b"\0" * 100, b"\xff" * 100, os.urandom(64), b"\x08\x07"):
        with pytest.raises(InputError) as caught:
            load_onnx(data)
        assert "\n" not in str(caught.value)
