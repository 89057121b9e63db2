"""The linearised network: the paper's own way to find what is alive, and the score of SynFlow.

Vysogorets and Kempe (JMLR 2023) take activations and norms out, make all pooling average pooling, put |w| *
mask in the place of the weights, feed ones and let R be the sum of all outputs: a weight is alive where |w|
* mask * dR/dw is not zero. Tanaka, Kunin, Yamins, Ganguli ("Pruning neural networks without any data by
iteratively conserving synaptic flow", NeurIPS 2020) use the same quantity as a pruning score.

It is floating-point arithmetic, written apart from the boolean way in `reachability`, so that each can
check the other. It finds the same weights as long as no product of many small weights underflows; dividing
by the largest value at every layer (`rescale`) puts that far away, but cannot rule it out. The boolean way
has no such limit.
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
    Attention,
    BatchNorm,
    Concatenate,
    Constant,
    Conv,
    Dense,
    GlobalPool,
    Input,
    LayerNorm,
    MatrixMultiply,
    Multiply,
    Opaque,
    Pad,
    Pool,
    Reshape,
    Softmax,
    Transpose,
    Weighted,
)
from xorweave.golden.network.network import Masks, Network, Node
from xorweave.golden.network.windows import add_columns, tap_columns

Floats = NDArray[np.float64]


def linearised_masks(
    network: Network,
    masks: Mapping[str, NDArray],
    weights: Mapping[str, NDArray] | None = None,
    *,
    mixing_norms: bool = True,
) -> Masks:
    """Return the effective masks found by the linearised gradient.

    Parameters
    ----------
    network : Network
    masks : mapping of str to ndarray
        Direct masks.
    weights : mapping of str to ndarray, optional
        Magnitudes to use; 1 everywhere if not given. A kept weight that is exactly zero carries nothing here.
    mixing_norms : bool
        As for `reachability`.
    """
    scores = linearised_gradient(network, masks, weights, rescale=True, mixing_norms=mixing_norms)
    return {name: score != 0 for name, score in scores.items()}


def linearised_gradient(
    network: Network,
    masks: Mapping[str, NDArray],
    weights: Mapping[str, NDArray] | None = None,
    *,
    rescale: bool = False,
    mixing_norms: bool = True,
) -> dict[str, Floats]:
    """Return |w| * mask * dR/d|w| for every weight.

    Parameters
    ----------
    rescale : bool
        Divide each layer's activations and gradients by their largest value. The zeros stay where they are,
        and scores within a layer keep their ratios; scores of different layers are no longer comparable.

    Returns
    -------
    dict of str to ndarray of float64
    """
    checked = network.check_masks(masks)
    strength = {
        name: mask.astype(np.float64)
        if weights is None
        else np.where(mask, np.abs(weights[name], dtype=np.float64), 0.0)
        for name, mask in checked.items()
    }
    constants = any(
        isinstance(n.layer, Attention | Multiply | MatrixMultiply) for n in network.nodes.values()
    )
    still = (
        _responses(network, strength, rescale, mixing_norms, biases=True, still=None) if constants else None
    )
    response = _responses(network, strength, rescale, mixing_norms, biases=False, still=still)
    gradient = {name: np.zeros(node.shape) for name, node in network.nodes.items()}
    for name in network.outputs:
        gradient[name] += 1.0
    scores: dict[str, Floats] = {}

    def score(name: str, part: Floats) -> None:
        part *= strength[name]  # in place: with the weights of a large network, memory is what takes time
        scores[name] = scores[name] + part if name in scores else part

    for node in reversed(network.nodes.values()):
        g = gradient[node.name]
        if rescale and g.max(initial=0.0) > 0:
            g = g / g.max()
        sources = [response[source] for source in node.inputs]
        steady = [(still or response)[source] for source in node.inputs]
        if isinstance(node.layer, Weighted):
            score(node.layer.weight, _weight_gradient(node.layer, sources[0], g))
        elif isinstance(node.layer, Opaque):
            for name in node.layer.weights:  # every weight in it may lie on every path through it
                through = g.sum() * max((x.max(initial=0.0) for x in sources), default=0.0)
                score(name, np.full(network.weights[name], through))
        for source, part in zip(
            node.inputs, _backward(node, g, sources, steady, strength, mixing_norms), strict=True
        ):
            gradient[source] += part
    return {name: scores[name] for name in network.weights}


def _responses(
    network: Network,
    strength: Mapping[str, Floats],
    rescale: bool,
    mixing_norms: bool,
    *,
    biases: bool,
    still: Mapping[str, Floats] | None,
) -> dict[str, Floats]:
    """Return every node's response to inputs of ones; with `biases`, all constants are ones too."""
    response: dict[str, Floats] = {}
    for node in network.nodes.values():
        sources = [response[source] for source in node.inputs]
        steady = [(still or response)[source] for source in node.inputs]
        y = _forward(node, sources, steady, strength, mixing_norms)
        if biases and _adds_constant(node):
            y = y + 1.0
        if rescale and y.max(initial=0.0) > 0:
            y = y / y.max()
        response[node.name] = y
    return response


