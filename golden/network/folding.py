"""Folding the biases of detached units, so that dropping inactivated connections changes no function.

A unit that no input reaches still emits a constant: what its own bias, and those before it, make of it. A
connection that reads it is inactivated, but carries that constant on; before the connection may go, the
constant it delivers must move into the bias of the unit it feeds. After that the effective masks compute
the very same function.

A convolution whose input is padded delivers the constant everywhere but at the border, where taps read
padding: its new bias is no longer one value a channel. `fold_biases` then either makes it a map (one value
a position) or keeps the connections that would need one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.evaluate import Values, along, constant_values, known_response
from xorweave.golden.network.layers import Conv, Dense, Layer, Weighted
from xorweave.golden.network.network import Masks, Network, Node, Tensors
from xorweave.golden.network.reachability import Units, reachability


@dataclass(frozen=True, eq=False)
class Folded:
    """A network with its inactivated connections gone and its function unchanged.

    Attributes
    ----------
    network : Network
        The same layers; those that had no bias and need one now have it.
    tensors : dict of str to ndarray
        All tensors, biases folded. Weights are untouched: apply `masks` to them.
    masks : dict of str to ndarray of bool
        The effective masks, plus the connections that were kept (below).
    changed : tuple of str
        Biases that differ from before.
    position_dependent : tuple of str
        Biases that became maps of their node's whole output shape.
    kept : dict of str to int
        Inactivated connections kept, by weight, because dropping them would have needed such a map.
    """

    network: Network
    tensors: dict[str, NDArray]
    masks: Masks
    changed: tuple[str, ...]
    position_dependent: tuple[str, ...]
    kept: dict[str, int]


def fold_biases(
    network: Network, tensors: Tensors, masks: Masks, *, bias_maps: bool = False, new_biases: bool = True
) -> Folded:
    """Drop inactivated connections and fold the constants they carried into biases.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray
        Every weight and parameter.
    masks : dict of str to ndarray
        Direct masks.
    bias_maps : bool
        What to do where a padded convolution would need a bias that depends on the position: make one
        (True), or keep the connections of the output channels concerned (False; any accelerator can run the
        result).

    new_biases : bool
        Whether layers without a bias may get one; if not, the connections that would need it are kept.
        Integer tensors are treated likewise: their scales are not known here, so nothing is folded into
        them.

    Returns
    -------
    Folded

    Raises
    ------
    InputError
        A tensor or mask is missing or has the wrong shape, or a layer is opaque.
    """
    checked = network.check_masks(masks)
    found = reachability(network, checked)
    if all(np.array_equal(checked[name], found.alive[name]) for name in checked):
        return Folded(network, dict(tensors), checked, (), (), {})
    values = constant_values(network, tensors, checked, found.reached)
    alive = {name: mask.copy() for name, mask in found.alive.items()}
    folded: dict[str, NDArray] = dict(tensors)
    layers: dict[str, Layer] = {}
    changed: list[str] = []
    maps: list[str] = []
    shares = _bias_users(network)
    for node, layer in network.weighted():
        source = node.inputs[0]
        constants = values[source][0]
        if not constants.any():
            continue
        dropped = checked[layer.weight] & ~found.alive[layer.weight]
        carried = np.where(dropped, tensors[layer.weight], 0).astype(np.float64)
        delivered = known_response(layer, carried, constants[None], node.shape)[0]
        live = found.live[node.name]
        delivered = np.where(live, delivered, 0.0)
        if not delivered.any():
            continue
        one_value, uneven = _per_output(layer, delivered, live)
        foldable = _foldable(layer, tensors, new_biases)
        old, kind = _old_bias(layer, tensors)
        maps_it = bias_maps and foldable and bool(uneven.any())
        # what is not known, and what the bias's own type cannot hold, stays a connection
        stuck = np.isnan(one_value) | _overflows(layer, old, delivered, kind)
        if not foldable:
            stuck = stuck | uneven | (one_value != 0)
        elif not bias_maps:
            stuck = stuck | uneven
        if stuck.any():
            alive[layer.weight] |= dropped & _delivering(layer, stuck, constants)
            one_value = np.where(stuck, 0.0, one_value)
        if maps_it:
            fixed = along(stuck.astype(np.float64), node.shape, layer) > 0
            new = np.broadcast_to(along(old, node.shape, layer), node.shape) + np.where(fixed, 0.0, delivered)
        elif one_value.any():
            new = old + one_value
        else:
            continue
        name = layer.bias
        if name is None or shares[name] > 1:
            name = _fresh_bias(network, node, folded)
            layers[node.name] = replace(layer, bias=name)
        folded[name] = new.astype(kind)
        changed.append(name)
        if new.ndim > 1:
            maps.append(name)
    kept = {
        name: int(np.count_nonzero(mask & ~found.alive[name]))
        for name, mask in alive.items()
        if (mask & ~found.alive[name]).any()
    }
    return Folded(network.replaced(layers), folded, alive, tuple(changed), tuple(maps), kept)


def _foldable(layer: Weighted, tensors: Tensors, new_biases: bool) -> bool:
    if layer.bias is None:
        return new_biases and np.issubdtype(np.asarray(tensors[layer.weight]).dtype, np.floating)
    return all(np.issubdtype(np.asarray(tensors[n]).dtype, np.floating) for n in (layer.weight, layer.bias))


def _per_output(layer: Weighted, delivered: Values, live: Units) -> tuple[Values, NDArray[np.bool_]]:
    """Return the constant each output gets, and where it is not the same at all live positions."""
    axis = -1 if isinstance(layer, Dense) else 0
    d = np.moveaxis(delivered, axis, 0).reshape(layer.outputs, -1)
    where = np.moveaxis(live, axis, 0).reshape(layer.outputs, -1)
    high = np.max(d, axis=1, where=where, initial=-np.inf)
    low = np.min(d, axis=1, where=where, initial=np.inf)
    some = where.any(axis=1)
    high, low = np.where(some, high, 0.0), np.where(some, low, 0.0)
    # sums taken in another order at another position may differ in their last bits; what is not known differs
    uneven = np.isnan(high - low) | (high - low > 1e-12 * np.maximum(np.abs(high), np.abs(low)))
    return (high + low) / 2, uneven


def _overflows(layer: Weighted, old: Values, delivered: Values, kind: np.dtype) -> NDArray[np.bool_]:
    """Tell for each output whether its bias, folded, would be infinite in its own type."""
    axis = -1 if isinstance(layer, Dense) else 0
    rows = np.moveaxis(delivered, axis, 0).reshape(layer.outputs, -1)
    spread = np.moveaxis(np.broadcast_to(along(old, delivered.shape, layer), delivered.shape), axis, 0)
    new = spread.reshape(layer.outputs, -1) + rows
    with np.errstate(over="ignore", invalid="ignore"):
        held = new.astype(kind)
    return (np.isfinite(new) & ~np.isfinite(held)).any(axis=1)


def _delivering(layer: Weighted, outputs: NDArray[np.bool_], constants: Values) -> NDArray[np.bool_]:
    """Mark the chosen outputs' weights whose input channel or feature holds a constant other than zero."""
    if isinstance(layer, Conv):
        emits = constants.reshape(layer.groups, -1, *constants.shape[1:]).any(
            axis=tuple(range(2, constants.ndim + 1))
        )
        rows = np.repeat(emits, layer.outputs // layer.groups, axis=0)
        marked = outputs[:, None] & rows
        return np.broadcast_to(marked.reshape(*marked.shape, *(1 for _ in layer.kernel)), layer.weight_shape)
    emits = constants.reshape(-1, constants.shape[-1]).any(axis=0)
    marked = outputs[:, None] & emits
    return marked.T if isinstance(layer, Dense) and layer.transposed else marked


def _old_bias(layer: Weighted, tensors: Tensors) -> tuple[Values, np.dtype]:
    if layer.bias is None:
        return np.zeros(layer.outputs), np.asarray(tensors[layer.weight]).dtype
    bias = np.asarray(tensors[layer.bias])
    return bias.astype(np.float64), bias.dtype


def _bias_users(network: Network) -> dict[str, int]:
    users: dict[str, int] = {}
    for _, layer in network.weighted():
        if layer.bias is not None:
            users[layer.bias] = users.get(layer.bias, 0) + 1
    return users


def _fresh_bias(network: Network, node: Node, taken: dict[str, NDArray]) -> str:
    name = f"{node.name}.bias"
    while name in network.parameters or name in network.weights or name in taken:
        name += "_folded"
    return name
