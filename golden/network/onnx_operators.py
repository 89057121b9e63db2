"""ONNX operators as layers, each in the meaning that the model's version of the operator set gives it.

A handler adds the layers of one operator and returns True; it returns False, or raises, where the operator stands in a
form that it does not know. Such an operator counts as connecting everything, which is never wrong about what is alive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.layers import (
    Activation,
    Add,
    Affine,
    BatchNorm,
    Concatenate,
    Constant,
    Conv,
    Dense,
    GlobalPool,
    LayerNorm,
    MatrixMultiply,
    Multiply,
    Pad,
    Pool,
    Reshape,
    Shape,
    Softmax,
    Transpose,
)

if TYPE_CHECKING:
    from xorweave.golden.network.onnx_reader import OnnxReader

Node = Any  # onnx.NodeProto
Attributes = dict[str, Any]
Handler = Callable[["OnnxReader", Node, Attributes], bool]

# Which inputs of an operator are weights, where it is opaque; other constants (tables, biases, norms) are not pruned.
WEIGHT_INPUTS: dict[str, tuple[int, ...]] = {
    "MatMul": (0, 1), "Gemm": (0, 1), "Conv": (1,), "ConvTranspose": (1,), "LSTM": (1, 2), "GRU": (1, 2), "RNN": (1, 2),
    "ConvInteger": (1,), "MatMulInteger": (1,), "QLinearConv": (3,), "QLinearMatMul": (3,), "Einsum": (0, 1),
    "FusedMatMul": (0, 1), "FusedGemm": (1,), "FusedConv": (1,), "Attention": (1,), "DynamicQuantizeMatMul": (1,),
}  # fmt: skip
# Functions of each unit by itself, by the name under which a run knows them.
_ELEMENTWISE = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Erf": "erf", "Abs": "abs", "Sqrt": "sqrt", "Exp": "exp",
    "HardSwish": "hard_swish",
} | dict.fromkeys(
    (
        "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Floor",
        "HardSigmoid", "IsInf", "IsNaN", "Log", "Mish", "Neg", "Not", "Reciprocal", "Round", "Selu", "Shrink", "Sign",
        "Sin", "Sinh", "Softplus", "Softsign", "Swish", "Tan", "ThresholdedRelu",
    ),
    "other",
)  # fmt: skip
# The same where all other operands are constants that make the result no larger.
_WITH_CONSTANTS = (
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Or",
    "PRelu", "Pow", "QuantizeLinear", "DequantizeLinear", "Sub", "Sum", "Mean", "Xor",
)  # fmt: skip
_FLOAT_TYPES = (1, 10, 11, 16)  # FLOAT, FLOAT16, DOUBLE, BFLOAT16


def _elementwise(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    r.add(node, Activation(_ELEMENTWISE[node.op_type]), node.input[0])
    return True


def _with_constants(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    """Any function of each unit and of constants: connects a unit with itself."""
    read = [name for name in node.input if name]
    active = [name for name in read if not r.is_constant(name)]
    if len(active) != 1 or attributes.get("broadcast"):
        return False
    shape = (r.batch, *r.shape(active[0]))
    along = attributes.get("axis", 1) % len(shape) if node.op_type.endswith("uantizeLinear") else None
    for name in read:
        value = r.constants.get(name)
        if value is None or value.size == 1 or (along is not None and value.size == shape[along]):
            continue
        if np.broadcast_shapes(value.shape, shape) != shape:
            return False
    r.add(node, Activation("other"), active[0])
    return True


def _passed_on(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    """Identity, and Dropout, which at inference is one; what it draws in training is no function of its input."""
    if len(node.output) > 1 and node.output[1]:
        return False  # the mask of Dropout is read too
    r.same(node.output[0], node.input[0])
    return True


def _cast(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    """From float to float only the precision changes; to integers or truth values it is a function."""
    if attributes.get("to") in _FLOAT_TYPES:
        return _passed_on(r, node, attributes)
    r.add(node, Activation("other"), node.input[0])
    return True


def _gemm(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    a, b, *c = node.input
    if not r.is_constant(b) or r.is_constant(a) or attributes.get("transA", 0) or r.constants[b].ndim != 2:
        return False
    if len(r.shape(a)) != 1:
        return False
    alpha, beta = (float(attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    name, shape, swapped = r.weight(b)
    transposed = bool(attributes.get("transB", 0)) == swapped
    outputs = shape[1 if transposed else 0]
    bias = None
    if c and c[0]:
        if not r.is_constant(c[0]):
            return False
        value = r.constants[c[0]]
        # one value an output: an array that varies along the batch is no bias
        if value.size != 1 and value.shape not in ((outputs,), (1, outputs)):
            return False
        flat = np.broadcast_to(value.reshape(-1), (outputs,))
        bias = r.keep(
            c[0] if beta == 1.0 else f"{beta:g}*{c[0]}", flat if beta == 1.0 else flat * np.float32(beta)
        )
    if alpha == 1.0:
        r.add(node, Dense(name, shape, bias, transposed=transposed), a)
        return True
    place = r.between(Dense(name, shape, None, transposed=transposed), r.place(a))
    scale = r.keep(f"{node.output[0]}:alpha", np.full(1, alpha, np.float32))
    place = r.between(Affine(1, scale, None, -1), place)
    if bias is None:
        r.put(node.output[0], Activation("identity"), place)
    else:
        r.put(node.output[0], Affine(outputs, None, bias, -1), place)
    return True


def _matmul(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    a, b = node.input
    if r.is_constant(a):
        return False
    if not r.is_constant(b):
        if len(r.shape(a)) < 2 or len(r.shape(a)) != len(r.shape(b)):
            return False
        r.add(node, MatrixMultiply(), a, b)
        return True
    if r.constants[b].ndim != 2:
        return False
    name, shape, swapped = r.weight(b)
    r.add(node, Dense(name, shape, None, transposed=not swapped), a)
    return True


def _conv(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    x, w, *b = node.input
    if not r.is_constant(w) or r.is_constant(x) or r.constants[w].ndim < 3:
        return False
    bias = None
    if b and b[0]:
        if not r.is_constant(b[0]):
            return False
        bias = r.keep(b[0], r.constants[b[0]].reshape(-1))
    name, shape, swapped = r.weight(w)
    stride, dilation, padding = _window(r, attributes, r.shape(x)[1:], shape[2:])
    if swapped:
        return False
    r.add(node, Conv(name, shape, bias, stride, padding, dilation, int(attributes.get("group", 1))), x)
    return True


def _window(
    r: OnnxReader, attributes: Attributes, spatial: Shape, kernel: Shape
) -> tuple[Shape, Shape, tuple[tuple[int, int], ...]]:
    axes = len(kernel)
    stride = tuple(attributes.get("strides") or (1,) * axes)
    dilation = tuple(attributes.get("dilations") or (1,) * axes)
    r.check_window(spatial, kernel, dilation)
    auto = attributes.get("auto_pad") or b"NOTSET"
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        padding = []
        for n, k, s, d in zip(spatial, kernel, stride, dilation, strict=True):
            total = max(0, (math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n)
            small, large = total // 2, total - total // 2
            padding.append((small, large) if auto == b"SAME_UPPER" else (large, small))
        return stride, dilation, tuple(padding)
    pads = (attributes.get("pads") if auto == b"NOTSET" else None) or (0,) * (2 * axes)
    return stride, dilation, tuple(zip(pads[:axes], pads[axes:], strict=True))


def _pool(kind: str) -> Handler:
    def pool(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
        kernel = tuple(attributes["kernel_shape"])
        stride, dilation, padding = _window(r, attributes, r.shape(node.input[0])[1:], kernel)
        layer = Pool(
            kind, kernel, stride, padding, dilation,
            count_padding=bool(attributes.get("count_include_pad", 0)), ceiling=bool(attributes.get("ceil_mode", 0)),
        )  # fmt: skip
        r.add(node, layer, node.input[0])
        return True

    return pool


def _global_pool(kind: str) -> Handler:
    def pool(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
        r.add(node, GlobalPool(kind), node.input[0])
        return True

    return pool


def _reduce_mean(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    """A mean over all spatial axes is global pooling."""
    shape = r.shape(node.input[0])
    axes = _axes(r, node, attributes, len(shape) + 1)
    if axes is None or len(shape) < 2 or set(axes) != set(range(2, len(shape) + 1)):
        return False
    if attributes.get("keepdims", 1):
        r.add(node, GlobalPool("average"), node.input[0])
    else:
        place = r.between(GlobalPool("average"), r.place(node.input[0]))
        r.put(node.output[0], Reshape((shape[0],)), place)
    return True


def _axes(r: OnnxReader, node: Node, attributes: Attributes, rank: int) -> list[int] | None:
    """Return the axes an operator names, by attribute or (from version 13 or 18 on) by input."""
    if len(node.input) > 1 and node.input[1]:
        given = r.constants[node.input[1]].reshape(-1) if r.is_constant(node.input[1]) else None
    else:
        given = attributes.get("axes")
    return None if given is None or not len(given) else [int(a) % rank for a in given]


def _flatten(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    rank = len(r.shape(node.input[0])) + 1
    axis = attributes.get("axis", 1)
    if (axis if axis >= 0 else axis + rank) != 1:
        return False
    r.add(node, Reshape((-1,)), node.input[0])
    return True


def _reshape(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    if len(node.input) > 1:
        target = r.constants.get(node.input[1])
        wanted = None if target is None else [int(n) for n in target.reshape(-1)]
    else:
        wanted = attributes.get("shape")  # before version 5
    shape = r.shape(node.input[0])
    if not wanted or (attributes.get("allowzero") and 0 in wanted):
        return False
    first, *rest = wanted
    copied = [shape[i] if n == 0 else n for i, n in enumerate(rest)]
    known = math.prod(n for n in copied if n != -1)
    if first not in (0, r.batch, -1) or (first == -1 and known != math.prod(shape)):
        return False
    r.add(node, Reshape(tuple(copied)), node.input[0])
    return True


def _squeeze(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    shape = r.shape(node.input[0])
    axes = _axes(r, node, attributes, len(shape) + 1)
    if axes is None or 0 in axes:
        return False
    r.add(node, Reshape(tuple(n for i, n in enumerate(shape, 1) if i not in axes)), node.input[0])
    return True


def _unsqueeze(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    shape = list(r.shape(node.input[0]))
    given = r.constants.get(node.input[1]) if len(node.input) > 1 else attributes.get("axes")
    if given is None:
        return False
    given = np.reshape(given, -1)
    axes = sorted(int(a) % (len(shape) + 1 + len(given)) for a in given)
    if 0 in axes:
        return False
    for axis in axes:
        shape.insert(axis - 1, 1)
    r.add(node, Reshape(tuple(shape)), node.input[0])
    return True


def _transpose(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    order = attributes.get("perm")
    if not order or order[0] != 0:
        return False
    r.add(node, Transpose(tuple(axis - 1 for axis in order[1:])), node.input[0])
    return True


def _concat(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    if any(map(r.is_constant, node.input)):
        return False
    axis = attributes.get("axis", 1) % (len(r.shape(node.input[0])) + 1)  # 1 by default before version 4
    if axis == 0:
        return False
    if len(node.input) == 1:
        return _passed_on(r, node, attributes)
    r.add(node, Concatenate(axis - 1), *node.input)
    return True


def _pad(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    given = attributes.get(
        "pads", attributes.get("paddings")
    )  # attributes before version 11, `paddings` in the first
    value: Any = attributes.get("value", 0.0)
    if given is None and len(node.input) > 1 and r.is_constant(node.input[1]):
        given = r.constants[node.input[1]].reshape(-1).tolist()
    if len(node.input) > 2 and node.input[2]:
        value = r.constants.get(node.input[2], 1.0)
    if given is None or attributes.get("mode", b"constant") != b"constant" or np.any(value):
        return False
    rank = len(r.shape(node.input[0])) + 1
    half = len(given) // 2
    axes = list(range(rank))
    if len(node.input) > 3 and node.input[3]:  # since version 18
        axes = [int(a) % rank for a in r.constants[node.input[3]].reshape(-1)]
    pairs = [(0, 0)] * rank
    for axis, before, after in zip(axes, given[:half], given[half:], strict=True):
        pairs[axis] = (int(before), int(after))
    if pairs[0] != (0, 0) or min(map(min, pairs)) < 0:
        return False
    r.add(node, Pad(tuple(pairs[1:])), node.input[0])
    return True


def _softmax(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    """Along one axis; before version 13 over all axes from the given one on, which is 1 by default."""
    shape = r.shape(node.input[0])
    axis = attributes.get("axis", -1 if r.opset >= 13 else 1)
    axis = axis + len(shape) + 1 if axis < 0 else axis
    if not 0 < axis <= len(shape):
        return False
    place = r.place(node.input[0])
    together = r.opset < 13 and axis < len(shape)
    if together:
        place = r.between(Reshape((*shape[: axis - 1], math.prod(shape[axis - 1 :]))), place)
    steps: list[Any] = [Softmax(axis - 1)]
    if node.op_type == "LogSoftmax":
        steps.append(Activation("other"))
    if together:
        steps.append(Reshape(shape))
    for step in steps[:-1]:
        place = r.between(step, place)
    r.put(node.output[0], steps[-1], place)
    return True


def _gelu(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    exact = attributes.get("approximate", b"none") == b"none"
    r.add(node, Activation("gelu" if exact else "other"), node.input[0])
    return True


def _leaky_relu(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    usual = math.isclose(attributes.get("alpha", 0.01), 0.01, rel_tol=1e-6)
    r.add(node, Activation("leaky_relu" if usual else "other"), node.input[0])
    return True


def _clip(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    """Limits are attributes before version 11, inputs since; either may be missing."""
    bounds: list[float | None] = [attributes.get("min"), attributes.get("max")]
    for which, name in enumerate(node.input[1:3]):
        if name:
            if not r.is_constant(name) or r.constants[name].size != 1:
                return False
            bounds[which] = float(r.constants[name].reshape(-1)[0])
    low, high = bounds
    kind = {(0.0, 6.0): "relu6", (0.0, None): "relu", (None, None): "identity"}.get((low, high), "other")
    r.add(node, Activation(kind), node.input[0])
    return True


def _batch_norm(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    """At inference. Version 1 to 6 train unless told to test, versions before 9 may count each position by itself."""
    x, *four = node.input
    training = attributes.get("training_mode", 0) or (r.opset < 7 and not attributes.get("is_test", 0))
    if (
        training
        or not attributes.get("spatial", 1)
        or any(node.output[1:])
        or not all(map(r.is_constant, four))
    ):
        return False
    values = [r.constants[name] for name in four]
    channels = r.shape(x)[0]
    if any(value.shape != (channels,) for value in values):
        return False
    scale, shift, mean, variance = (r.keep(name, value) for name, value in zip(four, values, strict=True))
    r.add(node, BatchNorm(channels, scale, shift, mean, variance, attributes.get("epsilon", 1e-5)), x)
    return True


def _layer_norm(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    x, *affine = node.input
    shape = r.shape(x)
    last = attributes.get("axis", -1) % (len(shape) + 1) == len(shape)
    if not last or not all(name == "" or r.is_constant(name) for name in affine):
        return False
    if any(r.constants[name].size != shape[-1] for name in affine if name):
        return False
    kept = [r.keep(name, r.constants[name].reshape(-1)) if name else None for name in affine]
    scale, shift = [*kept, None, None][:2]
    r.add(node, LayerNorm(shape[-1], scale, shift, attributes.get("epsilon", 1e-5)), x)
    return True


# -------------------------------------------------------------------------------------------------- arithmetic


def _add(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    a, b = node.input
    if r.is_constant(a):
        a, b = b, a
    if r.is_constant(b):
        value = _aligned(r, a, r.constants[b], attributes)
        return value is not None and _shifted(r, node, a, b, value)
    if r.shape(a) != r.shape(b):
        return False
    r.add(node, Add(), a, b)
    return True


def _sum(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    if any(map(r.is_constant, node.input)) or len({r.shape(name) for name in node.input}) != 1:
        return _with_constants(r, node, attributes)
    if len(node.input) == 1:
        return _passed_on(r, node, attributes)
    r.add(node, Add(), *node.input)
    return True


def _sub(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    a, b = node.input
    if r.is_constant(b):
        value = _aligned(r, a, r.constants[b], attributes)
        return value is not None and value.dtype.kind == "f" and _shifted(r, node, a, f"-{b}", -value)
    minus = _scale(r, b, f"-1:{b}", np.array([-1.0], np.float32))
    turned = None if minus is None else r.between(minus, r.place(b))
    if r.is_constant(a):
        value = r.constants[a]
        if turned is None or value.size != 1:
            return False
        r.put(node.output[0], Affine(1, None, r.keep(a, value.reshape(1))), turned)
        return True
    if turned is None or r.shape(a) != r.shape(b):
        return False
    r.put(node.output[0], Add(), r.place(a), turned)
    return True


def _mul(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    a, b = node.input
    if r.is_constant(a):
        a, b = b, a
    if r.is_constant(b):
        value = _aligned(r, a, r.constants[b], attributes)
        return value is not None and (_scaled(r, node, a, b, value) or _with_constants(r, node, attributes))
    if len(r.shape(a)) != len(r.shape(b)):
        return False
    r.add(node, Multiply(), a, b)
    return True


def _div(r: OnnxReader, node: Node, attributes: Attributes) -> bool:
    a, b = node.input
    if r.is_constant(a) or not r.is_constant(b):
        return _with_constants(r, node, attributes)
    value = _aligned(r, a, r.constants[b], attributes)
    if value is None or value.dtype.kind != "f" or not value.all():  # integers are divided otherwise
        return value is not None and _with_constants(r, node, attributes)
    return _scaled(r, node, a, f"1/{b}", 1 / value) or _with_constants(r, node, attributes)


def _aligned(r: OnnxReader, x: str, value: NDArray, attributes: Attributes) -> NDArray | None:
    """Return a constant operand as it stands against an activation; before version 7 an attribute tells where."""
    shape = (r.batch, *r.shape(x))
    if r.opset < 7 and attributes.get("broadcast") and attributes.get("axis") is not None:
        axis = attributes["axis"] % len(shape)
        value = value.reshape(value.shape + (1,) * (len(shape) - axis - value.ndim))
    return value if np.broadcast_shapes(value.shape, shape) == shape else None


def _with_all_axes(value: NDArray, shape: Shape) -> Shape:
    """Return the shape of a constant with as many axes, the batch included, as an activation of this shape has."""
    return (1,) * (len(shape) + 1 - value.ndim) + value.shape


def _axis_of(value: NDArray, shape: Shape) -> tuple[int, int] | None:
    """Return the one axis along which a constant varies, and its length; None if there are several."""
    aligned = _with_all_axes(value, shape)
    varying = [axis for axis, n in enumerate(aligned) if n != 1]
    if len(aligned) != len(shape) + 1 or len(varying) > 1 or (varying and varying[0] == 0):
        return None
    if not varying:
        return -1, 1
    axis = varying[0] - 1
    return (-1 if axis == len(shape) - 1 else axis), value.size


def _shifted(r: OnnxReader, node: Node, x: str, name: str, value: NDArray) -> bool:
    shape = r.shape(x)
    found = _axis_of(value, shape)
    if found:
        axis, size = found
        r.add(node, Affine(size, None, r.keep(name, value.reshape(size)), axis), x)
        return True
    aligned = _with_all_axes(value, shape)
    if len(aligned) != len(shape) + 1 or aligned[0] != 1:
        return False
    full = np.broadcast_to(value.reshape(aligned)[0], shape)
    held = r.network.add(Constant(r.keep(f"{name}:full", full), shape))
    r.put(node.output[0], Add(), r.place(x), held)
    return True


def _scaled(r: OnnxReader, node: Node, x: str, name: str, value: NDArray) -> bool:
    scale = _scale(r, x, name, value)
    if scale is None:
        return False
    r.add(node, scale, x)
    return True


def _scale(r: OnnxReader, x: str, name: str, value: NDArray) -> Affine | None:
    """Return the layer that multiplies an activation by a constant; None where no `Affine` does."""
    if r.is_constant(x) or (found := _axis_of(value, r.shape(x))) is None:
        return None
    axis, size = found
    return Affine(size, r.keep(name, value.reshape(size)), None, axis)


OPERATORS: dict[str, Handler] = {
    **dict.fromkeys(_WITH_CONSTANTS, _with_constants),
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    "Identity": _passed_on, "Dropout": _passed_on, "Cast": _cast, "Gemm": _gemm, "MatMul": _matmul, "Conv": _conv,
    "MaxPool": _pool("max"), "AveragePool": _pool("average"), "GlobalAveragePool": _global_pool("average"),
    "GlobalMaxPool": _global_pool("max"), "ReduceMean": _reduce_mean, "Flatten": _flatten, "Reshape": _reshape,
    "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Transpose": _transpose, "Concat": _concat, "Pad": _pad,
    "Softmax": _softmax, "LogSoftmax": _softmax, "Gelu": _gelu, "LeakyRelu": _leaky_relu, "Clip": _clip,
    "BatchNormalization": _batch_norm, "LayerNormalization": _layer_norm, "Add": _add, "Sum": _sum, "Sub": _sub,
    "Mul": _mul, "Div": _div,
}  # fmt: skip
