"""Small random networks for property tests: every kind of layer that can be drawn unit by unit."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from xorweave.golden.network.layers import (
    Activation,
    Affine,
    BatchNorm,
    Concatenate,
    Conv,
    Dense,
    GlobalPool,
    LayerNorm,
    Pad,
    Pool,
    Reshape,
    Softmax,
    Transpose,
)
from xorweave.golden.network.network import Network


@st.composite
def fully_connected(draw: st.DrawFn) -> Network:
    """Dense layers on vectors or tokens, residual sums, joins, norms."""
    network = Network("random-dense")
    lead = draw(st.sampled_from([(), (2,)]))
    x = network.input((*lead, draw(st.integers(1, 4))))
    for i in range(draw(st.integers(1, 4))):
        width = network.nodes[x].shape[-1]
        out = draw(st.integers(1, 4))
        bias = f"w{i}.bias" if draw(st.booleans()) else None
        if draw(st.booleans()):
            y = network.add(Dense(f"w{i}.weight", (width, out), bias, transposed=True), x)
        else:
            y = network.add(Dense(f"w{i}.weight", (out, width), bias), x)
        kind = draw(
            st.sampled_from(["plain", "relu", "sigmoid", "norm", "softmax", "affine", "sum", "join", "batch"])
        )
        if kind in ("relu", "sigmoid"):
            y = network.add(Activation(kind), y)
        elif kind == "norm":
            y = network.add(LayerNorm(out, f"n{i}.scale", f"n{i}.shift"), y)
        elif kind == "softmax":
            y = network.add(Softmax(-1), y)
        elif kind == "affine":
            y = network.add(Affine(out, f"a{i}.scale", f"a{i}.shift", axis=-1), y)
        elif kind == "sum" and out == width:
            y = network.sum(x, y)
        elif kind == "join":
            y = network.add(Concatenate(len(lead)), x, y)
        elif kind == "batch" and not lead:
            y = network.add(
                BatchNorm(out, *(f"b{i}.{part}" for part in ("scale", "shift", "mean", "variance"))), y
            )
        x = y
    return network


@st.composite
def convolutional(draw: st.DrawFn) -> Network:
    """Convolutions of every kind, pooling, residual sums, and a dense layer at the end."""
    network = Network("random-conv")
    axes = draw(st.integers(1, 2))
    side = draw(st.integers(2, 5))
    x = network.input((draw(st.integers(1, 4)), *(side,) * axes))
    for i in range(draw(st.integers(1, 3))):
        channels, *spatial = network.nodes[x].shape
        groups = draw(st.sampled_from([g for g in (1, 2, 3, 4) if channels % g == 0]))
        pads = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=axes, max_size=axes))
        kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
        dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
        for axis, n in enumerate(spatial):
            room = n + sum(pads[axis])
            kernel[axis] = min(kernel[axis], room)
            dilation[axis] = min(dilation[axis], max(1, (room - 1) // max(1, kernel[axis] - 1)))
        layer = Conv(
            f"w{i}.weight",
            (groups * draw(st.integers(1, 2)), channels // groups, *kernel),
            f"w{i}.bias" if draw(st.booleans()) else None,
            stride=tuple(draw(st.integers(1, 2)) for _ in range(axes)),
            padding=tuple(pads),
            dilation=tuple(dilation),
            groups=groups,
        )
        y = network.add(layer, x)
        if draw(st.booleans()):
            y = network.relu(y)
        if network.nodes[y].shape == network.nodes[x].shape and draw(st.booleans()):
            y = network.sum(x, y)
        after = draw(st.sampled_from(["none", "max", "average", "pad"]))
        if after in ("max", "average") and min(network.nodes[y].shape[1:]) >= 2:
            ceiling = draw(st.booleans())
            y = network.add(Pool(after, (2,) * axes, (2,) * axes, ((1, 0),) * axes, ceiling=ceiling), y)
        elif after == "pad":
            y = network.add(Pad(((1, 0), *((0, 1),) * axes)), y)
        x = y
    end = draw(st.sampled_from(["flat", "global", "turned"]))
    if end == "global":
        x = network.add(GlobalPool(draw(st.sampled_from(["max", "average"]))), x)
    elif end == "turned":
        x = network.add(Transpose(tuple(reversed(range(axes + 1)))), x)
    x = network.add(Reshape((-1,)), x)
    if network.nodes[x].shape[0] <= 64:
        network.dense(x, "end.weight", draw(st.integers(1, 3)), bias="end.bias")
    return network


def random_tensors(network: Network, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tensors drawn from a normal distribution, variances positive."""
    tensors = {
        name: rng.normal(size=shape) for name, shape in {**network.weights, **network.parameters}.items()
    }
    return {name: np.abs(value) + 0.1 if "variance" in name else value for name, value in tensors.items()}


def random_direct_masks(network: Network, density: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Masks that keep each weight with the given probability."""
    return {name: rng.random(shape) < density for name, shape in network.weights.items()}
