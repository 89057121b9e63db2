"""Running a network on data, in NumPy: plain, and enough to see that two networks compute the same."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

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
    Weighted,
)
from xorweave.golden.network.network import Network, Node, Tensors
from xorweave.golden.network.windows import inside, padded_shape, tap_columns, taps

Values = NDArray[np.floating]

_FUNCTIONS: dict[str, Callable[[Values], Values]] = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x < 0, 0.01 * x, x),
    "relu6": lambda x: np.clip(x, 0, 6),
    "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "silu": lambda x: x * expit(x),
    "tanh": np.tanh,
    "sigmoid": expit,
    "erf": erf,
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
}


def evaluate(
    network: Network,
    tensors: Tensors,
    inputs: Mapping[str, NDArray] | NDArray,
    masks: Mapping[str, NDArray] | None = None,
    *,
    dtype: type[np.floating] = np.float64,
) -> list[Values]:
    """Run a network on a batch.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray
        Weights and parameters by name. A bias may also have its node's whole output shape
        (position-dependent).
    inputs : ndarray, shape (batch, *input shape), or mapping of input node to such an array
    masks : mapping of str to ndarray, optional
        Weights where the mask is 0 count as zero.
    dtype : numpy floating type
        What is computed in.

    Returns
    -------
    list of ndarray
        The outputs, each of shape (batch, *output shape).

    Raises
    ------
    InputError
        A tensor or an input is missing or has the wrong shape, or a layer is opaque.
    """
    values = node_values(network, tensors, inputs, masks, dtype=dtype)
    return [values[name] for name in network.outputs]


def node_values(
    network: Network,
    tensors: Tensors,
    inputs: Mapping[str, NDArray] | NDArray,
    masks: Mapping[str, NDArray] | None = None,
    *,
    dtype: type[np.floating] = np.float64,
) -> dict[str, Values]:
    """Run a network on a batch and return every node's output; see `evaluate`.

    Raises
    ------
    InputError
        As of `evaluate`.
    """
    places = [node for node in network.nodes.values() if isinstance(node.layer, Input)]
    given = inputs if isinstance(inputs, Mapping) else {node.name: inputs for node in places}
    read = _read(network, tensors, masks, dtype)
    values: dict[str, Values] = {}
    batch = max((np.shape(value)[0] for value in given.values() if np.ndim(value)), default=1)
    for node in network.nodes.values():
        if isinstance(node.layer, Input):
            if node.name not in given:
                raise InputError(f"the input {node.name} is missing")
            values[node.name] = np.asarray(given[node.name], dtype)
            if values[node.name].shape[1:] != node.shape:
                raise InputError(
                    f"the input {node.name} must have shape (batch, {', '.join(map(str, node.shape))}), "
                    f"not {values[node.name].shape}"
                )
        elif isinstance(node.layer, Constant):
            values[node.name] = np.broadcast_to(read[node.layer.tensor], (batch, *node.shape))
        else:
            values[node.name] = _value(node, [values[source] for source in node.inputs], read)
    return values


def _read(
    network: Network, tensors: Tensors, masks: Mapping[str, NDArray] | None, dtype: type[np.floating]
) -> dict[str, Values]:
    """Return the tensors that a run needs, masked, in the type it computes in; those of opaque layers are not run."""
    needed = {**network.parameters}
    for node in network.nodes.values():
        if not isinstance(node.layer, Opaque):
            needed.update(node.layer.weights)
    read: dict[str, Values] = {}
    for name, shape in needed.items():
        if name not in tensors:
            raise InputError(f"{network.name} needs the tensor {name}, which is missing")
        tensor = np.asarray(tensors[name])
        if tensor.shape != shape and (name in network.weights or tensor.ndim == len(shape)):
            raise InputError(f"the tensor {name} must have shape {shape}, not {tensor.shape}")
        read[name] = tensor.astype(dtype)
        if masks is not None and name in network.weights:
            read[name] = np.where(masks[name] != 0, read[name], dtype(0))
    return read


def constant_values(
    network: Network, tensors: Tensors, masks: Mapping[str, NDArray], reached: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Values]:
    """Return what the units that no input reaches emit, by node; reached units stand as 0.

    Parameters
    ----------
    network : Network
        Opaque layers are allowed: what they emit, and what hangs on it, is NaN.
    tensors, masks : mapping of str to ndarray
    reached : mapping of str to ndarray of bool
        The units that some input reaches, by node.
    """
    read = _read(network, tensors, masks, np.float64)
    values: dict[str, Values] = {}
    for node in network.nodes.values():
        sources = [values[source] for source in node.inputs]
        layer = node.layer
        value: Values
        if isinstance(layer, Input):
            value = np.zeros((1, *node.shape))
        elif isinstance(layer, Constant):
            value = read[layer.tensor][None]
        elif isinstance(layer, Opaque) or (isinstance(layer, Activation) and layer.kind not in _FUNCTIONS):
            value = np.full((1, *node.shape), np.nan)
        elif isinstance(layer, Weighted):
            value = known_response(layer, read[layer.weight], sources[0], node.shape)
            if layer.bias is not None:
                value = value + along(read[layer.bias], node.shape, layer)
        else:
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                value = _value(node, sources, read)
        values[node.name] = np.where(reached[node.name], 0.0, value)
    return values


def known_response(layer: Weighted, weight: Values, x: Values, shape: Shape) -> Values:
    """Apply a layer's weight as `linear_response` does; NaN only where a weight other than 0 meets a NaN."""
    unknown = np.isnan(x)
    if not unknown.any():
        return linear_response(layer, weight, x, shape)
    y = linear_response(layer, weight, np.where(unknown, 0.0, x), shape)
    met = linear_response(layer, (weight != 0).astype(np.float64), unknown.astype(np.float64), shape)
    return np.where(met > 0, np.nan, y)


