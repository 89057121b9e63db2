"""Reading a network and its tensors from an ONNX file (needs the extra `onnx`).

The first axis of every activation is taken for the batch and left out. Lengths that a file leaves open are set to a
number large enough for every window in it; which connections are alive does not depend on the number of tokens. What
is computed from constants alone is worked out while reading.

An operator that is not known, or stands in a form that is not, becomes an `Opaque` layer, through which everything
counts as connected: the result is then an upper bound on what is alive. Operators that hold graphs of their own (If,
Loop, Scan) are opaque with all the weights inside them.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.onnx_file import array_of, load_onnx
from xorweave.golden.network.layers import Layer, LayerNorm, Opaque, Shape
from xorweave.golden.network.network import Network
from xorweave.golden.network.onnx_constants import FOLDABLE, Unfoldable, constant_of, fold, plain, room_for
from xorweave.golden.network.onnx_norms import written_norms
from xorweave.golden.network.onnx_operators import OPERATORS, WEIGHT_INPUTS

# Numbers tried for open lengths: the first for which every window fits well inside what it slides over.
LENGTHS = (8, 32, 64, 128, 256, 512)
# A network may have so many units, all activations together.
_MOST_UNITS = 1 << 28
_STANDARD = ("", "ai.onnx")


class WindowTooLarge(InputError):
    """A window does not fit inside an input whose length the file leaves open."""


class _TooManyUnits(InputError):
    """The network's activations are too large to be followed unit by unit."""


def read_onnx(source: Path | bytes, *, free_length: int | None = None) -> tuple[Network, dict[str, NDArray]]:
    """Read a network from an ONNX file or its bytes.

    Parameters
    ----------
    source : Path or bytes
    free_length : int, optional
        What to take for every length but the batch's that the file leaves open; chosen by default.

    Returns
    -------
    (Network, dict of str to ndarray)
        The network; its weights and parameters under the names of the file's initializers (or, for
        constants worked out while reading, of the values they stand for).

    Raises
    ------
    InputError
        The package `onnx` is missing, the file cannot be read as a network, or it has no weights.
    """
    model = load_onnx(source)
    name = "network" if isinstance(source, bytes) else source.stem
    lengths = LENGTHS if free_length is None else (free_length,)
    free = open_axes(model)
    largest = 0
    for length in lengths:
        try:
            return OnnxReader(model, free, length, strict=bool(free)).read(name)
        except WindowTooLarge:
            largest = length
        except _TooManyUnits:
            if not largest:
                raise
            break
    # none is large enough: what does not fit counts as connecting everything
    return OnnxReader(model, free, largest, strict=False).read(name)


def open_axes(model: Any) -> set[tuple[str, int]]:
    """Return which axes of which inputs have no length of their own, the batch's left out."""
    return {
        (value.name, axis)
        for value in model.graph.input
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        # ONNX Runtime takes 0 and -1 for open, too
        if axis and not (dim.HasField("dim_value") and dim.dim_value > 0)
    }


