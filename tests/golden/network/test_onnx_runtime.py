"""Every supported operator, in every version of it that ONNX Runtime has, against ONNX Runtime itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.golden.network.test_onnx_operators import CASES, RNG, Case, convolution, judge
from xorweave.golden.network.onnx_operators import OPERATORS

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed (extra onnx)")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed (extra oracles)")
runtime.set_default_logger_severity(4)

OLDEST = 7  # of the operator set, as ONNX Runtime promises
FLOAT, INT32, BOOL = 1, 6, 9
Steps = Callable[[Case], str]


def run_of(case: Case) -> Callable[..., np.ndarray]:
    """Return the case in ONNX Runtime, without its optimisations, one thread."""
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1

    def run(x: np.ndarray, **changed: np.ndarray) -> np.ndarray:
        session = runtime.InferenceSession(case.bytes(**changed), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0]

    return run


def as_float(c: Case, value: str) -> str:
    return c.op("Cast", value, to=FLOAT)


def above_one(c: Case) -> str:
    return c.op("Add", c.op("Exp", c.value), c.const("one", 1))


def logical(kind: str) -> Steps:
    """A comparison or a connective with a constant, as numbers again."""

    def steps(c: Case) -> str:
        if kind in ("And", "Or", "Xor"):
            kept = c.const("kept", [1, 0, 1, 1, 0, 1], np.bool_)
            return as_float(c, c.op(kind, c.op("Cast", c.value, to=BOOL), kept))
        if kind == "Equal" and c.opset < 11:  # of integers and truth values only
            return as_float(
                c, c.op(kind, c.op("Cast", c.value, to=INT32), c.const("limit", [0] * 6, np.int32))
            )
        return as_float(c, c.op(kind, c.value, c.const("limit", np.linspace(-1, 1, 6))))

    return steps


def of_integers(kind: str) -> Steps:
    return lambda c: as_float(c, c.op(kind, c.op("Cast", c.value, to=BOOL if kind == "Not" else INT32)))


def with_axes(kind: str, late: int) -> Steps:
    """An operator whose axes became an input."""

    def steps(c: Case) -> str:
        value = c.op("Unsqueeze", c.value, c.const("u", [1], np.int64)) if c.opset >= 13 else ""
        value = value or c.op("Unsqueeze", c.value, axes=[1])
        axes: dict = {} if c.opset >= late else {"axes": [1]}
        given = [c.const("axes", [1], np.int64)] if c.opset >= late else []
        return value if kind == "Unsqueeze" else c.op(kind, value, *given, **axes)

    return steps


def quantised(kind: str) -> Steps:
    def steps(c: Case) -> str:
        scale, zero = c.const("scale", 0.1), c.const("zero", 3, np.uint8)
        return c.op("DequantizeLinear", c.op("QuantizeLinear", c.value, scale, zero), scale, zero)

    return steps


def clip(c: Case) -> str:
    if c.opset < 11:
        return c.op("Clip", c.value, min=-0.3, max=0.4)
    return c.op("Clip", c.value, c.const("low", -0.3), c.const("high", 0.4))


def pad(c: Case) -> str:
    pads = [0, 0, 1, 0, 0, 1]
    if c.opset < 11:
        return c.op("Pad", c.value, pads=pads, value=0.5)
    return c.op("Pad", c.value, c.const("pads", pads, np.int64), c.const("fill", 0.5))


def norm(kind: str) -> Steps:
    def steps(c: Case) -> str:
        size = 2 if kind == "LayerNormalization" else 3
        parts = [c.const("scale", RNG.normal(size=size)), c.const("shift", RNG.normal(size=size))]
        if kind == "BatchNormalization":
            parts += [c.const("mean", RNG.normal(size=size)), c.const("variance", [0.5, 1, 2])]
        return c.op(kind, c.value, *parts)

    return steps


def weighted(kind: str) -> Steps:
    def steps(c: Case) -> str:
        if kind == "Conv":
            return c.op("Conv", c.value, c.const("k", RNG.normal(size=(3, 3, 1))))
        held = [
            c.const("g", RNG.normal(size=(6, 6))),
            *([c.const("gb", RNG.normal(size=6))] * (kind == "Gemm")),
        ]
        return c.op(kind, c.value, *held)

    return steps


def two(kind: str) -> Steps:
    return lambda c: c.op(kind, c.value, c.op("Tanh", c.value))


def constant(kind: str) -> Steps:
    def steps(c: Case) -> str:
        if kind in ("Max", "Min", "Mean") and c.opset < 8:  # of equal shapes only
            return two(kind)(c)
        return c.op(kind, c.value, c.const("k", np.linspace(0.5, 3, 6)))

    return steps


def pool(kind: str) -> Steps:
    late = {"ceil_mode": 1}
    return lambda c: c.op(kind, c.value, kernel_shape=[2], pads=[1, 0], **(late if c.opset >= 10 else {}))


# steps, the shape they begin with, how many units they end with
SPECIAL: dict[str, tuple[Steps, tuple[int, ...], int]] = {
    **{k: (logical(k), (6,), 6) for k in ("And", "Or", "Xor", "Equal", "Less", "LessOrEqual")},
    **{k: (logical(k), (6,), 6) for k in ("Greater", "GreaterOrEqual")},
    **{k: (lambda c, k=k: c.op(k, c.op("Tanh", c.value)), (6,), 6) for k in ("Acos", "Asin", "Atanh")},
    **{k: (lambda c, k=k: c.op(k, above_one(c)), (6,), 6) for k in ("Acosh", "Log", "Sqrt")},
    "Pow": (lambda c: c.op("Pow", c.value, c.const("k", [1, 2, 3, 2, 1, 4])), (6,), 6),
    **{k: (of_integers(k), (6,), 6) for k in ("Not", "BitwiseNot")},
    **{k: (lambda c, k=k: as_float(c, c.op(k, c.value)), (6,), 6) for k in ("IsInf", "IsNaN")},
    **{k: (quantised(k), (6,), 6) for k in ("QuantizeLinear", "DequantizeLinear")},
    **{k: (constant(k), (6,), 6) for k in ("Max", "Min", "Div", "Sub", "Mul", "PRelu", "Mean")},
    **{k: (two(k), (6,), 6) for k in ("Add", "Sum")},
    **{k: (norm(k), (3, 2), 6) for k in ("BatchNormalization", "LayerNormalization")},
    **{k: (weighted(k), (3, 2) if k == "Conv" else (6,), 6) for k in ("Gemm", "MatMul", "Conv")},
    **{k: (lambda c, k=k: c.op(k, c.value), (2, 3), 2) for k in ("GlobalAveragePool", "GlobalMaxPool")},
    **{k: (pool(k), (2, 3), 6) for k in ("MaxPool", "AveragePool")},
    "Mod": (lambda c: c.op("Mod", c.value, c.const("k", [0.5] * 6), fmod=1), (6,), 6),
    "Squeeze": (with_axes("Squeeze", 13), (6,), 6),
    "Unsqueeze": (with_axes("Unsqueeze", 13), (6,), 6),
    "ReduceMean": (with_axes("ReduceMean", 18), (6,), 6),
    "Clip": (clip, (6,), 6),
    "Pad": (pad, (2, 3), 10),
    "Reshape": (lambda c: c.reshape(c.value, [0, 3, 2]), (2, 3), 6),
    "Transpose": (lambda c: c.op("Transpose", c.value), (6,), 6),
    "Concat": (lambda c: c.op("Concat", c.value, c.op("Neg", c.value), axis=1), (6,), 12),
    "Cast": (lambda c: as_float(c, c.op("Cast", c.value, to=INT32)), (6,), 6),
    "Softmax": (lambda c: c.op("Softmax", c.value), (2, 3), 6),
    "LogSoftmax": (lambda c: c.op("LogSoftmax", c.value), (2, 3), 6),
    "Flatten": (lambda c: c.op("Flatten", c.value, axis=2), (2, 3), 6),
}  # fmt: skip


def versions(kind: str) -> list[int]:
    """The operator sets in which an operator begins to mean something else, and the oldest."""
    since = {
        s.since_version for s in onnx.defs.get_all_schemas_with_history() if s.name == kind and not s.domain
    }
    return sorted({max(OLDEST, version) for version in since})


@pytest.mark.parametrize(("kind", "opset"), [(kind, v) for kind in sorted(OPERATORS) for v in versions(kind)])
def test_what_is_dead_is_dead_in_onnx_runtime(kind: str, opset: int) -> None:
    steps, shape, flat = SPECIAL.get(kind, (lambda c: c.op(kind, c.value), (6,), 6))
    case = Case(opset, steps, shape, flat)
    run = run_of(case)
    try:
        run(np.zeros((5, 4), np.float32))
    except (
        runtime.capi.onnxruntime_pybind11_state.NotImplemented,
        runtime.capi.onnxruntime_pybind11_state.Fail,
    ) as no:
        pytest.skip(
            f"ONNX Runtime {runtime.__version__} has no {kind} of operator set {opset}: {str(no)[:80]}"
        )
    judge(case, run)


@pytest.mark.parametrize("name", CASES)
def test_the_cases_in_other_forms_are_so_in_onnx_runtime(name: str) -> None:
    case = CASES[name]()
    judge(case, run_of(case))


@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize(("size", "stride"), [(3, 2), (4, 1), (4, 2), (4, 3), (2, 1)])
def test_uneven_paddings_are_padded_as_onnx_runtime_does(pad: str, size: int, stride: int) -> None:
    """The reference implementation of ONNX pads these otherwise."""
    case = convolution(pad, size, stride)
    judge(case, run_of(case))
