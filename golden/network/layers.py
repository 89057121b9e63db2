"""The layers a network description is made of, and the shape each of them gives.

Shapes are those of one example (no batch axis): ``(features,)`` or ``(tokens, features)`` for fully
connected layers, ``(channels, *spatial)`` for convolutions. A *unit* is one element of such an array; a
*connection* joins two units. Layers name their tensors; the tensors themselves stay in a dictionary beside
the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from xorweave.golden.base.errors import InputError

Shape = tuple[int, ...]

ACTIVATIONS = (
    "identity",
    "relu",
    "leaky_relu",
    "relu6",
    "gelu",
    "silu",
    "tanh",
    "sigmoid",
    "erf",
    "abs",
    "sqrt",
    "exp",
    "hard_swish",
    "other",
)


@dataclass(frozen=True)
class Layer:
    """One layer; the base of all others.

    `weights` are the tensors that can be pruned; `parameters` are all others.
    """

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape of the layer's output.

        Raises
        ------
        InputError
            The inputs do not fit the layer.
        """
        _expect_inputs(self, shapes, 1)
        return shapes[0]

    @property
    def weights(self) -> dict[str, Shape]:
        """Names and shapes of the tensors that can be pruned."""
        return {}

    @property
    def parameters(self) -> dict[str, Shape]:
        """Names and shapes of the tensors that are never pruned (biases, norms)."""
        return {}


@dataclass(frozen=True)
class Weighted(Layer):
    """A layer whose connections can be pruned.

    Parameters
    ----------
    weight : str
        Name of the weight tensor.
    weight_shape : tuple of int
    bias : str, optional
        Name of the bias, one value an output feature or channel.
    """

    weight: str
    weight_shape: Shape
    bias: str | None = None

    @property
    def outputs(self) -> int:
        """Number of output features or channels."""
        return self.weight_shape[0]

    @property
    def weights(self) -> dict[str, Shape]:
        """The one weight tensor."""
        return {self.weight: self.weight_shape}

    @property
    def parameters(self) -> dict[str, Shape]:
        """The bias, if there is one."""
        return {} if self.bias is None else {self.bias: (self.outputs,)}


@dataclass(frozen=True)
class Input(Layer):
    """A place where data enters. Every unit of it counts as live."""

    shape: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the declared shape."""
        _expect_inputs(self, shapes, 0)
        return self.shape


@dataclass(frozen=True)
class Constant(Layer):
    """Fixed values that enter the network, one for each unit: position embeddings, an offset map."""

    tensor: str
    shape: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the declared shape."""
        _expect_inputs(self, shapes, 0)
        return self.shape

    @property
    def parameters(self) -> dict[str, Shape]:
        """The values."""
        return {self.tensor: self.shape}


@dataclass(frozen=True)
class Dense(Weighted):
    """Fully connected layer over the last axis; the axes before it share the weights.

    The weight has shape (outputs, inputs), or (inputs, outputs) where `transposed`.
    """

    transposed: bool = False

    def __post_init__(self) -> None:
        if len(self.weight_shape) != 2:
            raise InputError(
                f"the weight {self.weight} of a dense layer must have rank 2, not shape {self.weight_shape}"
            )

    @property
    def outputs(self) -> int:
        """Number of output features."""
        return self.weight_shape[1 if self.transposed else 0]

    @property
    def inputs(self) -> int:
        """Number of input features."""
        return self.weight_shape[0 if self.transposed else 1]

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the input's shape with the last axis replaced by the number of outputs."""
        _expect_inputs(self, shapes, 1)
        if not shapes[0] or shapes[0][-1] != self.inputs:
            raise InputError(
                f"{self.weight} takes {self.inputs} features, but its input has shape {shapes[0]}"
            )
        return (*shapes[0][:-1], self.outputs)


