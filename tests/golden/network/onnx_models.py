"""ONNX models made by hand, in the forms exporters write them."""

from __future__ import annotations

from typing import Any

import numpy as np


class Builder:
    """Collects operators and initializers."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.initializers: dict[str, np.ndarray] = {}

    def weight(self, name: str, *shape: int) -> str:
        self.initializers[name] = self.rng.normal(size=shape).astype(np.float32)
        return name

    def value(self, name: str, value: object, dtype: type = np.float32) -> str:
        self.initializers[name] = np.asarray(value, dtype)
        return name

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        from onnx import helper

        output = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def model(self, inputs: dict[str, list], output: str, rank: int, opset: int = 17) -> bytes:
        from onnx import TensorProto, checker, helper, numpy_helper

        graph = helper.make_graph(
            self.nodes,
            "made-by-hand",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [
                helper.make_tensor_value_info(
                    output, TensorProto.FLOAT, ["n"] + [f"d{i}" for i in range(rank - 1)]
                )
            ],
            [numpy_helper.from_array(value, name) for name, value in self.initializers.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        checker.check_model(model)
        return model.SerializeToString()


def residual_network() -> bytes:
    """A small convolutional network with all the operators image networks are exported with."""
    b = Builder()
    x = b.op("Conv", "x", b.weight("c1", 4, 2, 3, 3), b.weight("c1b", 4), pads=[1, 1, 1, 1])
    parts = [b.weight(f"bn.{i}", 4) for i in range(3)]
    variance = b.value("bn.v", np.abs(b.rng.normal(size=4)) + 0.1)
    x = b.op("Relu", b.op("BatchNormalization", x, *parts, variance))
    y = b.op("Conv", x, b.weight("c2", 4, 2, 3, 3), pads=[1, 0, 1, 2], group=2)
    x = b.op("Add", x, y)
    gate = b.op("GlobalAveragePool", x)
    gate = b.op("Sigmoid", b.op("Conv", gate, b.weight("se", 4, 4, 1, 1), b.weight("seb", 4)))
    x = b.op("Mul", x, gate)
    x = b.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    y = b.op("AveragePool", x, kernel_shape=[2, 2], strides=[1, 1], pads=[0, 0, 1, 1], count_include_pad=1)
    x = b.op("Concat", x, y, axis=1)
    x = b.op("Conv", x, b.weight("c3", 3, 8, 2, 2), auto_pad="SAME_UPPER", strides=[2, 2])
    x = b.op("Clip", x, b.value("zero", 0), b.value("six", 6))
    x = b.op("Flatten", x)
    x = b.op("Gemm", x, b.weight("fc", 5, 12), b.weight("fcb", 5), transB=1)
    x = b.op("LeakyRelu", x, alpha=0.01)
    x = b.op("Gemm", x, b.weight("out", 5, 3))
    return b.model({"x": ["n", 2, 8, 8]}, x, 2)


def transformer(*, written_out: bool) -> bytes:
    """One encoder layer as exporters write it, norm and GELU fused or written out."""
    b = Builder(1)
    width, heads = 8, 2
    positions = b.weight("positions", 1, 4, width)
    x = b.op("Add", "x", positions)

    def linear(source: str, name: str, inputs: int, outputs: int) -> str:
        product = b.op("MatMul", source, b.weight(f"{name}.w", inputs, outputs))
        return b.op("Add", b.weight(f"{name}.b", outputs), product)

    def norm(source: str, name: str) -> str:
        scale, shift = b.weight(f"{name}.scale", width), b.weight(f"{name}.shift", width)
        if not written_out:
            return b.op("LayerNormalization", source, scale, shift, axis=-1, epsilon=1e-6)
        centred = b.op("Sub", source, b.op("ReduceMean", source, axes=[-1]))
        squares = b.op("Pow", centred, b.value(f"{name}.two", 2))
        variance = b.op("ReduceMean", squares, axes=[-1])
        root = b.op("Sqrt", b.op("Add", variance, b.value(f"{name}.eps", 1e-6)))
        return b.op("Add", b.op("Mul", b.op("Div", centred, root), scale), shift)

    def split(source: str, order: list[int]) -> str:
        shape = b.value(f"{source}.shape", [0, 4, heads, width // heads], np.int64)
        return b.op("Transpose", b.op("Reshape", source, shape), perm=order)

    q = split(linear(x, "q", width, width), [0, 2, 1, 3])
    k = split(linear(x, "k", width, width), [0, 2, 3, 1])
    v = split(linear(x, "v", width, width), [0, 2, 1, 3])
    scores = b.op("Div", b.op("MatMul", q, k), b.value("root", 2.0))
    mixed = b.op("Transpose", b.op("MatMul", b.op("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    mixed = b.op("Reshape", mixed, b.value("joined", [-1, 4, width], np.int64))
    x = norm(b.op("Add", x, linear(mixed, "o", width, width)), "n1")
    y = linear(x, "up", width, 16)
    if written_out:
        erf = b.op("Erf", b.op("Div", y, b.value("sqrt2", np.sqrt(2))))
        y = b.op("Mul", b.op("Mul", y, b.op("Add", erf, b.value("one", 1))), b.value("half", 0.5))
    else:
        y = b.op("Gelu", y)
    x = norm(b.op("Add", x, linear(y, "down", 16, width)), "n2")
    return b.model({"x": ["n", 4, width]}, x, 3, opset=17 if written_out else 20)