def linear_response(layer: Weighted, weight: Values, x: Values, shape: Shape) -> Values:
    """Apply a layer's weight, without its bias, to a batch; `shape` is one example's output shape."""
    match layer:
        case Dense():
            return x @ (weight if layer.transposed else weight.T)
        case Conv():
            columns = tap_columns(layer, x, shape[1:])  # (batch, channels, taps, positions)
            batch, _, taps, positions = columns.shape
            grouped = columns.reshape(batch, layer.groups, -1, positions)
            rows = weight.reshape(layer.groups, -1, weight.shape[1] * taps)
            return (rows[None] @ grouped).reshape(batch, *shape)
    raise InputError(f"running a network does not know the layer {type(layer).__name__}")


def _value(node: Node, sources: list[Values], tensors: Mapping[str, Values]) -> Values:
    layer: Layer = node.layer
    x = sources[0]
    match layer:
        case Weighted():
            y = linear_response(layer, tensors[layer.weight], x, node.shape)
            return y if layer.bias is None else y + along(tensors[layer.bias], node.shape, layer)
        case Pool(kind="max"):
            return tap_columns(layer, x, node.shape[1:], -np.inf).max(axis=2).reshape(x.shape[0], *node.shape)
        case Pool():
            total = tap_columns(layer, x, node.shape[1:]).sum(axis=2).reshape(x.shape[0], *node.shape)
            return total / _pooled_counts(layer, x.shape[2:], node.shape[1:])
        case GlobalPool():
            axes = tuple(range(2, x.ndim))
            return (
                x.max(axis=axes, keepdims=True) if layer.kind == "max" else x.mean(axis=axes, keepdims=True)
            )
        case Reshape():
            return x.reshape(x.shape[0], *node.shape)
        case Transpose():
            return x.transpose(0, *(axis + 1 for axis in layer.order))
        case Pad():
            return np.pad(x, ((0, 0), *layer.amounts))
        case Add():
            return np.sum(sources, axis=0)
        case Concatenate():
            return np.concatenate(sources, axis=layer.axis + 1)
        case Multiply():
            return sources[0] * sources[1]
        case MatrixMultiply():
            return sources[0] @ sources[1]
        case Activation() if layer.kind in _FUNCTIONS:
            return _FUNCTIONS[layer.kind](x)
        case Affine():
            shape = [1] * x.ndim
            shape[layer.axis + 1 if layer.axis >= 0 else layer.axis] = layer.features
            y = x if layer.scale is None else x * tensors[layer.scale].reshape(shape)
            return y if layer.shift is None else y + tensors[layer.shift].reshape(shape)
        case BatchNorm():
            scale = tensors[layer.scale] / np.sqrt(tensors[layer.variance] + layer.epsilon)
            shift = tensors[layer.shift] - tensors[layer.mean] * scale
            ones = (1,) * (x.ndim - 2)
            return x * scale.reshape(-1, *ones) + shift.reshape(-1, *ones)
        case LayerNorm():
            y = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + layer.epsilon)
            y = y if layer.scale is None else y * tensors[layer.scale]
            return y if layer.shift is None else y + tensors[layer.shift]
        case Softmax():
            return softmax(x, layer.axis if layer.axis < 0 else layer.axis + 1)
        case Attention():
            q, k, v = (s.reshape(*s.shape[:2], layer.heads, -1).swapaxes(1, 2) for s in sources)
            weights = softmax(q @ k.swapaxes(2, 3) / math.sqrt(q.shape[-1]), -1)
            return (weights @ v).swapaxes(1, 2).reshape(x.shape[0], *node.shape)
    raise InputError(
        f"{node.name} cannot be run: the layer {getattr(layer, 'kind', type(layer).__name__)} is opaque"
    )


def along(bias: Values, shape: Shape, layer: Weighted) -> Values:
    """Return a bias, one value a feature or channel or a whole map, so that it broadcasts over the output."""
    if bias.ndim > 1 or isinstance(layer, Dense):
        return bias
    return bias.reshape(-1, *(1 for _ in shape[1:]))


def softmax(x: Values, axis: int) -> Values:
    """Softmax along one axis."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _pooled_counts(layer: Pool, spatial: Shape, positions: Shape) -> Values:
    """Return by how many positions each average divides, shape (*positions)."""
    counted = np.zeros(padded_shape(layer, spatial, positions))
    if layer.count_padding:
        # a partial last window of ceiling mode hangs over the padding: what lies beyond it is not counted
        counted[tuple(slice(0, n + b + a) for n, (b, a) in zip(spatial, layer.padding, strict=True))] = 1
    else:
        counted[inside(layer, spatial)] = 1
    return np.sum([counted[reads] for _, reads in taps(layer, positions)], axis=0)
