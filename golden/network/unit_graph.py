"""The units of a small network and the connections between them as a networkx graph, one edge a connection.

For looking at, and for checking: everything is spelled out one unit at a time, with nothing shared with the
fast way in `reachability`. A few thousand connections are fine, millions are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
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
    Input,
    LayerNorm,
    Pad,
    Pool,
    Reshape,
    Shape,
    Softmax,
    Transpose,
    Weighted,
)
from xorweave.golden.network.network import Masks, Network, Node

Index = tuple[int, ...]
Link = tuple[
    int, Index, Index, Index | None
]  # which input, its unit, the output's unit, the weight (None: fixed)


def unit_graph(
    network: Network, masks: Mapping[str, NDArray], *, largest: int = 2_000_000
) -> nx.MultiDiGraph:
    """Return the kept connections between units.

    Nodes are (node name, unit index); an edge that is a weight carries `weight` (tensor name) and `index`
    (its place in the tensor), other edges (pooling, sums, activations ...) carry neither.

    Raises
    ------
    InputError
        The network has layers in which units multiply each other (attention, products), or more than
        `largest` edges.
    """
    checked = network.check_masks(masks)
    graph = nx.MultiDiGraph(name=network.name)
    drawn = 0
    for node in network.nodes.values():
        graph.add_nodes_from((node.name, unit) for unit in np.ndindex(*node.shape))
        shapes = [network.nodes[source].shape for source in node.inputs]
        for which, before, after, index in _links(node, shapes):
            ends = (node.inputs[which], before), (node.name, after)
            if not isinstance(node.layer, Weighted) or index is None:
                graph.add_edge(*ends)
            elif checked[node.layer.weight][index]:
                graph.add_edge(*ends, weight=node.layer.weight, index=index)
            else:
                continue
            drawn += 1
            if drawn > largest:
                raise InputError(
                    f"{network.name} must have at most {largest} connections to be drawn unit by unit"
                )
    return graph


def masks_from_paths(network: Network, masks: Mapping[str, NDArray]) -> Masks:
    """Return the effective masks read off the unit graph: slow, and obviously right."""
    graph = unit_graph(network, masks)
    starts = [
        (n.name, u)
        for n in network.nodes.values()
        if isinstance(n.layer, Input)
        for u in np.ndindex(*n.shape)
    ]
    ends = [(name, u) for name in network.outputs for u in np.ndindex(*network.nodes[name].shape)]
    # one node before all inputs and one behind all outputs, so that each direction is walked once
    graph.add_edges_from(("before", unit) for unit in starts)
    graph.add_edges_from((unit, "behind") for unit in ends)
    reached, live = nx.descendants(graph, "before"), nx.ancestors(graph, "behind")
    alive = {name: np.zeros(shape, np.bool_) for name, shape in network.weights.items()}
    for before, after, data in graph.edges(data=True):
        if "weight" in data and before in reached and after in live:
            alive[data["weight"]][data["index"]] = True
    return alive


def _links(node: Node, shapes: list[Shape]) -> Iterator[Link]:
    """Yield every link of one node, unit by unit."""
    layer = node.layer
    match layer:
        case Input() | Constant():
            return
        case Dense():
            for lead in np.ndindex(*node.shape[:-1]):
                for i, o in product(range(layer.inputs), range(layer.outputs)):
                    yield 0, (*lead, i), (*lead, o), ((i, o) if layer.transposed else (o, i))
        case Conv():
            per_group_in, per_group_out = layer.weight_shape[1], layer.outputs // layer.groups
            for o, c in product(range(layer.outputs), range(per_group_in)):
                channel = o // per_group_out * per_group_in + c
                for place, tap, read in _window_reads(layer, shapes[0][1:], node.shape[1:]):
                    yield 0, (channel, *read), (o, *place), (o, c, *tap)
        case Pool():
            for channel in range(node.shape[0]):
                for place, _, read in _window_reads(layer, shapes[0][1:], node.shape[1:]):
                    yield 0, (channel, *read), (channel, *place), None
        case GlobalPool():
            for unit in np.ndindex(*shapes[0]):
                yield 0, unit, (unit[0], *(0 for _ in unit[1:])), None
        case Reshape():
            for before, after in zip(np.ndindex(*shapes[0]), np.ndindex(*node.shape), strict=True):
                yield 0, before, after, None
        case Transpose():
            for unit in np.ndindex(*shapes[0]):
                yield 0, unit, tuple(unit[axis] for axis in layer.order), None
        case Pad():
            for unit in np.ndindex(*shapes[0]):
                yield (
                    0,
                    unit,
                    tuple(u + before for u, (before, _) in zip(unit, layer.amounts, strict=True)),
                    None,
                )
        case Concatenate():
            offset = 0
            for which, shape in enumerate(shapes):
                for unit in np.ndindex(*shape):
                    moved = list(unit)
                    moved[layer.axis] += offset
                    yield which, unit, tuple(moved), None
                offset += shape[layer.axis]
        case Add() | BatchNorm() | Affine() | Activation():
            for which in range(len(shapes)):
                for unit in np.ndindex(*node.shape):
                    yield which, unit, unit, None
        case LayerNorm() | Softmax():
            axis = (layer.axis if isinstance(layer, Softmax) else -1) % len(node.shape)
            for unit in np.ndindex(*node.shape):
                for other in range(node.shape[axis]):
                    yield 0, (*unit[:axis], other, *unit[axis + 1 :]), unit, None
        case _:
            raise InputError(
                f"{node.name} cannot be drawn unit by unit: {type(layer).__name__} multiplies units"
            )


def _window_reads(
    layer: Conv | Pool, spatial: Shape, positions: Shape
) -> Iterator[tuple[Index, Index, Index]]:
    """Yield (window position, tap, input position), leaving out what reads padding."""
    for place in np.ndindex(*positions):
        for tap in np.ndindex(*layer.kernel):
            read = tuple(
                p * s + t * d - before
                for p, s, t, d, (before, _) in zip(
                    place, layer.stride, tap, layer.dilation, layer.padding, strict=True
                )
            )
            if all(0 <= r < n for r, n in zip(read, spatial, strict=True)):
                yield place, tap, read
