"""What is alive in a graph of channels: how the code of Vysogorets and Kempe counts convolutional networks.

A kernel joins two channels when one of its taps is kept, and a channel is reached or live as a whole, positions left
out of account. `reachability` follows positions: it also finds taps that only ever read padding, and positions that no
stride meets. So the graph of channels calls at least as many weights alive, and in a fully connected network the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.layers import (
    Activation,
    Add,
    Affine,
    BatchNorm,
    Conv,
    Dense,
    GlobalPool,
    Input,
    Layer,
    Pool,
    Reshape,
    Shape,
)
from xorweave.golden.network.network import Masks, Network, Node

Units = NDArray[np.bool_]
_EACH_BY_ITSELF = Activation | Affine | BatchNorm | GlobalPool | Pool


def channel_masks(network: Network, masks: Mapping[str, NDArray]) -> Masks:
    """Return the effective masks of a network by the graph of its channels.

    Parameters
    ----------
    network : Network
        Of convolutions, dense layers after a flattening, pooling, sums, norms and activations.
    masks : mapping of str to ndarray
        Direct masks.

    Raises
    ------
    InputError
        The network has another layer, a weight that two layers share, or a mask does not fit.
    """
    checked = network.check_masks(masks)
    shapes = {name: node.shape for name, node in network.nodes.items()}
    joined: dict[str, Units] = {}
    reached: dict[str, Units] = {}
    for node in network.nodes.values():
        _check(network, node, joined)
        joined |= {name: _join(node.layer, checked[name]) for name in node.layer.weights}
        sources = [reached[source] for source in node.inputs]
        reached[node.name] = _forward(node, sources, shapes, joined)
    live = {name: np.zeros(units.size, np.bool_) for name, units in reached.items()}
    for name in network.outputs:
        live[name][:] = True
    alive: Masks = {}
    for node in reversed(network.nodes.values()):
        after = live[node.name]
        for name in node.layer.weights:
            both = np.outer(after, reached[node.inputs[0]])
            alive[name] = checked[name] & _spread(node.layer, both)
        for source in node.inputs:
            live[source] |= _backward(node, after, shapes[source], joined)
    return {name: alive[name] for name in network.weights}


def _check(network: Network, node: Node, seen: Mapping[str, Units]) -> None:
    known = isinstance(node.layer, Input | Conv | Dense | Reshape | Add | _EACH_BY_ITSELF)
    if isinstance(node.layer, Dense):
        known = not node.layer.transposed and len(node.shape) == 1
    if isinstance(node.layer, Reshape):
        known = len(node.shape) == 1
    if not known or set(seen) & set(node.layer.weights):
        raise InputError(f"the graph of channels of {network.name} knows no layer like {node.name}")


def _width(shape: Shape) -> int:
    """Return the number of channels of an activation; a vector's units are channels of one position."""
    return shape[0] if shape else 1


def _join(layer: Layer, mask: NDArray[np.bool_]) -> Units:
    """Return which output channel reads which input channel, shape (outputs, inputs)."""
    if not isinstance(layer, Conv):
        return mask
    pairs: Units = np.logical_or.reduce(mask.reshape(*mask.shape[:2], -1), axis=2)
    outputs, inputs = pairs.shape
    whole = np.zeros((outputs, inputs * layer.groups), np.bool_)
    for group in range(layer.groups):
        rows = slice(group * outputs // layer.groups, (group + 1) * outputs // layer.groups)
        whole[rows, group * inputs : (group + 1) * inputs] = pairs[rows]
    return whole


def _spread(layer: Layer, both: Units) -> Units:
    """Return pairs of channels in the shape of the layer's weight, the same for all taps of a kernel."""
    if not isinstance(layer, Conv):
        return both
    outputs, inputs = both.shape[0], both.shape[1] // layer.groups
    rows = [
        both[group * outputs // layer.groups : (group + 1) * outputs // layer.groups][
            :, group * inputs : (group + 1) * inputs
        ]
        for group in range(layer.groups)
    ]
    return np.concatenate(rows).reshape(outputs, inputs, *(1,) * len(layer.kernel))


def _forward(
    node: Node, sources: list[Units], shapes: Mapping[str, Shape], joined: Mapping[str, Units]
) -> Units:
    match node.layer:
        case Input():
            return np.ones(_width(node.shape), np.bool_)
        case Conv() | Dense():
            return np.logical_or.reduce(joined[node.layer.weight] & sources[0], axis=1)
        case Reshape():
            return np.repeat(sources[0], math.prod(shapes[node.inputs[0]][1:]))
        case Add():
            return np.logical_or.reduce(sources)
    return sources[0]


def _backward(node: Node, after: Units, shape: Shape, joined: Mapping[str, Units]) -> Units:
    match node.layer:
        case Conv() | Dense():
            return np.logical_or.reduce(joined[node.layer.weight] & after[:, None], axis=0)
        case Reshape():
            return np.logical_or.reduce(after.reshape(_width(shape), -1), axis=1)
    return after