def _adds_constant(node: Node) -> bool:
    layer = node.layer
    if isinstance(layer, Weighted):
        return layer.bias is not None
    if isinstance(layer, Affine):
        return layer.shift is not None
    if isinstance(layer, Activation):
        return layer.kind in ("sigmoid", "exp", "other")
    return isinstance(layer, Constant | BatchNorm | LayerNorm | Softmax | Opaque)


def _forward(
    node: Node,
    sources: list[Floats],
    steady: list[Floats],
    strength: Mapping[str, Floats],
    mixing_norms: bool,
) -> Floats:
    layer = node.layer
    match layer:
        case Input():
            return np.ones(node.shape)
        case Constant():
            return np.zeros(node.shape)
        case Dense():
            w = strength[layer.weight]
            return sources[0] @ (w if layer.transposed else w.T)
        case Conv():
            w, columns = _grouped(layer, strength[layer.weight]), _gather(layer, sources[0], node.shape)
            return (w @ columns).reshape(node.shape)
        case Pool():
            return tap_columns(layer, sources[0], node.shape[1:]).mean(axis=1).reshape(node.shape)
        case GlobalPool():
            return sources[0].mean(axis=tuple(range(1, sources[0].ndim)), keepdims=True)
        case Reshape():
            return sources[0].reshape(node.shape)
        case Transpose():
            return np.transpose(sources[0], layer.order)
        case Pad():
            return np.pad(sources[0], layer.amounts)
        case Add():
            return np.sum(sources, axis=0)
        case Concatenate():
            return np.concatenate(sources, axis=layer.axis)
        case Multiply():
            return sources[0] * steady[1] + steady[0] * sources[1]
        case MatrixMultiply():
            return sources[0] @ steady[1] + steady[0] @ sources[1]
        case Attention():
            return np.tile(sources[2].mean(axis=0), (node.shape[0], 1))
        case Opaque():
            return np.full(node.shape, sum(s.mean() for s in sources))
        case LayerNorm() | Softmax() if mixing_norms:
            axis = layer.axis if isinstance(layer, Softmax) else -1
            return sources[0] + sources[0].mean(axis=axis, keepdims=True)
        case LayerNorm() | Softmax() | BatchNorm() | Affine() | Activation():
            return sources[0]
    raise InputError(f"the linearised network does not know the layer {type(layer).__name__}")