@dataclass(frozen=True)
class Conv(Weighted):
    """Convolution (cross-correlation) in any number of spatial dimensions.

    Parameters
    ----------
    weight_shape : tuple of int
        (outputs, inputs / groups, *kernel).
    stride, dilation : tuple of int
        One a spatial axis; empty means 1.
    padding : tuple of (int, int)
        Zeros added before and after each spatial axis; empty means none.
    groups : int
    """

    stride: Shape = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: Shape = ()
    groups: int = 1

    def __post_init__(self) -> None:
        if len(self.weight_shape) < 3:
            raise InputError(
                f"the weight {self.weight} of a convolution must have rank 3 or more, "
                f"not shape {self.weight_shape}"
            )
        _fill_window(self, len(self.kernel))
        if self.groups < 1 or self.outputs % self.groups:
            raise InputError(
                f"the groups of {self.weight} must divide its {self.outputs} outputs, but are {self.groups}"
            )

    @property
    def kernel(self) -> Shape:
        """Extent of the kernel along each spatial axis."""
        return self.weight_shape[2:]

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (outputs, *spatial)."""
        _expect_inputs(self, shapes, 1)
        channels = self.weight_shape[1] * self.groups
        if len(shapes[0]) != len(self.kernel) + 1 or shapes[0][0] != channels:
            raise InputError(
                f"{self.weight} takes {channels} channels and {len(self.kernel)} spatial axes, "
                f"but its input has shape {shapes[0]}"
            )
        return (self.outputs, *window_positions(self, shapes[0][1:], self.kernel))


@dataclass(frozen=True)
class Pool(Layer):
    """Pooling over a window. Padded positions never count as units (average pooling may still count them).

    Parameters
    ----------
    kind : {'max', 'average'}
    kernel, stride, padding, dilation
        As for `Conv`; an empty stride means the kernel's extent.
    count_padding : bool
        Whether an average divides by the whole window at the border too.
    ceiling : bool
        Whether a last, partial window counts (its missing positions are no padding and never averaged).
    """

    kind: str
    kernel: Shape
    stride: Shape = ()
    padding: tuple[tuple[int, int], ...] = ()
    dilation: Shape = ()
    count_padding: bool = False
    ceiling: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("max", "average"):
            raise InputError(f"pooling must be max or average, not {self.kind!r}")
        if not self.stride:
            object.__setattr__(self, "stride", self.kernel)
        _fill_window(self, len(self.kernel))

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (channels, *spatial)."""
        _expect_inputs(self, shapes, 1)
        if len(shapes[0]) != len(self.kernel) + 1:
            raise InputError(
                f"pooling over {len(self.kernel)} axes needs as many spatial axes, not shape {shapes[0]}"
            )
        return (shapes[0][0], *window_positions(self, shapes[0][1:], self.kernel, ceiling=self.ceiling))


