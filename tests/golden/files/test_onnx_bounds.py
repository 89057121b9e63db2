"""Models of a few kilobytes that refer to themselves or to one file without end are refused, quickly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.onnx_file import load_onnx, onnx_weights

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (extra onnx)")

W = np.arange(6, dtype=np.float32).reshape(2, 3)


def calling(functions: dict[str, list[str]], first: str) -> bytes:
    """Return a model with functions, each a chain of calls of others (or of operators)."""
    h = onnx.helper
    imports = [h.make_opsetid("", 17), h.make_opsetid("own", 1)]

    def call(name: str, source: str, target: str) -> object:
        return h.make_node(name, [source], [target], domain="own" if name in functions else "")

    made = []
    for name, callees in functions.items():
        places = ["a", *(f"t{k}" for k in range(len(callees) - 1)), "b"]
        nodes = [call(callee, *places[k : k + 2]) for k, callee in enumerate(callees)]
        made.append(h.make_function("own", name, ["a"], ["b"], nodes, imports))
    graph = h.make_graph(
        [h.make_node("MatMul", ["x", "w"], ["h"]), call(first, "h", "y")],
        "g",
        [h.make_tensor_value_info("x", 1, ["n", 2])],
        [h.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(W, "w")],
    )
    return h.make_model(graph, opset_imports=imports, functions=made).SerializeToString()


def test_functions_are_written_out() -> None:
    model = load_onnx(calling({"f": ["Relu", "Neg"], "g": ["f", "f"]}, "g"))
    assert [node.op_type for node in model.graph.node] == ["MatMul", *["Relu", "Neg"] * 2]


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"f0": ["Relu"], **{f"f{k}": [f"f{k - 1}"] * 2 for k in range(1, 32)}}, "too large for files"),
        ({"f31": ["f31"]}, "do not call themselves"),
        ({"f31": ["Relu", "g"], "g": ["f31"]}, "do not call themselves"),
    ],
)
def test_functions_without_end_are_refused(functions: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_onnx(calling(functions, "f31"))


@pytest.mark.parametrize(("times", "right"), [(3, True), (40, False)])
def test_tensors_that_share_data_too_often_are_refused(tmp_path: Path, times: int, right: bool) -> None:
    data = np.zeros(1 << 17)  # 1 MiB
    (tmp_path / "data.bin").write_bytes(data.tobytes())
    graph = onnx.GraphProto(name="g")
    for k in range(times):
        tensor = graph.initializer.add(name=f"w{k}", data_type=11, dims=data.shape, data_location=1)
        tensor.external_data.add(key="location", value="data.bin")
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    if right:
        assert len(onnx_weights(load_onnx(path))[0]) == times
    else:
        with pytest.raises(InputError, match=r"claims data of the tensor 'w\d+', which is too large"):
            load_onnx(path)


def test_sparse_tensors_are_bounded_together() -> None:
    h = onnx.helper
    make = onnx.numpy_helper.from_array
    sparse = [
        h.make_sparse_tensor(make(np.ones(1), f"w{k}"), make(np.zeros(1, np.int64), "i"), [1 << 16])
        for k in range(40)  # half a megabyte each
    ]
    for count, right in ((2, True), (40, False)):
        graph = h.make_graph([], "g", [], [], [make(W, "v")], sparse_initializer=sparse[:count])
        model = h.make_model(graph).SerializeToString()
        if right:
            assert len(onnx_weights(load_onnx(model))[0]) == count + 1
        else:
            with pytest.raises(InputError, match=r"claims a sparse tensor .* too large"):
                load_onnx(model)