def _backward(
    node: Node,
    g: Floats,
    sources: list[Floats],
    steady: list[Floats],
    strength: Mapping[str, Floats],
    mixing_norms: bool,
) -> list[Floats]:
    layer = node.layer
    match layer:
        case Input() | Constant():
            return []
        case Dense():
            w = strength[layer.weight]
            return [g @ (w.T if layer.transposed else w)]
        case Conv():
            w = _grouped(layer, strength[layer.weight])
            columns = w.swapaxes(1, 2) @ g.reshape(layer.groups, w.shape[1], -1)
            by_tap = columns.reshape(sources[0].shape[0], -1, columns.shape[-1])
            return [add_columns(layer, by_tap, sources[0].shape[1:], node.shape[1:])]
        case Pool():
            taps = math.prod(layer.kernel)
            columns = np.repeat(g.reshape(g.shape[0], 1, -1) / taps, taps, axis=1)
            return [add_columns(layer, columns, sources[0].shape[1:], node.shape[1:])]
        case GlobalPool():
            return [np.ones_like(sources[0]) * g / math.prod(sources[0].shape[1:])]
        case Reshape():
            return [g.reshape(sources[0].shape)]
        case Transpose():
            return [np.transpose(g, np.argsort(layer.order))]
        case Pad():
            return [g[layer.inside(sources[0].shape)]]
        case Add():
            return [g] * len(sources)
        case Concatenate():
            return list(np.split(g, np.cumsum([s.shape[layer.axis] for s in sources])[:-1], axis=layer.axis))
        case Multiply():
            return [
                _gathered(g * other, own.shape) for own, other in zip(sources, reversed(steady), strict=True)
            ]
        case MatrixMultiply():
            return [g @ np.swapaxes(steady[1], -1, -2), np.swapaxes(steady[0], -1, -2) @ g]
        case Attention():
            q, k, v = sources
            out = g.sum(axis=0)
            heads = (out * v.sum(axis=0)).reshape(layer.heads, -1).sum(axis=1)
            judged = np.repeat(heads, q.shape[1] // layer.heads)
            return [
                np.tile(judged * k.sum(axis=0), (q.shape[0], 1)),
                np.tile(judged * steady[0].sum(axis=0), (k.shape[0], 1)),
                np.tile(out / v.shape[0], (v.shape[0], 1)),
            ]
        case Opaque():
            return [np.full(s.shape, g.mean()) for s in sources]
        case LayerNorm() | Softmax() if mixing_norms:
            axis = layer.axis if isinstance(layer, Softmax) else -1
            return [g + g.mean(axis=axis, keepdims=True)]
        case LayerNorm() | Softmax() | BatchNorm() | Affine() | Activation():
            return [g]
    raise InputError(f"the linearised network does not know the layer {type(layer).__name__}")


def _weight_gradient(layer: Weighted, x: Floats, g: Floats) -> Floats:
    match layer:
        case Dense():
            a, b = x.reshape(-1, x.shape[-1]), g.reshape(-1, g.shape[-1])
            return a.T @ b if layer.transposed else b.T @ a
        case Conv():
            columns = _gather(layer, x, g.shape)
            grouped = g.reshape(layer.groups, -1, columns.shape[-1])
            return (grouped @ columns.swapaxes(1, 2)).reshape(layer.weight_shape)
    raise InputError(f"the linearised network does not know the layer {type(layer).__name__}")


def _grouped(layer: Conv, weight: Floats) -> Floats:
    """View a kernel as (groups, outputs / groups, channels / groups * taps)."""
    return weight.reshape(layer.groups, layer.outputs // layer.groups, -1)


def _gather(layer: Conv, x: Floats, shape: tuple[int, ...]) -> Floats:
    """Return what every tap reads: (groups, channels / groups * taps, positions)."""
    columns = tap_columns(layer, x, shape[1:])
    return columns.reshape(layer.groups, -1, columns.shape[-1])


def _gathered(g: Floats, shape: tuple[int, ...]) -> Floats:
    axes = tuple(axis for axis, (n, m) in enumerate(zip(g.shape, shape, strict=True)) if n != m)
    return g.sum(axis=axes, keepdims=True) if axes else g