class OnnxReader:
    """Builds a network while walking the operators, which ONNX keeps in topological order.

    Attributes
    ----------
    network : Network
    tensors : dict of str to ndarray
        Weights and parameters by name.
    constants : dict of str to ndarray
        The values that are known.
    opset : int
        Version of the standard operators.
    batch : int
        Length of the first axis.
    """

    def __init__(self, model: Any, free: set[tuple[str, int]], length: int, *, strict: bool) -> None:
        self.graph = model.graph
        self.opsets = list(model.opset_import)
        self.opset = next((o.version for o in self.opsets if o.domain in _STANDARD), 1)
        self.free = free
        self.length = length
        self.strict = strict
        self.network = Network()
        self.tensors: dict[str, NDArray] = {}
        self.constants = {t.name: plain(array_of(t)) for t in self.graph.initializer}
        self.room = room_for(self.constants)  # elements that may still be worked out
        # a constant that is an initializer turned round: which, and whether its two axes are swapped
        self.origins: dict[str, tuple[str, bool]] = {name: (name, False) for name in self.constants}
        self.places: dict[str, str] = {}  # value name -> node name
        self.full: dict[str, Shape | None] = {}  # value name -> shape with the batch, where it is known
        self.batch = 1
        self.units = 0

    def read(self, name: str) -> tuple[Network, dict[str, NDArray]]:
        """Walk the graph."""
        self.network.name = name
        self._inputs()
        self.stated, self.types = self._inferred()
        norms = written_norms(list(self.graph.node), self._uses(), self._number, self._mean_axes)
        inner = {id(node) for norm in norms.values() for node in norm.inner}
        for node in self.graph.node:
            if id(node) in inner:
                continue
            norm = norms.get(node.output[0]) if node.output else None
            if norm is not None and norm.source in self.places and self.is_shaped(norm.source):
                layer = LayerNorm(self.shape(norm.source)[-1], None, None, norm.epsilon)
                self.add(node, layer, norm.source)
            elif norm is not None:
                for part in (*norm.inner, node):
                    self._operator(part)
            else:
                self._operator(node)
        outputs = [value.name for value in self.graph.output if value.name in self.places]
        if not outputs:
            raise InputError("the model must have an output that depends on its input")
        if not self.network.weights:
            raise InputError("the model must have weights: it holds no layer with any")
        self.network.outputs = [self.places[value] for value in outputs]
        return self.network, self.tensors

    def _inputs(self) -> None:
        """Add the inputs, open lengths filled in, and write those into the graph for the inference of shapes."""
        first = True
        for value in self.graph.input:
            if value.name in self.constants:
                continue
            kind = value.type.tensor_type
            if not kind.HasField("shape"):
                self.places[value.name] = self.network.input((1,), name=value.name)
                self.full[value.name] = None
                continue
            sides = []
            for axis, dim in enumerate(kind.shape.dim):
                if (value.name, axis) in self.free:
                    dim.dim_value = self.length
                elif not (dim.HasField("dim_value") and dim.dim_value > 0):
                    dim.dim_value = 1
                sides.append(dim.dim_value)
            if first and sides:
                self.batch, first = sides[0], False
            self._placed(
                value.name, tuple(sides), lambda shape, own=value.name: self.network.input(shape, name=own)
            )

    def _placed(self, name: str, full: Shape | None, add: Any) -> None:
        """File a value of this full shape; where its first axis is no batch, one unit stands for all of it."""
        if full is not None and 0 in full:
            self._nothing_left(full)
            full = None
        self.full[name] = full
        shape = full[1:] if full and full[0] == self.batch else (1,)
        self._count(shape)
        self.places[name] = add(shape)

    def _nothing_left(self, full: Shape) -> None:
        """Ask for larger lengths where a value is empty: nothing may be called dead because of that."""
        if self.free and self.strict:
            raise WindowTooLarge(f"nothing is left of an input: a value has shape {full}")

    def _count(self, shape: Shape) -> None:
        if 0 in shape:
            self._nothing_left(shape)
            raise InputError(f"a value must hold something, but has shape {shape}")
        self.units += math.prod(shape)
        if self.units > _MOST_UNITS:
            raise _TooManyUnits(
                f"the network must have at most {_MOST_UNITS} units, all activations together"
            )

    def _inferred(self) -> tuple[dict[str, Shape], dict[str, int]]:
        """Return the shapes and types that ONNX infers, for the lengths taken."""
        import onnx

        stated: dict[str, Shape] = {}
        types: dict[str, int] = {}
        graph = onnx.GraphProto()
        graph.CopyFrom(self.graph)
        del graph.value_info[:]  # they may state the exporter's own lengths
        for value in graph.output:
            value.type.tensor_type.ClearField("shape")
        try:
            model = onnx.helper.make_model(graph, opset_imports=self.opsets)
            graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except Exception:  # what cannot be inferred is not known; the walk finds most shapes itself
            graph = self.graph
        for value in (*graph.value_info, *graph.output, *graph.input):
            kind = value.type.tensor_type
            types[value.name] = kind.elem_type
            if kind.HasField("shape") and all(d.HasField("dim_value") for d in kind.shape.dim):
                stated[value.name] = tuple(d.dim_value for d in kind.shape.dim)
        return stated, types

    def _uses(self) -> dict[str, int]:
        uses: dict[str, int] = {}
        for name in [i for node in self.graph.node for i in read_by(node)] + [
            v.name for v in self.graph.output
        ]:
            uses[name] = uses.get(name, 0) + 1
        return uses

    def _number(self, name: str) -> float | None:
        value = self.constants.get(name)
        if value is None:
            maker = next((node for node in self.graph.node if name in node.output), None)
            if maker is not None and maker.op_type == "Constant":
                value = constant_of(maker, attributes_of(maker))
        numeric = value is not None and value.size == 1 and value.dtype.kind in "fiu"
        return float(value.reshape(-1)[0]) if value is not None and numeric else None

    def _mean_axes(self, node: Any) -> list[int] | None:
        axes = attributes_of(node).get("axes")
        if axes is None and len(node.input) > 1:
            number = self._number(node.input[1])
            axes = None if number is None else [int(number)]
        return None if axes is None else list(axes)

    # ------------------------------------------------------------------------------- what operators work with

    def is_constant(self, name: str) -> bool:
        """Whether a value is known."""
        return name in self.constants

    def is_shaped(self, name: str) -> bool:
        """Whether an activation's units are known one by one."""
        full = self.full.get(name)
        return full is not None and len(full) > 0 and full[0] == self.batch

    def shape(self, name: str) -> Shape:
        """Return an activation's shape, the batch left out."""
        return self.network.nodes[self.place(name)].shape

    def place(self, name: str) -> str:
        """Return the node that makes an activation."""
        if name not in self.places:
            raise InputError(f"the value {name!r:.100} is read before anything makes it")
        return self.places[name]

    def add(self, node: Any, layer: Layer, *inputs: str) -> None:
        """Add a layer that reads the named values and makes the operator's first output."""
        self.put(node.output[0], layer, *(self.place(name) for name in inputs))

    def put(self, output: str, layer: Layer, *places: str) -> None:
        """Add a layer that reads the named nodes and makes a value."""
        shape = layer.output_shape(*(self.network.nodes[place].shape for place in places))
        self._count(shape)
        name = output if output not in self.network.nodes else None
        self.places[output] = self.network.add(layer, *places, name=name)
        self.full[output] = (self.batch, *shape)

    def between(self, layer: Layer, place: str) -> str:
        """Add a layer between others; return its node."""
        self._count(layer.output_shape(self.network.nodes[place].shape))
        return self.network.add(layer, place)

    def same(self, output: str, source: str) -> None:
        """Let a value stand for another one."""
        self.places[output], self.full[output] = self.place(source), self.full[source]

    def keep(self, name: str, value: NDArray) -> str:
        """File a parameter; a name already used for another value gets a suffix."""
        while name in self.tensors and not (
            self.tensors[name].shape == value.shape and np.array_equal(self.tensors[name], value)
        ):
            name += "_"
        self.tensors[name] = value
        return name

    def weight(self, name: str) -> tuple[str, Shape, bool]:
        """File a weight under its initializer's name: the name, its shape there, and if it was turned."""
        origin, swapped = self.origins.get(name, (name, False))
        value = self.constants[name]
        value = value.T if swapped else value
        if origin in self.tensors and self.tensors[origin].shape != value.shape:
            origin, swapped, value = name, False, self.constants[name]
        self.tensors[origin] = value
        return origin, value.shape, swapped

    def check_window(self, spatial: Shape, kernel: Shape, dilation: Shape) -> None:
        """Refuse a window that reaches over the whole of an input whose length is not the file's own."""
        if self.free and any(d * (k - 1) + 1 > n for n, k, d in zip(spatial, kernel, dilation, strict=True)):
            raise WindowTooLarge(f"a window of {kernel} does not fit inside an input of {spatial}")

    # ------------------------------------------------------------------------------------------- the walk

    def _operator(self, node: Any) -> None:
        kind, standard = node.op_type, node.domain in _STANDARD
        attributes = attributes_of(node)
        if kind == "Constant" and standard:
            self.constants[node.output[0]] = constant_of(node, attributes)
            self.origins[node.output[0]] = (node.output[0], False)
            return
        if standard and self._folded(node, attributes):
            return
        handler = OPERATORS.get(kind) if standard else None
        read = [name for name in node.input if name]
        active = [name for name in read if name in self.places]
        extra = any(node.output[1:])
        if handler is not None and active and not extra and all(map(self.is_shaped, active)):
            try:
                if handler(self, node, attributes):
                    return
            except WindowTooLarge:
                if self.strict:
                    raise
            except _TooManyUnits:
                raise
            except (InputError, ValueError, TypeError, IndexError, KeyError, OverflowError):
                pass  # a form that does not fit what the operator says of itself: opaque
        self._opaque(node)

    def _folded(self, node: Any, attributes: dict[str, Any]) -> bool:
        """Work out an operator on constants, or on shapes alone."""
        kind = node.op_type
        if kind in ("Shape", "Size") and self.full.get(node.input[0]) is not None:
            full = self.full[node.input[0]] or ()
            sides = full[attributes.get("start", 0) : attributes.get("end")]
            self.constants[node.output[0]] = np.array(sides if kind == "Shape" else math.prod(full), np.int64)
            return True
        read = [name for name in node.input if name]
        if kind not in FOLDABLE or not read or not all(map(self.is_constant, read)):
            return False
        try:
            made = fold(node, {name: self.constants[name] for name in read}, self.opsets, self.room)
        except Unfoldable:
            return False
        self.room -= sum(value.size for value in made)
        for name, value in zip([o for o in node.output if o], made, strict=False):
            self.constants[name] = value
        self._trace_back(node, attributes)
        return True

    def _trace_back(self, node: Any, attributes: dict[str, Any]) -> None:
        """Remember of which initializer a constant is only another form."""
        first = node.input[0]
        swaps = node.op_type == "Transpose" and self.constants[first].ndim == 2
        if first in self.origins and (swaps or node.op_type in ("Identity", "DequantizeLinear", "Cast")):
            origin, swapped = self.origins[first]
            turned = swaps and list(attributes.get("perm", (1, 0))) == [1, 0]
            self.origins[node.output[0]] = (origin, swapped != turned)

    def _opaque(self, node: Any) -> None:
        """Let everything that an operator makes hang on everything that it reads."""
        inferred = self._infer(node)
        sources = list(dict.fromkeys(self.places[name] for name in read_by(node) if name in self.places))
        owned = tuple(self._owned(node).items())
        for output in filter(None, node.output):
            full = inferred.get(output, self.stated.get(output))
            self._placed(
                output,
                full,
                lambda shape, own=output: self.network.add(
                    Opaque(node.op_type, shape, owned),
                    *sources,
                    name=own if own not in self.network.nodes else None,
                ),
            )

    def _owned(self, node: Any) -> dict[str, Shape]:
        """File the weights that an operator holds, those of its graphs too."""
        owned: dict[str, Shape] = {}
        for name in self._weights_of(node):
            origin, shape, _ = self.weight(name)
            owned[origin] = shape
        for graph in graphs_of(node):
            for tensor in graph.initializer:
                self.constants.setdefault(tensor.name, plain(array_of(tensor)))
            for inner in graph.node:
                if inner.op_type == "Constant" and inner.domain in _STANDARD:
                    self.constants.setdefault(inner.output[0], constant_of(inner, attributes_of(inner)))
                owned |= self._owned(inner)
        return owned

    def _weights_of(self, node: Any) -> list[str]:
        named = [node.input[i] for i in WEIGHT_INPUTS.get(node.op_type, ()) if i < len(node.input)]
        return [
            name
            for name in named
            if name in self.constants
            and self.constants[name].ndim >= 2
            and self.constants[name].dtype.kind in "fiu"
        ]

    def _infer(self, node: Any) -> dict[str, Shape]:
        """Return the full shapes of what one operator makes, from those of what it reads."""
        import onnx

        if any(self.full.get(name) is None for name in node.input if name in self.places) or graphs_of(node):
            return {}
        inputs, initializers = [], []
        for name in dict.fromkeys(filter(None, node.input)):
            value = self.constants.get(name)
            if value is not None and value.size <= 4096 and value.dtype.kind in "fiub":
                initializers.append(onnx.numpy_helper.from_array(value, name))
            elif value is not None or name in self.places:
                shape = value.shape if value is not None else self.full[name]
                kind = self.types.get(name) or onnx.TensorProto.FLOAT
                inputs.append(onnx.helper.make_tensor_value_info(name, kind, shape))
        outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
        graph = onnx.helper.make_graph([node], "one", inputs, outputs, initializers)
        try:
            model = onnx.helper.make_model(graph, opset_imports=self.opsets)
            graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except Exception:  # not known to ONNX, or not in this form
            return {}
        found: dict[str, Shape] = {}
        for value in (*graph.output, *graph.value_info):
            dims = value.type.tensor_type.shape.dim
            if value.type.tensor_type.HasField("shape") and all(d.HasField("dim_value") for d in dims):
                found[value.name] = tuple(d.dim_value for d in dims)
        return found


