"""A network: layers joined into a directed acyclic graph."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network import layers as _layers
from xorweave.golden.network.layers import (
    Activation,
    Add,
    Conv,
    Dense,
    Input,
    Layer,
    LayerNorm,
    Opaque,
    Pool,
    Reshape,
    Shape,
    Weighted,
)

Masks = dict[str, NDArray[np.bool_]]
Tensors = Mapping[str, NDArray]

_KINDS: dict[str, type[Layer]] = {
    name: kind
    for name, kind in vars(_layers).items()
    if isinstance(kind, type) and issubclass(kind, Layer) and kind not in (Layer, Weighted)
}


@dataclass(frozen=True)
class Node:
    """One layer in its place.

    Attributes
    ----------
    name : str
    layer : Layer
    inputs : tuple of str
        Names of the nodes whose outputs it reads, in order.
    shape : tuple of int
        Shape of its output for one example.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    shape: Shape


class Network:
    """A directed acyclic graph of layers, built front to back: a node reads nodes that are already there.

    ``add`` is the general way; ``input``, ``dense``, ``conv``, ``relu``, ``pool``, ``flatten`` and ``sum``
    are the everyday ones. Each returns the new node's name. The last node is the output unless ``outputs``
    is set.

    Attributes
    ----------
    name : str
    remark : str
        What was taken for granted in making it, for people; empty where nothing was.
    nodes : dict of str to Node
        In the order they were added, which is a topological one.
    weights : dict of str to tuple
        Name and shape of every tensor that can be pruned, front to back. A tensor used by two layers stands
        once.
    parameters : dict of str to tuple
        Name and shape of every other tensor.
    """

    def __init__(self, name: str = "network", remark: str = "") -> None:
        self.name = name
        self.remark = remark
        self.nodes: dict[str, Node] = {}
        self.weights: dict[str, Shape] = {}
        self.parameters: dict[str, Shape] = {}
        self._outputs: tuple[str, ...] = ()

    def add(self, layer: Layer, *inputs: str, name: str | None = None) -> str:
        """Add a layer that reads the named nodes.

        Raises
        ------
        InputError
            The name is taken, an input is unknown, or shapes do not fit.
        """
        name = name or self._fresh_name(layer)
        if name in self.nodes:
            raise InputError(f"a node's name must be new, but {name!r} is taken")
        for source in inputs:
            if source not in self.nodes:
                raise InputError(f"{name} reads {source!r}, which is not there (yet)")
        shape = layer.output_shape(*(self.nodes[source].shape for source in inputs))
        own: dict[str, Shape] = {**layer.parameters, **layer.weights}
        for tensor, wanted in own.items():
            known = self.weights.get(tensor, self.parameters.get(tensor, wanted))
            if known != wanted:
                raise InputError(f"the tensor {tensor} has shape {known}, but {name} needs {wanted}")
        self.parameters.update(layer.parameters)
        self.weights.update(layer.weights)
        self.nodes[name] = Node(name, layer, tuple(inputs), shape)
        return name

    def _fresh_name(self, layer: Layer) -> str:
        stem = (
            layer.weight.removesuffix(".weight")
            if isinstance(layer, Weighted)
            else type(layer).__name__.lower()
        )
        if isinstance(layer, Weighted) and stem not in self.nodes:
            return stem
        return next(f"{stem}_{i}" for i in range(1, len(self.nodes) + 2) if f"{stem}_{i}" not in self.nodes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output nodes."""
        if self._outputs:
            return self._outputs
        if not self.nodes:
            raise InputError(f"{self.name} has no layers")
        return (next(reversed(self.nodes)),)

    @outputs.setter
    def outputs(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.nodes:
                raise InputError(f"the output {name!r} is not a node")
        self._outputs = tuple(names)

    def input(self, shape: Shape, name: str | None = None) -> str:
        """Add a place where data of this shape enters."""
        return self.add(Input(tuple(shape)), name=name)

    def dense(
        self, source: str, weight: str, outputs: int, *, bias: str | None = None, name: str | None = None
    ) -> str:
        """Add a fully connected layer over the last axis; its weight has shape (outputs, inputs)."""
        shape = self._shape(source)
        return self.add(Dense(weight, (outputs, shape[-1] if shape else 0), bias), source, name=name)

    def conv(
        self,
        source: str,
        weight: str,
        outputs: int,
        kernel: int | Shape,
        *,
        bias: str | None = None,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        name: str | None = None,
    ) -> str:
        """Add a convolution with one stride, padding and dilation for all spatial axes.

        Raises
        ------
        InputError
            The groups do not divide the channels, or as of `add`.
        """
        shape = self._shape(source)
        axes = len(shape) - 1
        extent = (kernel,) * axes if isinstance(kernel, int) else tuple(kernel)
        if groups < 1 or not shape or shape[0] % groups:
            raise InputError(
                f"the groups of {weight} must divide its input's channels {shape}, but are {groups}"
            )
        layer = Conv(
            weight,
            (outputs, shape[0] // groups, *extent),
            bias,
            stride=(stride,) * axes,
            padding=((padding, padding),) * axes,
            dilation=(dilation,) * axes,
            groups=groups,
        )
        return self.add(layer, source, name=name)

    def relu(self, source: str, name: str | None = None) -> str:
        """Add a rectifier."""
        return self.add(Activation("relu"), source, name=name)

    def pool(
        self, source: str, kernel: int, *, kind: str = "max", stride: int | None = None, padding: int = 0
    ) -> str:
        """Add pooling with one extent for all spatial axes; the stride is the kernel's unless given."""
        axes = len(self._shape(source)) - 1
        layer = Pool(kind, (kernel,) * axes, (stride or kernel,) * axes, ((padding, padding),) * axes)
        return self.add(layer, source)

    def flatten(self, source: str) -> str:
        """Add a flattening of all axes into one."""
        return self.add(Reshape((-1,)), source)

    def sum(self, *sources: str, name: str | None = None) -> str:
        """Add a residual sum."""
        return self.add(Add(), *sources, name=name)

    def _shape(self, node: str) -> Shape:
        if node not in self.nodes:
            raise InputError(f"{node!r} is not a node")
        return self.nodes[node].shape

    @property
    def is_known(self) -> bool:
        """Whether all layers can be run: none is opaque, and no activation is one that cannot be computed."""
        return not any(
            isinstance(node.layer, Opaque)
            or (isinstance(node.layer, Activation) and node.layer.kind == "other")
            for node in self.nodes.values()
        )

    def weighted(self) -> Iterator[tuple[Node, Weighted]]:
        """Iterate over the nodes that hold prunable connections, front to back."""
        for node in self.nodes.values():
            if isinstance(node.layer, Weighted):
                yield node, node.layer

    @property
    def connections(self) -> int:
        """Number of prunable weights (a convolution's weight counts once, not once a position)."""
        return sum(math.prod(shape) for shape in self.weights.values())

    def replaced(self, layers: Mapping[str, Layer]) -> Network:
        """Return a copy of the network in which the named nodes hold other layers."""
        copy = Network(self.name, self.remark)
        for node in self.nodes.values():
            copy.add(layers.get(node.name, node.layer), *node.inputs, name=node.name)
        copy.outputs = self.outputs
        return copy

    def renamed(self, names: Mapping[str, str | None]) -> Network:
        """Return a copy whose tensors have other names; None takes an optional parameter away.

        Raises
        ------
        InputError
            A tensor that its layer cannot do without is taken away.
        """
        layers: dict[str, Layer] = {}
        for node in self.nodes.values():
            changes: dict[str, Any] = {
                field: names[value] for field, value in _tensor_fields(node.layer) if value in names
            }
            for field, value in changes.items():
                if value is None and field not in ("bias", "shift") and not isinstance(node.layer, LayerNorm):
                    missing = getattr(node.layer, field)
                    raise InputError(f"{self.name} cannot do without the tensor {missing}, which is missing")
            if isinstance(node.layer, Opaque):
                changes["owned"] = tuple((names.get(name, name), shape) for name, shape in node.layer.owned)
            layers[node.name] = replace(node.layer, **changes)
        return self.replaced(layers)

    def check_masks(self, masks: Mapping[str, NDArray]) -> Masks:
        """Return the masks as boolean arrays, one for every weight tensor and nothing else.

        Raises
        ------
        InputError
            A mask is missing or has another shape than its tensor.
        """
        checked: Masks = {}
        for name, shape in self.weights.items():
            if name not in masks:
                raise InputError(
                    f"there must be a mask for every weight tensor of {self.name}, but {name} has none"
                )
            if masks[name].shape != shape:
                raise InputError(f"the mask of {name} must have shape {shape}, not {masks[name].shape}")
            mask = masks[name]
            checked[name] = mask if mask.dtype == np.bool_ else mask != 0
        return checked

    def dense_masks(self) -> Masks:
        """Return masks that keep everything."""
        return {name: np.ones(shape, np.bool_) for name, shape in self.weights.items()}

    def zero_masks(self, tensors: Tensors) -> Masks:
        """Return the masks that exact zeros make: kept where a weight is not zero."""
        return self.check_masks({name: tensors[name] != 0 for name in self.weights if name in tensors})

    def graph(self) -> nx.DiGraph:
        """Return the layers as a networkx graph, each node with its `layer` and `shape`."""
        graph = nx.DiGraph(name=self.name)
        for node in self.nodes.values():
            graph.add_node(node.name, layer=node.layer, shape=node.shape)
            graph.add_edges_from((source, node.name) for source in node.inputs)
        return graph

    def to_json(self) -> str:
        """Write the description (not the tensors) as JSON."""
        nodes = []
        for node in self.nodes.values():
            entry: dict[str, Any] = {
                "name": node.name,
                "layer": type(node.layer).__name__,
                "inputs": node.inputs,
            }
            for item in fields(node.layer):
                value = getattr(node.layer, item.name)
                if value is not None:
                    entry[item.name] = value
            nodes.append(entry)
        return json.dumps({"name": self.name, "nodes": nodes, "outputs": self.outputs}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Network:
        """Read a description written by `to_json` (or by hand).

        Raises
        ------
        InputError
            The text is not JSON, names an unknown layer or field, or describes a network that does not fit
            together.
        """
        try:
            read = json.loads(text)
            network = cls(str(read.get("name", "network")))
            for entry in read["nodes"]:
                entry = dict(entry)
                name, kind, inputs = entry.pop("name", None), entry.pop("layer"), entry.pop("inputs", ())
                if kind not in _KINDS:
                    raise InputError(f"a layer must be one of {', '.join(sorted(_KINDS))}, not {kind!r}")
                layer = _KINDS[kind](**{key: _as_tuple(value) for key, value in entry.items()})
                network.add(layer, *inputs, name=name)
            if read.get("outputs"):
                network.outputs = read["outputs"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"a network description must be JSON as written by to_json: {error!r}") from None
        return network


def _tensor_fields(layer: Layer) -> Iterator[tuple[str, str]]:
    """Yield the fields of a layer that name a tensor, and the names."""
    for field in ("weight", "bias", "scale", "shift", "mean", "variance", "tensor"):
        value = getattr(layer, field, None)
        if value is not None:
            yield field, value


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