@dataclass(frozen=True)
class GlobalPool(Layer):
    """Pooling over all spatial axes at once, which become 1 each; `kind` is 'max' or 'average'."""

    kind: str = "average"

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (channels, 1, ...)."""
        _expect_inputs(self, shapes, 1)
        return (shapes[0][0], *(1 for _ in shapes[0][1:]))


@dataclass(frozen=True)
class Reshape(Layer):
    """Another shape for the same units, row-major; one length may be -1. ``Reshape((-1,))`` flattens."""

    shape: Shape = (-1,)

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape, -1 worked out."""
        _expect_inputs(self, shapes, 1)
        size = math.prod(shapes[0])
        known = math.prod(n for n in self.shape if n != -1)
        free = self.shape.count(-1)
        if free > 1 or (free and (known == 0 or size % known)) or (not free and known != size):
            raise InputError(f"{size} units of shape {shapes[0]} cannot take the shape {self.shape}")
        return tuple(size // known if n == -1 else n for n in self.shape)


@dataclass(frozen=True)
class Pad(Layer):
    """Zeros put around the units: (before, after) for every axis."""

    amounts: tuple[tuple[int, int], ...]

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape, zeros included."""
        _expect_inputs(self, shapes, 1)
        if len(self.amounts) != len(shapes[0]) or any(min(pair) < 0 for pair in self.amounts):
            raise InputError(
                f"padding must name two amounts of at least 0 an axis of {shapes[0]}, not {self.amounts}"
            )
        return tuple(n + before + after for n, (before, after) in zip(shapes[0], self.amounts, strict=True))

    def inside(self, shape: Shape) -> tuple[slice, ...]:
        """Return the slices that hold the input, of this shape, inside the output."""
        return tuple(slice(before, before + n) for n, (before, _) in zip(shape, self.amounts, strict=True))


@dataclass(frozen=True)
class Transpose(Layer):
    """The axes in another order."""

    order: Shape

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the shape with its axes in the new order."""
        _expect_inputs(self, shapes, 1)
        if sorted(self.order) != list(range(len(shapes[0]))):
            raise InputError(f"the order {self.order} must name each axis of {shapes[0]} once")
        return tuple(shapes[0][axis] for axis in self.order)


@dataclass(frozen=True)
class Add(Layer):
    """Sum of two or more inputs of equal shape: a residual connection."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the common shape."""
        if len(shapes) < 2 or len(set(shapes)) != 1:
            raise InputError(
                f"a sum needs two or more inputs of one shape, not {', '.join(map(str, shapes))}"
            )
        return shapes[0]


@dataclass(frozen=True)
class Multiply(Layer):
    """Product, element by element, of two inputs that broadcast against each other: a gate."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the broadcast shape."""
        _expect_inputs(self, shapes, 2)
        if len(shapes[0]) != len(shapes[1]) or any(
            a != b and 1 not in (a, b) for a, b in zip(*shapes, strict=True)
        ):
            raise InputError(f"a product needs inputs that broadcast, not {shapes[0]} and {shapes[1]}")
        return tuple(max(a, b) for a, b in zip(*shapes, strict=True))


@dataclass(frozen=True)
class MatrixMultiply(Layer):
    """Matrix product of two activations, (..., n, k) by (..., k, m), the leading axes equal."""

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (..., n, m)."""
        _expect_inputs(self, shapes, 2)
        a, b = shapes
        if len(a) < 2 or len(a) != len(b) or a[:-2] != b[:-2] or a[-1] != b[-2]:
            raise InputError(f"a matrix product needs (..., n, k) by (..., k, m), not {a} by {b}")
        return (*a[:-1], b[-1])


@dataclass(frozen=True)
class Concatenate(Layer):
    """Inputs joined along one axis."""

    axis: int = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the joined shape."""
        if not shapes or not all(0 <= self.axis < len(s) for s in shapes):
            raise InputError(
                f"the axis {self.axis} must be one of every input's axes: {', '.join(map(str, shapes))}"
            )
        rest = {s[: self.axis] + s[self.axis + 1 :] for s in shapes}
        if len(rest) != 1:
            raise InputError(
                f"inputs joined along axis {self.axis} must agree elsewhere: {', '.join(map(str, shapes))}"
            )
        return (*shapes[0][: self.axis], sum(s[self.axis] for s in shapes), *shapes[0][self.axis + 1 :])


@dataclass(frozen=True)
class Activation(Layer):
    """A function of each unit by itself; `kind` is one of `ACTIVATIONS` ('other': one that cannot be run)."""

    kind: str = "relu"

    def __post_init__(self) -> None:
        if self.kind not in ACTIVATIONS:
            raise InputError(f"an activation must be one of {', '.join(ACTIVATIONS)}, not {self.kind!r}")


@dataclass(frozen=True)
class Affine(Layer):
    """Scale and shift of each feature or channel: y = x * scale + shift (either may be absent).

    Parameters
    ----------
    features : int
        Length of `scale` and `shift`.
    axis : int
        The axis they run along: 0 for channels, -1 for features.
    """

    features: int
    scale: str | None = None
    shift: str | None = None
    axis: int = 0

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the input's shape."""
        _expect_inputs(self, shapes, 1)
        if self.features != 1 and (not shapes[0] or shapes[0][self.axis] != self.features):
            raise InputError(f"{self.features} scales do not fit axis {self.axis} of shape {shapes[0]}")
        return shapes[0]

    @property
    def parameters(self) -> dict[str, Shape]:
        """Scale and shift."""
        return {name: (self.features,) for name in (self.scale, self.shift) if name is not None}


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation as it stands at inference: an affine map of each channel (axis 0)."""

    channels: int
    scale: str
    shift: str
    mean: str
    variance: str
    epsilon: float = 1e-5

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the input's shape."""
        _expect_inputs(self, shapes, 1)
        if not shapes[0] or shapes[0][0] != self.channels:
            raise InputError(
                f"{self.scale} normalises {self.channels} channels, but its input has shape {shapes[0]}"
            )
        return shapes[0]

    @property
    def parameters(self) -> dict[str, Shape]:
        """Scale, shift, mean and variance."""
        return dict.fromkeys((self.scale, self.shift, self.mean, self.variance), (self.channels,))


@dataclass(frozen=True)
class LayerNorm(Layer):
    """Layer normalisation over the last axis.

    Mean and variance make every feature depend on every other one; see `reachability` for what that means
    there.
    """

    features: int
    scale: str | None = None
    shift: str | None = None
    epsilon: float = 1e-5

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the input's shape."""
        _expect_inputs(self, shapes, 1)
        if not shapes[0] or shapes[0][-1] != self.features:
            raise InputError(f"a norm of {self.features} features does not fit an input of shape {shapes[0]}")
        return shapes[0]

    @property
    def parameters(self) -> dict[str, Shape]:
        """Scale and shift."""
        return {name: (self.features,) for name in (self.scale, self.shift) if name is not None}


@dataclass(frozen=True)
class Softmax(Layer):
    """Softmax along one axis; every unit along it depends on every other."""

    axis: int = -1


@dataclass(frozen=True)
class Attention(Layer):
    """Multi-head scaled dot-product attention of queries, keys and values, all of shape (tokens, features).

    softmax(Q K^T / sqrt(features / heads)) V, each head on its own slice of the features.
    """

    heads: int

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return (tokens of the queries, features of the values)."""
        _expect_inputs(self, shapes, 3)
        q, k, v = shapes
        if (
            any(len(s) != 2 for s in shapes)
            or q[1] != k[1]
            or k[0] != v[0]
            or q[1] % self.heads
            or v[1] % self.heads
        ):
            raise InputError(
                f"attention with {self.heads} heads needs queries (t, d), keys (u, d) and values (u, e), "
                f"not {q}, {k} and {v}"
            )
        return (q[0], v[1])


@dataclass(frozen=True)
class Opaque(Layer):
    """A layer of which nothing is known: every output may depend on every input and weight. Safe, never exact.

    Networks holding one can be judged (an upper bound on what is alive) but not run.

    Parameters
    ----------
    kind : str
        What it is, for people.
    shape : tuple of int
        Of its output; ``(1,)`` where that is not known: one unit that stands for all.
    owned : tuple of (str, tuple of int)
        Name and shape of every weight tensor in it.
    """

    kind: str
    shape: Shape
    owned: tuple[tuple[str, Shape], ...] = ()

    def output_shape(self, *shapes: Shape) -> Shape:
        """Return the declared shape."""
        return self.shape

    @property
    def weights(self) -> dict[str, Shape]:
        """What it owns."""
        return dict(self.owned)


def window_positions(layer: Conv | Pool, spatial: Shape, kernel: Shape, *, ceiling: bool = False) -> Shape:
    """Return how many window positions fit along each spatial axis.

    Raises
    ------
    InputError
        The window does not fit even once.
    """
    counts = []
    for n, k, stride, (before, after), dilation in zip(
        spatial, kernel, layer.stride, layer.padding, layer.dilation, strict=True
    ):
        room = n + before + after - dilation * (k - 1) - 1
        count = room // stride + 1
        # a partial last window counts only when it starts inside the input or its leading padding
        if ceiling and room % stride and (room // stride + 1) * stride < n + before:
            count += 1
        if room < 0 or count < 1:
            raise InputError(f"a window of {kernel} does not fit an input of {spatial}")
        counts.append(count)
    return tuple(counts)


def _expect_inputs(layer: Layer, shapes: tuple[Shape, ...], count: int) -> None:
    if len(shapes) != count:
        raise InputError(f"{type(layer).__name__} needs {count} input(s), not {len(shapes)}")


def _fill_window(layer: Conv | Pool, axes: int) -> None:
    """Replace empty window fields by their defaults and check the others."""
    defaults: dict[str, tuple] = {"stride": (1,) * axes, "padding": ((0, 0),) * axes, "dilation": (1,) * axes}
    for name, default in defaults.items():
        value = getattr(layer, name)
        if not value:
            object.__setattr__(layer, name, default)
        elif len(value) != axes:
            raise InputError(f"the {name} of a window over {axes} axes must have {axes} entries, not {value}")
    if min((*layer.stride, *layer.dilation), default=1) < 1 or any(min(pair) < 0 for pair in layer.padding):
        raise InputError("stride and dilation must be at least 1 and padding at least 0")
