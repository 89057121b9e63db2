"""Reading a network and its tensors from an ONNX file (needs the extra `onnx`).

The first axis of every activation is taken for the batch and left out. Lengths a file leaves open are set
to a small number; which connections are alive does not depend on the number of tokens. What is computed
from constants alone is worked out while reading. An operator that is not known becomes an `Opaque` layer,
through which everything counts as connected: the result is then an upper bound on what is alive. Data kept
outside the file, and operators that hold graphs of their own (If, Loop, Scan), are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice
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
    Layer,
    LayerNorm,
    MatrixMultiply,
    Multiply,
    Opaque,
    Pad,
    Pool,
    Reshape,
    Shape,
    Softmax,
    Transpose,
)
from xorweave.golden.network.network import Network

_ELEMENTWISE = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Erf": "erf",
    "Abs": "abs",
    "Sqrt": "sqrt",
    "Exp": "exp",
    "HardSwish": "hard_swish",
    **dict.fromkeys(
        ("Elu", "Selu", "Celu", "Softplus", "Softsign", "HardSigmoid", "Mish", "ThresholdedRelu"), "other"
    ),
}
_PASSED_ON = ("Identity", "Dropout", "Cast")
# operators worked out while reading when all they read is constant; none makes its output much larger than
# its inputs
_FOLDABLE = (
    *(
        "Identity",
        "Reshape",
        "Transpose",
        "Unsqueeze",
        "Squeeze",
        "Concat",
        "Slice",
        "Cast",
        "Gather",
        "Add",
        "Sub",
    ),
    *("Mul", "Div", "Sqrt", "Neg", "DequantizeLinear", "ReduceProd", "Floor"),
)
_WITH_GRAPHS = ("If", "Loop", "Scan")


def read_onnx(source: Path | bytes, *, free_length: int = 8) -> tuple[Network, dict[str, NDArray]]:
    """Read a network from an ONNX file or its bytes.

    Parameters
    ----------
    source : Path or bytes
    free_length : int
        What to take for every length but the batch's that the file leaves open.

    Returns
    -------
    (Network, dict of str to ndarray)
        The network; its weights and parameters under the names of the file's initializers (or, for
        constants worked out while reading, of the values they stand for).

    Raises
    ------
    InputError
        The package `onnx` is missing, or the file cannot be read as a network.
    """
    try:
        import onnx
        from onnx import numpy_helper, shape_inference
    except ImportError:
        raise InputError(f"reading ONNX needs the package onnx: {install_advice('onnx')}") from None
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        model = onnx.load_from_string(data)
        model = shape_inference.infer_shapes(model)
    except OSError as error:
        raise InputError(f"{source!s} cannot be read: {error.strerror}") from None
    except Exception as error:  # protobuf and onnx raise their own kinds, which differ between versions
        raise InputError(f"{_name(source)} is not an ONNX model: {str(error).splitlines()[0]}") from None
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise InputError(
                f"{_name(source)} keeps the tensor {tensor.name} in another file, which is not read"
            )
    reader = _Reader(model.graph, free_length, numpy_helper.to_array, onnx.helper.get_attribute_value)
    return reader.read(Path(_name(source)).stem)


def _name(source: Path | bytes) -> str:
    return "the data" if isinstance(source, bytes) else str(source)


class _Reader:
    """Builds a network while walking the operators, which ONNX keeps in topological order."""

    def __init__(self, graph: Any, free_length: int, to_array: Callable, attribute_value: Callable) -> None:
        self.graph = graph
        self.free_length = free_length
        self.to_array = to_array
        self.attribute_value = attribute_value
        self.network = Network()
        self.tensors: dict[str, NDArray] = {}
        self.constants: dict[str, NDArray] = {t.name: to_array(t) for t in graph.initializer}
        # a constant that is an initializer turned round: which, and whether its two axes are swapped
        self.origins: dict[str, tuple[str, bool]] = {t.name: (t.name, False) for t in graph.initializer}
        self.places: dict[str, str] = {}  # value name -> node name
        self.stated = {
            value.name: self._stated_shape(value)
            for value in (*graph.value_info, *graph.output, *graph.input)
        }
        self.makers = {output: node for node in graph.node for output in node.output}
        self.uses: dict[str, int] = {}
        for node in graph.node:
            for name in node.input:
                self.uses[name] = self.uses.get(name, 0) + 1
        for value in graph.output:
            self.uses[value.name] = self.uses.get(value.name, 0) + 1
        self.norms = self._decomposed_norms()

    def read(self, name: str) -> tuple[Network, dict[str, NDArray]]:
        self.network.name = name
        for node in self.graph.node:
            if node.op_type in _WITH_GRAPHS:
                raise InputError(f"the operator {node.op_type} holds graphs of its own, which are not read")
        for value in self.graph.input:
            if value.name not in self.constants:
                shape = self.stated[value.name]
                if shape is None:
                    raise InputError(f"the input {value.name} must have a stated shape")
                self.places[value.name] = self.network.input(shape, name=value.name)
        skipped = {id(node) for norm in self.norms.values() for node in norm[1]}
        for node in self.graph.node:
            if id(node) not in skipped:
                self._operator(node)
        outputs = [value.name for value in self.graph.output if value.name in self.places]
        if not outputs:
            raise InputError("the model must have an output that depends on its input")
        self.network.outputs = [self.places[value] for value in outputs]
        return self.network, self.tensors

    # ------------------------------------------------------------------------------------------ helpers

    def _stated_shape(self, value: Any) -> Shape | None:
        """Return the stated shape without the batch; open lengths filled in."""
        kind = value.type.tensor_type
        if not kind.HasField("shape"):
            return None
        return tuple(d.dim_value if d.HasField("dim_value") else self.free_length for d in kind.shape.dim[1:])

    def _attributes(self, node: Any) -> dict[str, Any]:
        return {a.name: self.attribute_value(a) for a in node.attribute}

    def _is_constant(self, name: str) -> bool:
        return name in self.constants

    def _shape(self, name: str) -> Shape:
        return self.network.nodes[self._place(name)].shape

    def _place(self, name: str) -> str:
        if name not in self.places:
            raise InputError(f"the value {name!r} is read before anything makes it")
        return self.places[name]

    def _add(self, node: Any, layer: Layer, *inputs: str) -> None:
        output = node.output[0]
        name = output if output not in self.network.nodes else None
        self.places[output] = self.network.add(layer, *(self._place(i) for i in inputs), name=name)

    def _keep(self, name: str, value: NDArray) -> str:
        """File a parameter; a name already used for another value gets a suffix."""
        while name in self.tensors and not (
            self.tensors[name].shape == value.shape
            and np.array_equal(self.tensors[name], value, equal_nan=True)
        ):
            name += "_"
        self.tensors[name] = value
        return name

    def _weight(self, name: str) -> tuple[str, Shape, bool]:
        """File a weight under its initializer's name: the name, its shape there, and if it was turned."""
        origin, swapped = self.origins.get(name, (name, False))
        value = self.constants[name]
        value = value.T if swapped else value
        self.tensors[origin] = value
        return origin, value.shape, swapped

    def _operator(self, node: Any) -> None:
        kind = node.op_type
        if kind == "Constant":
            self._constant(node)
            return
        if kind == "Shape" and node.input[0] in self.places:
            self.constants[node.output[0]] = np.array((1, *self._shape(node.input[0])), np.int64)
            return
        read = [name for name in node.input if name]
        if kind in _FOLDABLE and read and all(map(self._is_constant, read)):
            self._fold(node)
            return
        if node.output[0] in self.norms:
            self._norm(node)
            return
        if kind in _PASSED_ON and not self._is_constant(node.input[0]):
            self.places[node.output[0]] = self._place(node.input[0])
            return
        layer = None
        if kind in _ELEMENTWISE:
            layer = Activation(_ELEMENTWISE[kind])
            self._add(node, layer, node.input[0])
            return
        handler = getattr(self, f"_op_{kind.lower()}", None)
        if handler is None or not handler(node, self._attributes(node)):
            self._opaque(node)

    def _constant(self, node: Any) -> None:
        attributes = self._attributes(node)
        if "value" in attributes:
            value = self.to_array(attributes["value"])
        else:
            value = np.asarray(next(iter(attributes.values()), None))
        self.constants[node.output[0]] = value
        self.origins[node.output[0]] = (node.output[0], False)

    def _fold(self, node: Any) -> None:
        """Work out an operator on constants with ONNX's own reference implementation."""
        from onnx.reference import ReferenceEvaluator

        given = {name: self.constants[name] for name in node.input if name}
        self._refuse_growth(node, given)
        try:
            made = ReferenceEvaluator(node).run(None, given)
        except Exception as error:
            raise InputError(f"the constant {node.output[0]!r} cannot be worked out: {error}") from None
        for name, value in zip(node.output, made, strict=False):
            self.constants[name] = np.asarray(value)
        first = node.input[0]
        swaps = node.op_type == "Transpose" and self.constants[first].ndim == 2
        if first in self.origins and (swaps or node.op_type in ("Identity", "DequantizeLinear", "Cast")):
            origin, swapped = self.origins[first]
            turned = swaps and list(self._attributes(node).get("perm", (1, 0))) == [1, 0]
            self.origins[node.output[0]] = (origin, swapped != turned)

    def _refuse_growth(self, node: Any, given: dict[str, NDArray]) -> None:
        """Refuse a constant far larger than what it is made of: a small file must not claim much memory."""
        if node.op_type in ("Add", "Sub", "Mul", "Div"):
            try:
                size = math.prod(np.broadcast_shapes(*(value.shape for value in given.values())))
            except ValueError as error:
                raise InputError(f"the constant {node.output[0]!r} cannot be worked out: {error}") from None
            if size > 1_000_000 + 4 * sum(value.size for value in given.values()):
                raise InputError(f"the constant {node.output[0]!r} must not be so much larger than its parts")
        if node.op_type == "Gather" and given[node.input[1]].size * given[node.input[0]].size > 1 << 28:
            raise InputError(f"the constant {node.output[0]!r} must not be so much larger than its parts")

    def _opaque(self, node: Any) -> None:
        for output in node.output:
            shape = self.stated.get(output)
            if not output:
                continue
            if shape is None:
                raise InputError(
                    f"the operator {node.op_type} is not known, "
                    f"and the shape of what it makes, {output!r}, not stated"
                )
            sources = [self._place(name) for name in node.input if name in self.places]
            name = output if output not in self.network.nodes else None
            self.places[output] = self.network.add(Opaque(node.op_type, shape), *sources, name=name)

    # ---------------------------------------------------------------------------------------- operators
    # each returns False where it meets a form it does not know, which then counts as opaque

    def _op_gemm(self, node: Any, attributes: dict[str, Any]) -> bool:
        a, b, *c = node.input
        if not self._is_constant(b) or self._is_constant(a) or attributes.get("transA", 0):
            return False
        if attributes.get("alpha", 1.0) != 1.0 or attributes.get("beta", 1.0) != 1.0:
            return False
        name, shape, swapped = self._weight(b)
        transposed = bool(attributes.get("transB", 0)) == swapped
        outputs = shape[1 if transposed else 0]
        bias = None
        if c and c[0]:
            if not self._is_constant(c[0]) or self.constants[c[0]].size not in (1, outputs):
                return False
            bias = self._keep(c[0], np.broadcast_to(self.constants[c[0]].reshape(-1), (outputs,)))
        self._add(node, Dense(name, shape, bias, transposed=transposed), a)
        return True

    def _op_matmul(self, node: Any, attributes: dict[str, Any]) -> bool:
        a, b = node.input
        if self._is_constant(a):
            return False
        if not self._is_constant(b):
            if len(self._shape(a)) < 2 or len(self._shape(a)) != len(self._shape(b)):
                return False
            self._add(node, MatrixMultiply(), a, b)
            return True
        if self.constants[b].ndim != 2:
            return False
        name, shape, swapped = self._weight(b)
        self._add(node, Dense(name, shape, None, transposed=not swapped), a)
        return True

    def _op_conv(self, node: Any, attributes: dict[str, Any]) -> bool:
        x, w, *b = node.input
        if not self._is_constant(w) or self._is_constant(x):
            return False
        self.tensors[w] = self.constants[w]
        shape = self.constants[w].shape
        bias = None
        if b and b[0]:
            if not self._is_constant(b[0]):
                return False
            bias = self._keep(b[0], self.constants[b[0]])
        stride, dilation, padding = self._window(attributes, self._shape(x)[1:], shape[2:])
        layer = Conv(w, shape, bias, stride, padding, dilation, int(attributes.get("group", 1)))
        self._add(node, layer, x)
        return True

    def _window(
        self, attributes: dict[str, Any], spatial: Shape, kernel: Shape
    ) -> tuple[Shape, Shape, tuple[tuple[int, int], ...]]:
        axes = len(kernel)
        stride = tuple(attributes.get("strides", (1,) * axes))
        dilation = tuple(attributes.get("dilations", (1,) * axes))
        auto = attributes.get("auto_pad", b"NOTSET")
        if auto in (b"SAME_UPPER", b"SAME_LOWER"):
            padding = []
            for n, k, s, d in zip(spatial, kernel, stride, dilation, strict=True):
                total = max(0, (math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n)
                small, large = total // 2, total - total // 2
                padding.append((small, large) if auto == b"SAME_UPPER" else (large, small))
            return stride, dilation, tuple(padding)
        pads = attributes.get("pads", (0,) * (2 * axes)) if auto == b"NOTSET" else (0,) * (2 * axes)
        return stride, dilation, tuple(zip(pads[:axes], pads[axes:], strict=True))

    def _op_maxpool(self, node: Any, attributes: dict[str, Any]) -> bool:
        return self._pool("max", node, attributes)

    def _op_averagepool(self, node: Any, attributes: dict[str, Any]) -> bool:
        return self._pool("average", node, attributes)

    def _pool(self, kind: str, node: Any, attributes: dict[str, Any]) -> bool:
        kernel = tuple(attributes["kernel_shape"])
        stride, dilation, padding = self._window(attributes, self._shape(node.input[0])[1:], kernel)
        layer = Pool(
            kind,
            kernel,
            stride,
            padding,
            dilation,
            count_padding=bool(attributes.get("count_include_pad", 0)),
            ceiling=bool(attributes.get("ceil_mode", 0)),
        )
        self._add(node, layer, node.input[0])
        return True

    def _op_globalaveragepool(self, node: Any, attributes: dict[str, Any]) -> bool:
        self._add(node, GlobalPool("average"), node.input[0])
        return True

    def _op_globalmaxpool(self, node: Any, attributes: dict[str, Any]) -> bool:
        self._add(node, GlobalPool("max"), node.input[0])
        return True

    def _op_reducemean(self, node: Any, attributes: dict[str, Any]) -> bool:
        """A mean over all spatial axes is global pooling."""
        shape = self._shape(node.input[0])
        axes = attributes.get("axes")
        if axes is None and len(node.input) > 1 and self._is_constant(node.input[1]):
            axes = self.constants[node.input[1]].tolist()
        if (
            axes is None
            or len(shape) < 2
            or {a % (len(shape) + 1) for a in axes} != set(range(2, len(shape) + 1))
        ):
            return False
        self._add(node, GlobalPool("average"), node.input[0])
        if not attributes.get("keepdims", 1):
            self.places[node.output[0]] = self.network.add(Reshape((shape[0],)), self.places[node.output[0]])
        return True

    def _op_flatten(self, node: Any, attributes: dict[str, Any]) -> bool:
        if attributes.get("axis", 1) != 1:
            return False
        self._add(node, Reshape((-1,)), node.input[0])
        return True

    def _op_reshape(self, node: Any, attributes: dict[str, Any]) -> bool:
        if not self._is_constant(node.input[1]):
            return False
        shape = self._shape(node.input[0])
        first, *wanted = (int(n) for n in self.constants[node.input[1]])
        copied = [shape[i] if n == 0 and i < len(shape) else n for i, n in enumerate(wanted)]
        known = math.prod(n for n in copied if n != -1)
        if first not in (0, 1, -1) or (first == -1 and known != math.prod(shape)):
            return False
        self._add(node, Reshape(tuple(copied)), node.input[0])
        return True

    def _op_squeeze(self, node: Any, attributes: dict[str, Any]) -> bool:
        axes = self._axes(node, attributes, len(self._shape(node.input[0])) + 1)
        if axes is None or 0 in axes:
            return False
        self._add(
            node,
            Reshape(tuple(n for i, n in enumerate(self._shape(node.input[0]), 1) if i not in axes)),
            node.input[0],
        )
        return True

    def _op_unsqueeze(self, node: Any, attributes: dict[str, Any]) -> bool:
        shape = list(self._shape(node.input[0]))
        given = self.constants.get(node.input[1]) if len(node.input) > 1 else attributes.get("axes")
        if given is None:
            return False
        axes = sorted(int(a) % (len(shape) + 1 + len(given)) for a in given)
        if 0 in axes:
            return False
        for axis in axes:
            shape.insert(axis - 1, 1)
        self._add(node, Reshape(tuple(shape)), node.input[0])
        return True

    def _axes(self, node: Any, attributes: dict[str, Any], rank: int) -> list[int] | None:
        given = self.constants.get(node.input[1]) if len(node.input) > 1 else attributes.get("axes")
        return None if given is None else [int(a) % rank for a in given]

    def _op_transpose(self, node: Any, attributes: dict[str, Any]) -> bool:
        order = attributes.get("perm")
        if order is None or order[0] != 0:
            return False
        self._add(node, Transpose(tuple(axis - 1 for axis in order[1:])), node.input[0])
        return True

    def _op_concat(self, node: Any, attributes: dict[str, Any]) -> bool:
        if any(map(self._is_constant, node.input)):
            return False
        rank = len(self._shape(node.input[0])) + 1
        axis = attributes["axis"] % rank
        if axis == 0:
            return False
        self._add(node, Concatenate(axis - 1), *node.input)
        return True

    def _op_pad(self, node: Any, attributes: dict[str, Any]) -> bool:
        given = attributes.get("pads")
        if given is None and len(node.input) > 1 and self._is_constant(node.input[1]):
            given = self.constants[node.input[1]].tolist()
        value = self.constants.get(node.input[2], np.ones(1)) if len(node.input) > 2 and node.input[2] else 0
        if given is None or attributes.get("mode", b"constant") != b"constant" or np.any(value):
            return False
        half = len(given) // 2
        pairs = tuple((int(b), int(a)) for b, a in zip(given[:half], given[half:], strict=True))
        if pairs[0] != (0, 0) or half != len(self._shape(node.input[0])) + 1 or min(map(min, pairs)) < 0:
            return False
        self._add(node, Pad(pairs[1:]), node.input[0])
        return True

    def _op_softmax(self, node: Any, attributes: dict[str, Any]) -> bool:
        rank = len(self._shape(node.input[0])) + 1
        axis = attributes.get("axis", -1) % rank
        if axis == 0:
            return False
        self._add(node, Softmax(axis - 1), node.input[0])
        return True

    def _op_gelu(self, node: Any, attributes: dict[str, Any]) -> bool:
        exact = attributes.get("approximate", b"none") == b"none"
        self._add(node, Activation("gelu" if exact else "other"), node.input[0])
        return True

    def _op_leakyrelu(self, node: Any, attributes: dict[str, Any]) -> bool:
        usual = math.isclose(attributes.get("alpha", 0.01), 0.01, rel_tol=1e-6)
        self._add(node, Activation("leaky_relu" if usual else "other"), node.input[0])
        return True

    def _op_prelu(self, node: Any, attributes: dict[str, Any]) -> bool:
        self._add(node, Activation("other"), node.input[0])
        return True

    def _op_clip(self, node: Any, attributes: dict[str, Any]) -> bool:
        low, high = attributes.get("min"), attributes.get("max")
        if len(node.input) > 1:
            low = self.constants.get(node.input[1])
        if len(node.input) > 2:
            high = self.constants.get(node.input[2])
        is_relu6 = low is not None and high is not None and float(low) == 0 and float(high) == 6
        self._add(node, Activation("relu6" if is_relu6 else "other"), node.input[0])
        return True

    def _op_batchnormalization(self, node: Any, attributes: dict[str, Any]) -> bool:
        x, *four = node.input
        if not all(map(self._is_constant, four)) or attributes.get("training_mode", 0):
            return False
        scale, shift, mean, variance = (self._keep(name, self.constants[name]) for name in four)
        channels = self.constants[four[0]].size
        self._add(node, BatchNorm(channels, scale, shift, mean, variance, attributes.get("epsilon", 1e-5)), x)
        return True

    def _op_layernormalization(self, node: Any, attributes: dict[str, Any]) -> bool:
        x, *affine = node.input
        shape = self._shape(x)
        if attributes.get("axis", -1) % (len(shape) + 1) != len(shape) or not all(
            map(self._is_constant, affine)
        ):
            return False
        kept = [self._keep(name, self.constants[name]) if name else None for name in affine]
        scale, shift = [*kept, None, None][:2]
        self._add(node, LayerNorm(shape[-1], scale, shift, attributes.get("epsilon", 1e-5)), x)
        return True

    def _op_add(self, node: Any, attributes: dict[str, Any]) -> bool:
        a, b = node.input
        if self._is_constant(a):
            a, b = b, a
        if self._is_constant(b):
            return self._shifted(node, a, b, self.constants[b])
        if self._shape(a) != self._shape(b):
            return False
        self._add(node, Add(), a, b)
        return True

    def _op_sub(self, node: Any, attributes: dict[str, Any]) -> bool:
        a, b = node.input
        if self._is_constant(b):
            return self._shifted(node, a, f"-{b}", -self.constants[b])
        turned = self._scaled_place(b, f"-1:{b}", np.array([-1.0], np.float32))
        if self._is_constant(a):
            value = self.constants[a]
            if turned is None or value.size != 1:
                return False
            shift = Affine(1, None, self._keep(a, value.reshape(1)))
            self.places[node.output[0]] = self.network.add(shift, turned)
            return True
        if turned is None or self._shape(a) != self._shape(b):
            return False
        self.places[node.output[0]] = self.network.add(Add(), self._place(a), turned)
        return True

    def _op_mul(self, node: Any, attributes: dict[str, Any]) -> bool:
        a, b = node.input
        if self._is_constant(a):
            a, b = b, a
        if self._is_constant(b):
            return self._scaled(node, a, b, self.constants[b])
        if len(self._shape(a)) != len(self._shape(b)):
            return False
        self._add(node, Multiply(), a, b)
        return True

    def _op_div(self, node: Any, attributes: dict[str, Any]) -> bool:
        a, b = node.input
        if self._is_constant(a) or not self._is_constant(b):
            return False
        return self._scaled(node, a, f"1/{b}", 1 / self.constants[b])

    def _axis_of(self, value: NDArray, shape: Shape) -> tuple[int, int] | None:
        """Return the one axis along which a constant varies, and its length; None if there are several."""
        aligned = (1,) * (len(shape) + 1 - value.ndim) + value.shape
        varying = [axis for axis, n in enumerate(aligned) if n != 1]
        if len(aligned) != len(shape) + 1 or len(varying) > 1 or (varying and varying[0] == 0):
            return None
        if not varying:
            return -1, 1
        axis = varying[0] - 1
        return (-1 if axis == len(shape) - 1 else axis), value.size

    def _shifted(self, node: Any, x: str, name: str, value: NDArray) -> bool:
        shape = self._shape(x)
        found = self._axis_of(value, shape)
        if found:
            axis, size = found
            self._add(node, Affine(size, None, self._keep(name, value.reshape(size)), axis), x)
            return True
        aligned = (1,) * (len(shape) + 1 - value.ndim) + value.shape
        if len(aligned) != len(shape) + 1 or aligned[0] != 1:
            return False
        full = np.broadcast_to(value.reshape(aligned)[0], shape)
        held = self.network.add(Constant(self._keep(f"{name}:full", full), shape))
        self.places[node.output[0]] = self.network.add(Add(), self._place(x), held)
        return True

    def _scaled(self, node: Any, x: str, name: str, value: NDArray) -> bool:
        place = self._scaled_place(x, name, value)
        if place is not None:
            self.places[node.output[0]] = place
        return place is not None

    def _scaled_place(self, x: str, name: str, value: NDArray) -> str | None:
        if self._is_constant(x) or (found := self._axis_of(value, self._shape(x))) is None:
            return None
        axis, size = found
        return self.network.add(
            Affine(size, self._keep(name, value.reshape(size)), None, axis), self._place(x)
        )

    # --------------------------------------------------------- layer normalisation written out in operators

    def _decomposed_norms(self) -> dict[str, tuple[str, list[Any], float]]:
        """Find (x - mean) / sqrt(mean of squares + epsilon): output -> (x, the inner operators, epsilon)."""
        found = {}
        for node in self.graph.node:
            if node.op_type != "Div":
                continue
            centred, root = (self.makers.get(name) for name in node.input)
            add = self._maker(root, "Sqrt", 0)
            variance = self._maker(add, "Add", 0)
            power = self._maker(variance, "ReduceMean", 0)
            if (
                root is None
                or power is None
                or centred is None
                or centred.op_type != "Sub"
                or power.op_type not in ("Pow", "Mul")
            ):
                continue
            mean = self.makers.get(centred.input[1])
            if mean is None or mean.op_type != "ReduceMean" or mean.input[0] != centred.input[0]:
                continue
            if power.input[0] != node.input[0] or not self._over_last_axis(mean, variance):
                continue
            epsilon = self._value(add.input[1])
            exponent = self._value(power.input[1]) if power.op_type == "Pow" else None
            squares = exponent == 2 if power.op_type == "Pow" else power.input[1] == node.input[0]
            if epsilon is None or not squares:
                continue
            inner = [mean, centred, power, variance, add, root]
            if all(self.uses[part.output[0]] == 1 for part in (mean, power, variance, add, root)):
                found[node.output[0]] = (mean.input[0], inner, epsilon)
        return found

    def _maker(self, node: Any, kind: str, which: int) -> Any:
        return self.makers.get(node.input[which]) if node is not None and node.op_type == kind else None

    def _value(self, name: str) -> float | None:
        value = self.constants.get(name)
        if value is None and name in self.makers and self.makers[name].op_type == "Constant":
            attributes = self._attributes(self.makers[name])
            value = self.to_array(attributes["value"]) if "value" in attributes else None
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def _over_last_axis(self, *means: Any) -> bool:
        for mean in means:
            axes = self._attributes(mean).get("axes")
            if axes is None and len(mean.input) > 1:
                value = self._value(mean.input[1])
                axes = None if value is None else [int(value)]
            if axes is None or list(axes) != [-1] or not self._attributes(mean).get("keepdims", 1):
                return False
        return True

    def _norm(self, node: Any) -> None:
        x, _, epsilon = self.norms[node.output[0]]
        self._add(node, LayerNorm(self._shape(x)[-1], None, None, epsilon), x)