#: Operators that have had an attribute of another type in an earlier version.
_RETYPED = ("Cast", "LpPool", "GlobalLpPool")


@cache
def _attribute_kinds(operator: str) -> dict[str, int]:
    """Return the types of the attributes of a standard operator."""
    from onnx import defs

    if operator in _RETYPED or not defs.has(operator):
        return {}
    return {name: int(attribute.type) for name, attribute in defs.get_schema(operator).attributes.items()}


def attributes_of(node: Any) -> dict[str, Any]:
    """Return an operator's attributes by name.

    Raises
    ------
    InputError
        One is of another type than the operator's.
    """
    from onnx import AttributeProto
    from onnx.helper import get_attribute_value

    kinds = _attribute_kinds(node.op_type) if node.domain in ("", "ai.onnx") else {}
    for attribute in node.attribute:
        wanted = kinds.get(attribute.name, attribute.type)
        if attribute.type != wanted:
            named, found = (AttributeProto.AttributeType.Name(kind) for kind in (wanted, attribute.type))
            what = f"the operator {node.name or node.op_type!r:.100} must have {attribute.name!r:.60}"
            raise InputError(f"{what} as {named}, not {found}")
    return {attribute.name: get_attribute_value(attribute) for attribute in node.attribute}


def graphs_of(node: Any) -> list[Any]:
    """Return the graphs that an operator holds (If, Loop, Scan)."""
    return [a.g for a in node.attribute if a.HasField("g")] + [g for a in node.attribute for g in a.graphs]


def read_by(node: Any) -> list[str]:
    """Return the names of the values that an operator reads, those its own graphs read from outside too."""
    names = [name for name in node.input if name]
    for graph in graphs_of(node):
        own = {value.name for value in (*graph.input, *graph.initializer)}
        for inner in graph.node:
            names += [name for name in read_by(inner) if name not in own]
            own.update(inner.output)
        names += [value.name for value in graph.output if value.name not in own]
    return names
