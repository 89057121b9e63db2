"""What an ONNX graph computes from constants alone, worked out while it is read.

Each operator runs in ONNX's own reference implementation, in the version of the operator set that the model states.
None may make its output much larger than its inputs, nor all together what they make: a small file cannot claim much
memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.files.onnx_file import array_of

# Operators that are worked out; exporters compute shapes with them.
FOLDABLE = frozenset(
    (
        "Abs", "Add", "And", "Cast", "Ceil", "Concat", "ConstantOfShape", "DequantizeLinear", "Div", "Equal", "Expand",
        "Flatten", "Floor", "Gather", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min",
        "Mod", "Mul", "Neg", "NonZero", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceMax", "ReduceMin",
        "ReduceProd", "ReduceSum", "Reshape", "ScatterND", "Shape", "Size", "Slice", "Split", "Sqrt", "Squeeze", "Sub",
        "Tile", "Transpose", "Unsqueeze", "Where",
    )
)  # fmt: skip
_UNCHANGED = ("Cast", "DequantizeLinear", "Identity")
_LATE = 21
_ALWAYS_ALLOWED = 1_000_000
_MOST_GROWTH = 4
_ALWAYS_ALLOWED_IN_ALL = 1 << 24
_MOST_GROWTH_IN_ALL = 8


class Unfoldable(Exception):
    """An operator on constants that is not worked out."""


def constant_of(node: Any, attributes: Mapping[str, Any]) -> NDArray:
    """Return what a Constant operator holds, whichever of its attributes holds it."""
    if "value" in attributes:
        return plain(array_of(attributes["value"]))
    for name, kind in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64)):
        if name in attributes:
            return np.asarray(attributes[name], kind)
    if "value_ints" in attributes:
        return np.asarray(attributes["value_ints"], np.int64)
    return np.asarray(next(iter(attributes.values()), ()), object)


def plain(values: NDArray) -> NDArray:
    """Return numbers in a type that NumPy has: BF16 and FP8 become float32, which holds them exactly."""
    return (
        values
        if values.dtype.kind in "biufcOSU" and values.dtype.isbuiltin == 1
        else values.astype(np.float32)
    )


def room_for(constants: Mapping[str, NDArray]) -> int:
    """Return how many elements may be worked out in all of a model that stores these."""
    return _ALWAYS_ALLOWED_IN_ALL + _MOST_GROWTH_IN_ALL * sum(value.size for value in constants.values())


def fold(node: Any, given: Mapping[str, NDArray], opsets: list[Any], room: int) -> list[NDArray]:
    """Work out an operator on constants.

    Parameters
    ----------
    node : onnx.NodeProto
    given : mapping of str to ndarray
        Its inputs.
    opsets : list of onnx.OperatorSetIdProto
        Those of the model: the same operator means other things in other versions.
    room : int
        Elements that may still be made: see `room_for`.

    Raises
    ------
    Unfoldable
        It cannot be worked out, or would be far larger than what it is made of.
    """
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    _refuse_growth(node, given, room)
    graph = helper.make_graph(
        [node],
        "constant",
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in given],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output if name],
    )
    if node.op_type in _UNCHANGED:  # the reference knows them in late versions only
        opsets = [helper.make_opsetid("", _LATE)]
    try:
        made = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets)).run(None, dict(given))
    except Exception as error:  # the reference implementation raises whatever NumPy does
        raise Unfoldable(str(error)) from None
    return [np.asarray(value) for value in made]


def _refuse_growth(node: Any, given: Mapping[str, NDArray], room: int) -> None:
    """Refuse a constant far larger than what it is made of, or than there is room for."""
    inputs = [given[name] for name in node.input if name]
    there = sum(value.size for value in inputs)
    kind = node.op_type
    try:
        if kind == "ConstantOfShape":
            size = math.prod(int(n) for n in inputs[0].reshape(-1))
        elif kind == "Range":
            start, stop, step = (float(value.reshape(-1)[0]) for value in inputs)
            size = math.ceil((stop - start) / step)
        elif kind == "Expand":
            size = math.prod(
                np.broadcast_shapes(inputs[0].shape, tuple(int(n) for n in inputs[1].reshape(-1)))
            )
        elif kind == "Tile":
            size = inputs[0].size * math.prod(max(0, int(n)) for n in inputs[1].reshape(-1))
        elif kind == "Gather":
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            size = inputs[0].size // max(1, inputs[0].shape[axis]) * inputs[1].size
        elif len(inputs) > 1 and kind not in ("Concat", "Reshape", "Slice", "ScatterND", "Split"):
            size = math.prod(np.broadcast_shapes(*(value.shape for value in inputs)))
        else:
            size = there
    except (ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise Unfoldable(str(error)) from None
    if size > min(room, _ALWAYS_ALLOWED + _MOST_GROWTH * there):
        raise Unfoldable("it would be far larger than what it is made of")
