"""A network as a differentiable PyTorch function (needs the extra `train`)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice
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
    Pad,
    Pool,
    Reshape,
    Softmax,
    Transpose,
)
from xorweave.golden.network.network import Network, Node

if TYPE_CHECKING:
    from torch import Tensor


def import_torch() -> Any:
    """Return the module torch.

    Raises
    ------
    InputError
        PyTorch is not installed.
    """
    try:
        import torch
    except ImportError:
        raise InputError(f"training and SNIP need PyTorch: {install_advice('train')}") from None
    return torch


def torch_forward(
    network: Network,
    tensors: Mapping[str, Tensor],
    x: Tensor,
    *,
    learning: Collection[str] = (),
    known: Mapping[str, Tensor] | None = None,
) -> Tensor:
    """Run a network on a batch so that PyTorch can differentiate it.

    Parameters
    ----------
    network : Network
        With one input and one output.
    tensors : mapping of str to Tensor
        Weights (masked by the caller) and parameters.
    x : Tensor, shape (batch, *input shape)
    learning : collection of str
        A batch norm whose mean is named here uses the batch's own statistics, and moves mean and variance towards them.
    known : mapping of str to Tensor, optional
        Outputs of nodes that are known already for this batch; nodes that only they read are not run.

    Returns
    -------
    Tensor, shape (batch, *output shape)

    Raises
    ------
    InputError
        The network has several inputs, or a layer that has no differentiable form here.
    """
    out = network.outputs[0]
    return torch_values(network, tensors, x, [out], learning=learning, known=known)[out]


def torch_values(
    network: Network,
    tensors: Mapping[str, Tensor],
    x: Tensor,
    wanted: Collection[str],
    *,
    learning: Collection[str] = (),
    known: Mapping[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return the outputs of the wanted nodes; everything else is as of `torch_forward`."""
    torch = import_torch()
    if sum(isinstance(node.layer, Input) for node in network.nodes.values()) != 1:
        raise InputError(f"{network.name} must have one input to be trained")
    values: dict[str, Any] = dict(known or {})
    needed = set(wanted)
    for node in reversed(network.nodes.values()):
        if node.name in needed and node.name not in values:
            needed.update(node.inputs)
    for node in network.nodes.values():
        if node.name in values or node.name not in needed:
            continue
        if isinstance(node.layer, Input):
            values[node.name] = x
        elif isinstance(node.layer, Constant):
            values[node.name] = tensors[node.layer.tensor].expand(x.shape[0], *node.shape)
        else:
            values[node.name] = _value(
                torch, node, [values[source] for source in node.inputs], tensors, learning
            )
    return {name: values[name] for name in wanted}


def _value(
    torch: Any, node: Node, sources: list[Any], tensors: Mapping[str, Any], learning: Collection[str]
) -> Any:
    layer = node.layer
    x = sources[0]
    f = torch.nn.functional
    match layer:
        case Dense():
            w = tensors[layer.weight]
            y = x @ (w if layer.transposed else w.T)
            return y if layer.bias is None else y + tensors[layer.bias]
        case Conv():
            convolve = (f.conv1d, f.conv2d, f.conv3d)[len(layer.kernel) - 1]
            bias = None if layer.bias is None else tensors[layer.bias]
            padded = _padded(f, x, layer.padding)
            w = tensors[layer.weight]
            return convolve(padded, w, bias, layer.stride, 0, layer.dilation, layer.groups)
        case Pool() if not layer.ceiling and set(layer.dilation) == {1}:
            symmetric = all(before == after for before, after in layer.padding)
            if symmetric and layer.kind == "average":
                pool = (f.avg_pool1d, f.avg_pool2d, f.avg_pool3d)[len(layer.kernel) - 1]
                padding = tuple(before for before, _ in layer.padding)
                return pool(x, layer.kernel, layer.stride, padding, False, layer.count_padding)
            if layer.kind == "max":
                pool = (f.max_pool1d, f.max_pool2d, f.max_pool3d)[len(layer.kernel) - 1]
                return pool(_padded(f, x, layer.padding, -math.inf), layer.kernel, layer.stride)
        case GlobalPool():
            axes = tuple(range(2, x.ndim))
            return x.amax(axes, keepdim=True) if layer.kind == "max" else x.mean(axes, keepdim=True)
        case Reshape():
            return x.reshape(x.shape[0], *node.shape)
        case Transpose():
            return x.permute(0, *(axis + 1 for axis in layer.order))
        case Pad():
            return f.pad(x, _flat_padding(layer.amounts))
        case Add():
            return sum(sources[1:], sources[0])
        case Concatenate():
            return torch.cat(sources, layer.axis + 1)
        case Multiply():
            return sources[0] * sources[1]
        case MatrixMultiply():
            return sources[0] @ sources[1]
        case Activation() if layer.kind in _functions(torch):
            return _functions(torch)[layer.kind](x)
        case Affine():
            shape = [1] * x.ndim
            shape[layer.axis + 1 if layer.axis >= 0 else layer.axis] = layer.features
            y = x if layer.scale is None else x * tensors[layer.scale].reshape(shape)
            return y if layer.shift is None else y + tensors[layer.shift].reshape(shape)
        case BatchNorm():
            four = (tensors[n] for n in (layer.mean, layer.variance, layer.scale, layer.shift))
            return f.batch_norm(x, *four, training=layer.mean in learning, eps=layer.epsilon)
        case LayerNorm():
            scale, shift = (None if n is None else tensors[n] for n in (layer.scale, layer.shift))
            return f.layer_norm(x, (layer.features,), scale, shift, layer.epsilon)
        case Softmax():
            return x.softmax(layer.axis if layer.axis < 0 else layer.axis + 1)
        case Attention():
            q, k, v = (s.unflatten(2, (layer.heads, -1)).transpose(1, 2) for s in sources)
            return f.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    raise InputError(f"{node.name} ({type(layer).__name__}) has no differentiable form here")


def _functions(torch: Any) -> dict[str, Any]:
    f = torch.nn.functional
    return {
        "identity": lambda x: x,
        "relu": torch.relu,
        "leaky_relu": f.leaky_relu,
        "relu6": f.relu6,
        "gelu": f.gelu,
        "silu": f.silu,
        "hard_swish": f.hardswish,
        **{name: getattr(torch, name) for name in ("tanh", "sigmoid", "erf", "abs", "sqrt", "exp")},
    }


def _padded(f: Any, x: Any, padding: tuple[tuple[int, int], ...], value: float = 0.0) -> Any:
    """Pad, but copy nothing where nothing is added."""
    return f.pad(x, _flat_padding(padding), value=value) if any(map(any, padding)) else x


def _flat_padding(padding: tuple[tuple[int, int], ...]) -> list[int]:
    """Return PyTorch's order: the last axis first."""
    return [amount for pair in reversed(padding) for amount in pair]
