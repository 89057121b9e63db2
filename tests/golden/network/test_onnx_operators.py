"""Every operator in every version against ONNX's reference implementation: what it computes, and what hangs on what.

Where a network can be run, it must compute the same. Where it cannot, removing any weight that is called dead must
change nothing in the reference.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xorweave.golden.network.evaluate import evaluate
from xorweave.golden.network.onnx_reader import read_onnx
from xorweave.golden.network.reachability import effective_masks

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (extra onnx)")

RNG = np.random.default_rng(0)


class Case:
    """One model: x (batch, 4) by `w` to 6 features, what is tried, and a last layer."""

    def __init__(
        self, opset: int, steps: Callable[[Case], str], shape: tuple[int, ...] = (6,), flat: int = 6
    ) -> None:
        self.opset, self.nodes, self.held = opset, [], {}
        self.held["w"] = (RNG.normal(size=(6, 4)) * (RNG.random((6, 4)) < 0.4)).astype(np.float32)
        self.op("Gemm", "x", "w", self.const("wb", RNG.normal(size=6)), output="h", transB=1, **self.old())
        value = "h"
        if shape != (6,):
            value = self.reshape("h", [-1, *shape])
        self.value = value
        self.shape: tuple[int, ...] = ()
        out = self.reshape(steps(self), [-1, flat])
        if any(node.op_type.endswith("Softmax") for node in self.nodes):
            self.shape = shape
        v = (RNG.normal(size=(3, flat)) * (RNG.random((3, flat)) < 0.4)).astype(np.float32)
        self.held["v"] = v
        self.op("Gemm", out, "v", self.const("vb", RNG.normal(size=3)), output="y", transB=1, **self.old())

    def old(self) -> dict:
        return {"broadcast": 1} if self.opset < 7 else {}

    def const(self, name: str, value: object, dtype: type = np.float32) -> str:
        self.held[name] = np.asarray(value, dtype)
        return name

    def op(self, kind: str, *inputs: str, output: str = "", outputs: int = 1, **attributes: object) -> str:
        names = [
            output or f"{kind}{len(self.nodes)}",
            *(f"{kind}{len(self.nodes)}_{i}" for i in range(1, outputs)),
        ]
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names[0]

    def reshape(self, value: str, shape: list[int]) -> str:
        if self.opset < 5:
            return self.op("Reshape", value, shape=shape)
        return self.op("Reshape", value, self.const(f"shape{len(self.nodes)}", shape, np.int64))

    def bytes(self, **changed: np.ndarray) -> bytes:
        h = onnx.helper
        held = self.held | changed
        graph = h.make_graph(
            self.nodes,
            "case",
            [h.make_tensor_value_info("x", 1, ["n", 4])],
            [h.make_tensor_value_info("y", 1, ["n", 3])],
            [onnx.numpy_helper.from_array(value, name) for name, value in held.items()],
        )
        return h.make_model(
            graph, opset_imports=[h.make_opsetid("", self.opset)], ir_version=8
        ).SerializeToString()

    def reference(self, x: np.ndarray, **changed: np.ndarray) -> np.ndarray:
        """Run the reference implementation, which knows Softmax as it is since version 13 only."""
        from onnx.reference import ReferenceEvaluator

        model = onnx.load_from_string(self.bytes(**changed))
        if self.opset < 13 and self.shape:
            nodes = list(model.graph.node)
            at = next(i for i, node in enumerate(nodes) if node.op_type.endswith("Softmax"))
            axis = next((a.i for a in nodes[at].attribute), 1)
            kind, read, made = nodes[at].op_type, nodes[at].input[0], nodes[at].output[0]
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([-1, *self.shape]), "whole"))
            make = onnx.helper.make_node
            steps = [make("Flatten", [read], ["rows"], axis=axis), make(kind, ["rows"], ["soft"], axis=-1)]
            nodes[at : at + 1] = [*steps, make("Reshape", ["soft", "whole"], [made])]
            del model.graph.node[:]
            model.graph.node.extend(nodes)
            model.opset_import[0].version = 13
        if any(node.op_type == "BatchNormalization" for node in model.graph.node):
            model.opset_import[0].version = 15  # the reference of version 9 trains whatever it is told
        return ReferenceEvaluator(model).run(None, {"x": x})[0]


def bn(c: Case, **attributes: object) -> str:
    parts = [c.const(f"bn{i}", RNG.normal(size=3)) for i in range(3)]
    return c.op("BatchNormalization", c.value, *parts, c.const("bnv", [0.5, 1, 2]), **attributes)


def pad18(c: Case) -> str:
    pads, axes = c.const("pads", [1, 1], np.int64), c.const("axes", [2], np.int64)
    return c.op("Pad", c.value, pads, c.const("zero", 0), axes)


def axes13(c: Case) -> str:
    up = c.op("Unsqueeze", c.value, c.const("up", [1, -1], np.int64))
    return c.op("Squeeze", up, c.const("down", [-1, 1], np.int64))


def convolution(pad: str, size: int, stride: int) -> Case:
    def steps(c: Case) -> str:
        kernel = c.const("k", RNG.normal(size=(1, 1, size)))
        return c.op("Conv", c.value, kernel, auto_pad=pad, strides=[stride])

    return Case(13, steps, (1, 6), -(-6 // stride))


CASES: dict[str, Callable[[], Case]] = {
    **{
        f"Softmax {v}": (lambda v=v: Case(v, lambda c: c.op("Softmax", c.value), (2, 3)))
        for v in (7, 11, 13, 17)
    },
    **{
        f"Softmax {v}, axis 2": (lambda v=v: Case(v, lambda c: c.op("Softmax", c.value, axis=2), (1, 2, 3)))
        for v in (11, 13)
    },
    "Softmax 11, axis -1": lambda: Case(11, lambda c: c.op("Softmax", c.value, axis=-1), (2, 3)),
    **{
        f"LogSoftmax {v}": (lambda v=v: Case(v, lambda c: c.op("LogSoftmax", c.value), (2, 3)))
        for v in (11, 13)
    },
    "Clip 6": lambda: Case(7, lambda c: c.op("Clip", c.value, min=0.0, max=6.0)),
    "Clip 6, one limit": lambda: Case(7, lambda c: c.op("Clip", c.value, min=0.0)),
    "Clip 11, no minimum": lambda: Case(11, lambda c: c.op("Clip", c.value, "", c.const("high", 0.3))),
    "Clip 13, no limits": lambda: Case(13, lambda c: c.op("Clip", c.value)),
    "Pad 10": lambda: Case(10, lambda c: c.op("Pad", c.value, pads=[0, 0, 1, 0, 0, 1]), (2, 3), 10),
    "Pad 10, a value": lambda: Case(
        10, lambda c: c.op("Pad", c.value, pads=[0, 0, 1, 0, 0, 1], value=2.0), (2, 3), 10
    ),
    **{
        f"Pad 13, {fill}": (
            lambda fill=fill: Case(
                13,
                lambda c: c.op(
                    "Pad", c.value, c.const("p", [0, 0, 1, 0, 0, 1], np.int64), c.const("fill", fill)
                ),
                (2, 3),
                10,
            )
        )
        for fill in (0.0, 2.0)
    },
    "Pad 18, axes": lambda: Case(18, pad18, (2, 3), 10),
    "Pad 13, reflect": lambda: Case(
        13,
        lambda c: c.op("Pad", c.value, c.const("p", [0, 0, 1, 0, 0, 1], np.int64), mode="reflect"),
        (2, 3),
        10,
    ),
    "Squeeze 11": lambda: Case(
        11, lambda c: c.op("Squeeze", c.op("Unsqueeze", c.value, axes=[1, 2]), axes=[1, 2])
    ),
    "Squeeze 13": lambda: Case(13, axes13),
    "Flatten 13, negative": lambda: Case(13, lambda c: c.op("Flatten", c.value, axis=-2), (2, 3)),
    "Flatten 13, axis 2": lambda: Case(13, lambda c: c.op("Flatten", c.value, axis=2), (2, 3)),
    "Gemm, alpha and beta": lambda: Case(
        13,
        lambda c: c.op(
            "Gemm",
            c.value,
            c.const("g", RNG.normal(size=(6, 6))),
            c.const("gb", RNG.normal(size=6)),
            alpha=0.5,
            beta=2.0,
        ),
    ),
    "Gemm, alpha alone": lambda: Case(
        13, lambda c: c.op("Gemm", c.value, c.const("g", RNG.normal(size=(6, 6))), alpha=-2.0)
    ),
    "BatchNormalization 9": lambda: Case(9, bn, (3, 2)),
    "BatchNormalization 15": lambda: Case(15, bn, (3, 2)),
    "Cast to integers": lambda: Case(13, lambda c: c.op("Cast", c.op("Cast", c.value, to=7), to=1)),
    "Cast to double": lambda: Case(13, lambda c: c.op("Cast", c.op("Cast", c.value, to=11), to=1)),
    "Dropout 13": lambda: Case(13, lambda c: c.op("Dropout", c.value)),
    "ReduceMean 13": lambda: Case(13, lambda c: c.op("ReduceMean", c.value, axes=[2]), (2, 3), 2),
    "ReduceMean 18": lambda: Case(
        18, lambda c: c.op("ReduceMean", c.value, c.const("a", [-1], np.int64), keepdims=0), (2, 3), 2
    ),
    "ReduceMean over features": lambda: Case(13, lambda c: c.op("ReduceMean", c.value, axes=[1]), (2, 3), 3),
    "Transpose": lambda: Case(13, lambda c: c.op("Transpose", c.value, perm=[0, 2, 1]), (2, 3)),
    "Div": lambda: Case(13, lambda c: c.op("Div", c.value, c.const("d", [1, 2, 4, 0.5, -1, 3]))),
    "Div of a constant": lambda: Case(13, lambda c: c.op("Div", c.const("one", 1), c.op("Exp", c.value))),
    "Sub from a constant": lambda: Case(13, lambda c: c.op("Sub", c.const("one", 1), c.value)),
    "Max with a constant": lambda: Case(13, lambda c: c.op("Max", c.value, c.const("m", np.zeros(6)))),
    "Pow": lambda: Case(13, lambda c: c.op("Pow", c.value, c.const("two", 2))),
    "PRelu": lambda: Case(13, lambda c: c.op("PRelu", c.value, c.const("s", np.linspace(-1, 1, 6)))),
    "PRelu of an activation": lambda: Case(13, lambda c: c.op("PRelu", c.value, c.op("Sigmoid", c.value))),
    "Sum": lambda: Case(13, lambda c: c.op("Sum", c.value, c.op("Relu", c.value))),
    "QuantizeLinear": lambda: Case(
        19,
        lambda c: c.op(
            "DequantizeLinear",
            c.op("QuantizeLinear", c.value, c.const("qs", 0.1), c.const("qz", 3, np.uint8)),
            "qs",
            "qz",
        ),
    ),
    **{
        kind: (lambda kind=kind: Case(18, lambda c: c.op(kind, c.value)))
        for kind in (
            "Elu",
            "Sin",
            "HardSigmoid",
            "HardSwish",
            "Selu",
            "Mish",
            "Neg",
            "Softplus",
            "Sign",
            "Erf",
        )
    },
    "CumSum": lambda: Case(14, lambda c: c.op("CumSum", c.value, c.const("one", 1, np.int64))),
    "Slice": lambda: Case(
        13,
        lambda c: c.op(
            "Slice", c.value, *(c.const(n, [v], np.int64) for n, v in (("st", 1), ("en", 4), ("ax", 1)))
        ),
        (6,),
        3,
    ),
    "Split": lambda: Case(13, lambda c: c.op("Split", c.value, outputs=2, axis=1), (6,), 3),
    "MaxPool, odd": lambda: Case(
        12, lambda c: c.op("MaxPool", c.value, kernel_shape=[2], strides=[2], ceil_mode=1), (2, 3), 4
    ),
    "AveragePool": lambda: Case(
        11,
        lambda c: c.op("AveragePool", c.value, kernel_shape=[2], pads=[1, 0], count_include_pad=1),
        (2, 3),
        6,
    ),
    "Shape 15": lambda: Case(
        15,
        lambda c: c.op(
            "Reshape",
            c.value,
            c.op("Concat", c.const("m1", [-1], np.int64), c.op("Shape", c.value, start=1), axis=0),
        ),
        (2, 3),
    ),
    **{
        kind: (lambda kind=kind: Case(13, lambda c: c.op(kind, c.value), (2, 3, 1), 2))
        for kind in ("GlobalMaxPool", "GlobalAveragePool")
    },
    "Add of a sum over the batch": lambda: Case(
        13,
        lambda c: c.op("Add", c.value, c.op("ReduceSum", c.value, c.const("batch", [0], np.int64))),
    ),
    "Concat with a sum over the batch": lambda: Case(
        13,
        lambda c: c.op(
            "MatMul",
            c.op("Relu", c.value),
            c.op(
                "Transpose",
                c.op("Concat", *[c.op("ReduceSum", c.value, c.const("batch", [0], np.int64))] * 6, axis=0),
            ),
        ),
    ),
    **{
        f"Conv, {pad}, {size} by {stride}": (lambda a=(pad, size, stride): convolution(*a))
        for pad in ("SAME_UPPER", "SAME_LOWER")
        for size, stride in ((3, 1), (5, 1), (2, 3))  # others the reference pads unlike ONNX Runtime
    },
    "MatMul of a constant": lambda: Case(
        13, lambda c: c.op("MatMul", c.const("k", RNG.normal(size=(2, 2))), c.value), (2, 3)
    ),
    "Softmax 11, then its shape": lambda: Case(
        11, lambda c: c.op("Transpose", c.op("Softmax", c.value), perm=[0, 2, 1]), (2, 3)
    ),
    "LeakyRelu": lambda: Case(13, lambda c: c.op("LeakyRelu", c.value, alpha=0.2)),
    "another domain": lambda: Case(13, lambda c: c.op("Relu", c.value)),
}


def judge(case: Case, run: Callable[..., np.ndarray]) -> None:
    """Hold what is read of a case against a run of it: `run` takes x and other values of tensors."""
    network, tensors = read_onnx(case.bytes())
    x = RNG.normal(size=(5, 4)).astype(np.float32)
    wanted = run(x)
    assert np.isfinite(wanted).all(), "a case must stay where its operator is defined"
    if network.is_known:
        got = evaluate(network, tensors, x)[0]
        assert np.abs(got - wanted).max() < 1e-4 * max(1, np.abs(wanted).max())
    masks = network.zero_masks(tensors)
    alive = effective_masks(network, masks)
    assert set(alive) >= {"w", "v"}
    for tensor in ("w", "v"):
        # what hangs on the input hangs on a weight in its path: the change from input to input is looked at
        def moved(**changed: np.ndarray) -> np.ndarray:
            out = run(x, **changed)
            return out - out[:1]

        before = moved()
        for at in np.argwhere(masks[tensor]):
            without = case.held[tensor].copy()
            without[tuple(at)] = 0
            if np.abs(moved(**{tensor: without}) - before).max() > 1e-5:
                assert alive[tensor][tuple(at)], f"{tensor}{tuple(at)} is alive"


# Forms that are not run, only bounded: all others must be known, or what is computed would not be looked at.
BOUNDED = {
    "LogSoftmax 11", "LogSoftmax 13", "Clip 11, no minimum", "Pad 10, a value", "Pad 13, reflect", "Pad 13, 2.0",
    "Flatten 13, axis 2",
    "Cast to integers", "ReduceMean over features", "Div of a constant", "Max with a constant", "Pow", "PRelu",
    "PRelu of an activation", "QuantizeLinear", "Elu", "Sin", "HardSigmoid", "Selu", "Mish", "Neg", "Softplus", "Sign",
    "CumSum", "Slice", "Split", "LeakyRelu", "Add of a sum over the batch", "Concat with a sum over the batch",
    "MatMul of a constant",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_can_be_run_is(name: str) -> None:
    assert read_onnx(CASES[name]().bytes())[0].is_known == (name not in BOUNDED)


@pytest.mark.parametrize("name", CASES)
def test_what_is_dead_is_dead_in_the_reference(name: str) -> None:
    case = CASES[name]()
    judge(case, case.reference)


def test_an_operator_of_another_domain_is_not_the_standard_one() -> None:
    case = CASES["another domain"]()
    case.nodes[-3].domain = "com.example"
    model = onnx.load_from_string(case.bytes())
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    network, _ = read_onnx(model.SerializeToString())
    assert not network.is_known


def test_open_lengths_never_make_live_taps_dead() -> None:
    """A 3x3 kernel with padding on the 1x1 map that a small length would leave keeps all its taps."""
    h = onnx.helper
    nodes = [
        h.make_node("Conv", ["x", "a"], ["p"], strides=[8, 8]),
        h.make_node("Conv", ["p", "b"], ["q"], pads=[1, 1, 1, 1]),
        h.make_node("MaxPool", ["q"], ["r"], kernel_shape=[3, 3]),
        h.make_node("GlobalAveragePool", ["r"], ["y"]),
    ]
    held = {"a": np.ones((2, 1, 8, 8), np.float32), "b": np.ones((2, 2, 3, 3), np.float32)}
    graph = h.make_graph(
        nodes,
        "open",
        [h.make_tensor_value_info("x", 1, ["n", 1, "height", -1])],
        [h.make_tensor_value_info("y", 1, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    data = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)]).SerializeToString()
    network, tensors = read_onnx(data)
    assert network.is_known
    masks = network.zero_masks(tensors)
    assert all(effective_masks(network, masks)[name].all() for name in held)
