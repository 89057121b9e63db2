"""Which connections lie on a path of kept connections from an input to an output: exact boolean reachability.

A kept weight is *inactivated* when no such path uses it (Vysogorets, Kempe, "Connectivity Matters: Neural
Network Pruning Through the Lens of Effective Sparsity", JMLR 2023, section 3). Forward, a unit is *reached*
when some input can influence it; backward, it is *live* when it can influence some output; a weight is
alive when it is kept, reads a reached unit and feeds a live one.

Reachability is followed unit by unit, spatial positions included, so strides that skip positions and kernel
taps that only ever see padding are found. All arithmetic is on booleans, or on counts of non-negative
terms, whose sum is positive exactly when one term is: no rounding, no underflow, no cancellation.

Where the paper's definition (a linearised network, norms left out) and the real network differ, the choice
here keeps the real network's function:

- Layer normalisation and softmax mix the units they normalise over, so one reached unit makes all of them
  reached (`mixing_norms=False` gives the paper's definition, in which a norm passes each unit on by
  itself).
- Attention: see `_attention_reached` and `_attention_live`.
- A product of activations (gates, queries with keys) passes an influence on only while the other factor can
  be non-zero, be it through a bias.

Masks are never copied as a whole: fully connected layers work on blocks of rows, convolutions on one kernel
tap at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
from xorweave.golden.network.network import Masks, Network, Node
from xorweave.golden.network.windows import inside, padded_shape, taps

Units = NDArray[np.bool_]
_BLOCK = 1 << 22  # mask elements handled at once in a fully connected layer


@dataclass(frozen=True, eq=False)
class Reachability:
    """What reaches what in a masked network.

    Attributes
    ----------
    reached : dict of str to ndarray of bool
        A node's output units that some input can influence, in the node's shape.
    live : dict of str to ndarray of bool
        A node's output units that can influence some output, in the node's shape.
    alive : dict of str to ndarray of bool
        The effective masks: kept weights that lie on a live path, in the weight's shape.
    """

    reached: dict[str, Units]
    live: dict[str, Units]
    alive: Masks


def effective_masks(network: Network, masks: Mapping[str, NDArray], *, mixing_norms: bool = True) -> Masks:
    """Drop the inactivated connections from a network's masks.

    Parameters
    ----------
    network : Network
    masks : mapping of str to ndarray
        The direct masks, one for every weight tensor, in its shape; non-zero = kept.
    mixing_norms : bool
        Whether layer norms and softmax mix what they normalise (see the module's notes).

    Returns
    -------
    dict of str to ndarray of bool
        The effective masks: subsets of the direct ones.

    Raises
    ------
    InputError
        A mask is missing or has the wrong shape.
    """
    return reachability(network, masks, mixing_norms=mixing_norms).alive


def reachability(
    network: Network, masks: Mapping[str, NDArray], *, mixing_norms: bool = True
) -> Reachability:
    """Follow every path of kept connections through a network; see `effective_masks` for the parameters."""
    checked = network.check_masks(masks)
    nonzero = _forward(network, checked, mixing_norms, biases=True) if _has_products(network) else {}
    reached = _forward(network, checked, mixing_norms, biases=False, nonzero=nonzero)
    alike = _alike_tokens(network)
    live = {name: np.zeros(node.shape, np.bool_) for name, node in network.nodes.items()}
    for name in network.outputs:
        live[name][...] = True
    alive: Masks = {}
    for node in reversed(network.nodes.values()):
        layer, after = node.layer, live[node.name]
        possible = [nonzero.get(source, reached[source]) for source in node.inputs]
        sources = _sources(node, reached, possible, alike)
        for name in layer.weights:
            found = _alive(layer, checked[name], sources, after)
            alive[name] = alive[name] | found if name in alive else found
        before = _live(layer, after, sources, possible, checked, mixing_norms)
        for source, units in zip(node.inputs, before, strict=True):
            live[source] |= units
    return Reachability(reached, live, {name: alive[name] for name in network.weights})


def _has_products(network: Network) -> bool:
    return any(
        isinstance(node.layer, Attention | Multiply | MatrixMultiply) for node in network.nodes.values()
    )


def _forward(
    network: Network,
    masks: Masks,
    mixing_norms: bool,
    *,
    biases: bool,
    nonzero: Mapping[str, Units] | None = None,
) -> dict[str, Units]:
    """Return the reached units; with `biases`, those that can be other than zero for whatever reason."""
    units: dict[str, Units] = {}
    alike = _alike_tokens(network)
    for node in network.nodes.values():
        possible = [(nonzero or {}).get(source, units[source]) for source in node.inputs]
        sources = _sources(node, units, possible, alike)
        found = _reached(node.layer, node.shape, sources, possible, masks, mixing_norms)
        if biases:
            found = found | _constant(node.layer)
        units[node.name] = found
    return units


def _sources(node: Node, reached: Mapping[str, Units], nonzero: list[Units], alike: set[str]) -> list[Units]:
    """Return the reached units a node reads; attention relies on constants being alike in every token."""
    if isinstance(node.layer, Attention) and not alike.issuperset(node.inputs):
        return nonzero
    return [reached[source] for source in node.inputs]


def _alike_tokens(network: Network) -> set[str]:
    """Return the nodes in which a unit that no input reaches has the same value in every token (axis 0)."""
    alike: set[str] = set()
    for node in network.nodes.values():
        layer = node.layer
        same_for_all = isinstance(
            layer, Input | Dense | LayerNorm | Activation | Add | Multiply | Attention
        ) or (isinstance(layer, Affine) and layer.axis in (-1, len(node.shape) - 1))
        if same_for_all and alike.issuperset(node.inputs):
            alike.add(node.name)
    return alike


def _constant(layer: Layer) -> bool:
    """Whether a layer can give a non-zero output from an all-zero input."""
    if isinstance(layer, Weighted):
        return layer.bias is not None
    if isinstance(layer, Affine):
        return layer.shift is not None
    if isinstance(layer, Activation):
        return layer.kind in ("sigmoid", "exp", "other")
    return isinstance(layer, Constant | BatchNorm | LayerNorm | Softmax | Opaque)


# ---------------------------------------------------------------------------------------------- forward


def _reached(
    layer: Layer, shape: Shape, sources: list[Units], nonzero: list[Units], masks: Masks, mixing_norms: bool
) -> Units:
    match layer:
        case Input():
            return np.ones(shape, np.bool_)
        case Constant():
            return np.zeros(shape, np.bool_)
        case Dense():
            return _dense_reached(_rows(masks[layer.weight], layer.transposed), sources[0], layer.transposed)
        case Conv():
            return _conv_reached(layer, masks[layer.weight], sources[0], shape)
        case Pool():
            return _pool_reached(layer, sources[0], shape)
        case GlobalPool():
            return _any(sources[0], tuple(range(1, sources[0].ndim)))
        case Reshape():
            return sources[0].reshape(shape)
        case Transpose():
            return sources[0].transpose(layer.order)
        case Pad():
            return np.pad(sources[0], layer.amounts)
        case Add():
            return np.logical_or.reduce(sources)
        case Concatenate():
            return np.concatenate(sources, axis=layer.axis)
        case Multiply():
            return (sources[0] & nonzero[1]) | (sources[1] & nonzero[0])
        case MatrixMultiply():
            return _any_product(sources[0], nonzero[1]) | _any_product(nonzero[0], sources[1])
        case Attention():
            return _attention_reached(layer, sources)
        case LayerNorm() | Softmax() if mixing_norms:
            axis = layer.axis if isinstance(layer, Softmax) else -1
            return np.broadcast_to(sources[0].any(axis=axis, keepdims=True), shape)
        case Opaque():
            return np.full(shape, any(units.any() for units in sources))
        case LayerNorm() | Softmax() | BatchNorm() | Affine() | Activation():
            return sources[0]
    raise InputError(f"reachability does not know the layer {type(layer).__name__}")


def _attention_reached(layer: Attention, sources: list[Units]) -> Units:
    """A head's output feature is reached when its value feature is, in any token.

    Queries and keys alone reach nothing: attention weights sum to one, so what is the same in every token
    comes out as it went in, and a value that no input reaches is the same in every token.
    """
    values = sources[2].any(axis=0)
    return np.broadcast_to(values, (sources[0].shape[0], values.size))


# --------------------------------------------------------------------------------------------- backward


def _live(
    layer: Layer, after: Units, sources: list[Units], nonzero: list[Units], masks: Masks, mixing_norms: bool
) -> list[Units]:
    """Return, for each input of the layer, the units that can influence a live output unit."""
    match layer:
        case Input() | Constant():
            return []
        case Dense():
            return [_dense_live(_rows(masks[layer.weight], layer.transposed), after, layer.transposed)]
        case Conv():
            return [_conv_live(layer, masks[layer.weight], after, sources[0].shape)]
        case Pool():
            return [_pool_live(layer, after, sources[0].shape)]
        case GlobalPool():
            return [np.broadcast_to(after, sources[0].shape)]
        case Reshape():
            return [after.reshape(sources[0].shape)]
        case Transpose():
            return [after.transpose(np.argsort(layer.order))]
        case Pad():
            return [after[layer.inside(sources[0].shape)]]
        case Add():
            return [after] * len(sources)
        case Concatenate():
            ends = np.cumsum([units.shape[layer.axis] for units in sources])[:-1]
            return list(np.split(after, ends, axis=layer.axis))
        case Multiply():
            a, b = nonzero
            return [_unbroadcast(after & b, a.shape), _unbroadcast(after & a, b.shape)]
        case MatrixMultiply():
            a, b = nonzero
            return [_any_product(after, b.swapaxes(-1, -2)), _any_product(a.swapaxes(-1, -2), after)]
        case Attention():
            return _attention_live(layer, after, sources, nonzero)
        case LayerNorm() | Softmax() if mixing_norms:
            axis = layer.axis if isinstance(layer, Softmax) else -1
            return [np.broadcast_to(after.any(axis=axis, keepdims=True), after.shape)]
        case Opaque():
            return [np.full(units.shape, after.any()) for units in sources]
        case LayerNorm() | Softmax() | BatchNorm() | Affine() | Activation():
            return [after]
    raise InputError(f"reachability does not know the layer {type(layer).__name__}")


def _attention_live(
    layer: Attention, after: Units, sources: list[Units], nonzero: list[Units]
) -> list[Units]:
    """Tell which queries, keys and values matter.

    A value feature matters when its output feature does. A query or key feature can matter only in a head
    that has a reached value feature whose output is live (otherwise every mixture gives the same). Then
    query feature e matters when key feature e is reached (a constant key adds the same to every score,
    which softmax takes away), and key feature e when query feature e can be non-zero, be it through its
    bias.
    """
    queries, keys, values = sources
    used = after.any(axis=0)
    heads = (used & values.any(axis=0)).reshape(layer.heads, -1).any(axis=1)
    width = queries.shape[1] // layer.heads
    judged = np.repeat(heads, width)
    return [
        np.broadcast_to(judged & keys.any(axis=0), queries.shape),
        np.broadcast_to(judged & nonzero[0].any(axis=0), keys.shape),
        np.broadcast_to(used, values.shape),
    ]


def _alive(layer: Layer, mask: NDArray[np.bool_], before: list[Units], after: Units) -> NDArray[np.bool_]:
    """Return the kept weights that join a reached unit to a live one somewhere."""
    match layer:
        case Dense():
            alive = _dense_alive(_rows(mask, layer.transposed), before[0], after)
            return alive.T if layer.transposed else alive
        case Conv():
            return _conv_alive(layer, mask, before[0], after)
        case Opaque():
            # reached or not: what an unreached one emits may hang on its weights, and nothing could be folded
            return mask & after.any()
    raise InputError(f"reachability does not know the layer {type(layer).__name__}")


# ------------------------------------------------------------------------------------- fully connected


def _rows(mask: NDArray[np.bool_], transposed: bool) -> NDArray[np.bool_]:
    """View a weight mask as (outputs, inputs)."""
    return mask.T if transposed else mask


def _blocks(mask: NDArray[np.bool_]) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, mask.shape[1]))
    for start in range(0, mask.shape[0], step):
        yield slice(start, start + step)


def _any_row(mask: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return any_i(mask[o, i] & chosen[i]) for every o, block by block."""
    found = np.zeros(mask.shape[0], np.bool_)
    for block in _blocks(mask):
        found[block] = (mask[block] & chosen).any(axis=1)
    return found


def _any_column(mask: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return any_o(mask[o, i] & chosen[o]) for every i, block by block."""
    found = np.zeros(mask.shape[1], np.bool_)
    for block in _blocks(mask):
        found |= mask[block][chosen[block]].any(axis=0)
    return found


def _patterns(units: Units) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Return the different rows (last axis) of an array of units, and which of them each row is."""
    flat = units.reshape(-1, units.shape[-1])
    if flat.shape[0] > 1 and (flat == flat[0]).all():
        return flat[:1], np.zeros(flat.shape[0], np.intp)
    different, which = np.unique(flat, axis=0, return_inverse=True)
    return different, which.reshape(-1)


def _dense_reached(mask: NDArray[np.bool_], before: Units, transposed: bool) -> Units:
    different, which = _patterns(before)
    # a transposed view is walked along its own memory order
    rows = [_any_column(mask.T, row) if transposed else _any_row(mask, row) for row in different]
    return np.stack(rows)[which].reshape(*before.shape[:-1], mask.shape[0])


def _dense_live(mask: NDArray[np.bool_], after: Units, transposed: bool) -> Units:
    different, which = _patterns(after)
    rows = [_any_row(mask.T, row) if transposed else _any_column(mask, row) for row in different]
    return np.stack(rows)[which].reshape(*after.shape[:-1], mask.shape[1])


def _dense_alive(mask: NDArray[np.bool_], before: Units, after: Units) -> NDArray[np.bool_]:
    inputs, which_in = _patterns(before)
    outputs, which_out = _patterns(after)
    pairs = np.unique(np.stack([which_in, which_out]), axis=1).T
    alive = np.zeros_like(mask)
    for block in _blocks(mask):
        here = alive[block]
        for i, o in pairs:
            rows = outputs[o][block]
            here[rows] |= mask[block][rows] & inputs[i]
    return alive


# ------------------------------------------------------------------------------- windows: conv and pool


def _pad(layer: Conv | Pool, units: Units, positions: Shape) -> Units:
    padded = np.zeros((units.shape[0], *padded_shape(layer, units.shape[1:], positions)), np.bool_)
    padded[(slice(None), *inside(layer, units.shape[1:]))] = units
    return padded


def _grouped(layer: Conv, mask: NDArray[np.bool_], tap: Shape) -> NDArray[np.float32]:
    """Return one kernel tap as (groups, outputs / groups, inputs / groups), 0.0 or 1.0."""
    here: tuple[slice | int, ...] = (slice(None), slice(None), *tap)
    one = mask[here]
    return one.reshape(layer.groups, -1, one.shape[1]).astype(np.float32)


def _conv_reached(layer: Conv, mask: NDArray[np.bool_], before: Units, shape: Shape) -> Units:
    padded = _pad(layer, before, shape[1:]).astype(np.float32)
    found = np.zeros((layer.groups, shape[0] // layer.groups, math.prod(shape[1:])), np.bool_)
    for tap, reads in taps(layer, shape[1:]):
        seen = padded[(slice(None), *reads)].reshape(layer.groups, -1, found.shape[2])
        found |= (_grouped(layer, mask, tap) @ seen) > 0
    return found.reshape(shape)


def _conv_live(layer: Conv, mask: NDArray[np.bool_], after: Units, shape: Shape) -> Units:
    padded = np.zeros((shape[0], *padded_shape(layer, shape[1:], after.shape[1:])), np.bool_)
    wanted = after.reshape(layer.groups, -1, math.prod(after.shape[1:])).astype(np.float32)
    for tap, reads in taps(layer, after.shape[1:]):
        feeds = (_grouped(layer, mask, tap).swapaxes(1, 2) @ wanted) > 0
        padded[(slice(None), *reads)] |= feeds.reshape(shape[0], *after.shape[1:])
    return padded[(slice(None), *inside(layer, shape[1:]))]


def _conv_alive(layer: Conv, mask: NDArray[np.bool_], before: Units, after: Units) -> NDArray[np.bool_]:
    padded = _pad(layer, before, after.shape[1:]).astype(np.float32)
    wanted = after.reshape(layer.groups, -1, math.prod(after.shape[1:])).astype(np.float32)
    alive = np.zeros_like(mask)
    for tap, reads in taps(layer, after.shape[1:]):
        seen = padded[(slice(None), *reads)].reshape(layer.groups, -1, wanted.shape[2])
        joined = (wanted @ seen.swapaxes(1, 2)) > 0
        here: tuple[slice | int, ...] = (slice(None), slice(None), *tap)
        alive[here] = mask[here] & joined.reshape(mask.shape[0], -1)
    return alive


def _pool_reached(layer: Pool, before: Units, shape: Shape) -> Units:
    padded = _pad(layer, before, shape[1:])
    found = np.zeros(shape, np.bool_)
    for _, reads in taps(layer, shape[1:]):
        found |= padded[(slice(None), *reads)]
    return found


def _pool_live(layer: Pool, after: Units, shape: Shape) -> Units:
    padded = np.zeros((shape[0], *padded_shape(layer, shape[1:], after.shape[1:])), np.bool_)
    for _, reads in taps(layer, after.shape[1:]):
        padded[(slice(None), *reads)] |= after
    return padded[(slice(None), *inside(layer, shape[1:]))]


# --------------------------------------------------------------------------------------------- products


def _any(units: Units, axes: tuple[int, ...]) -> Units:
    """Return any over some axes, which stay with length 1."""
    return np.asarray(units.any(axis=axes, keepdims=True))


def _any_product(a: Units, b: Units) -> Units:
    """Boolean matrix product."""
    return (a.astype(np.float32) @ b.astype(np.float32)) > 0


def _unbroadcast(units: Units, shape: Shape) -> Units:
    """Gather what was broadcast: any over every axis along which `shape` has length 1."""
    axes = tuple(axis for axis, (n, m) in enumerate(zip(units.shape, shape, strict=True)) if n != m)
    return _any(units, axes) if axes else units
