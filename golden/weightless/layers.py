"""The Weightless procedure: layer after layer into a Bloomier filter, the later layers retrained (extra `train`).

Reagen et al., "Weightless" (ICML 2018), section 3: cluster a pruned layer, put (position -> cluster) into a filter,
read it back. What comes back has false positives: they are deterministic, so the layer is frozen with them and the
layers after it learn to live with it. Lossy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.network import Network
from xorweave.golden.weightless.clustering import cluster_weights
from xorweave.golden.weightless.filters import BAND, Filter, build_filter


@dataclass(frozen=True, eq=False)
class WeightlessLayer:
    """A layer in a filter.

    Attributes
    ----------
    table : Filter
    centroids : ndarray of float32
    weights : ndarray of float32
        What the filter gives back, in the layer's shape: centroids, false positives among them.
    false_positives : int
        Pruned weights that came back as a weight.
    """

    table: Filter
    centroids: NDArray[np.float32]
    weights: NDArray[np.float32]
    false_positives: int

    @property
    def bits(self) -> int:
        """Table, directory (of a band) and centroids (32 bits each)."""
        return self.table.bits + 32 * int(self.centroids.size)

    @property
    def bits_per_kept_weight(self) -> float:
        """Bits over the number of weights that were put in: near t * c, c the cells a key."""
        return self.bits / max(1, self.table.keys)

    @property
    def compression(self) -> float:
        """Dense FP32 bits over the bits stored."""
        return 32 * self.weights.size / self.bits


def store_layer(
    weights: NDArray[np.floating], *, t: int, clusters: int, k: int = 4, layout: str = BAND, seed: int = 0
) -> WeightlessLayer:
    """Put a pruned layer into a filter and read it back.

    Parameters
    ----------
    weights : ndarray of floats
        Zeros are pruned.
    t : int
        Bits of a cell; clusters / 2^t of the pruned weights come back as false positives.
    clusters : int
        At most 2^t - 1.
    k, layout, seed
        See ``build_filter``.

    Raises
    ------
    InputError
        The clusters do not fit, or a weight is not finite.
    """
    if not 1 <= clusters < 1 << t:
        raise InputError(f"clusters must be between 1 and 2^t - 1 = {(1 << t) - 1}, not {clusters}")
    flat = np.asarray(weights, np.float32).reshape(-1)
    positions = np.flatnonzero(flat)
    centroids, labels = cluster_weights(flat[positions], clusters)
    key_bits = max(1, (max(flat.size, 1) - 1).bit_length())
    table = build_filter(positions, labels, t=t, k=k, layout=layout, key_bits=key_bits, seed=seed)
    back, found = read_layer(table, centroids.astype(np.float32), np.shape(weights))
    return WeightlessLayer(
        table=table,
        centroids=centroids.astype(np.float32),
        weights=back,
        false_positives=found - int(positions.size),
    )


_POSITIONS = 1 << 22  # looked up at once


def read_layer(
    table: Filter, centroids: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], int]:
    """Decode a layer: look every position up; what answers no cluster is pruned.

    Returns
    -------
    (ndarray of float32, int)
        The weights in this shape, and how many positions answered a cluster, false positives among them.
    """
    back = np.zeros(math.prod(shape), np.float32)
    number = 0
    for start in range(0, back.size, _POSITIONS):
        answers = table.query(np.arange(start, min(start + _POSITIONS, back.size)))
        found = answers < centroids.size
        back[start : start + _POSITIONS][found] = centroids[answers[found]]
        number += int(found.sum())
    return back.reshape(shape), number


class StoredLayer(Protocol):
    """What a way to store a layer gives: the weights as they are read back, and the bits that it takes."""

    @property
    def weights(self) -> NDArray[np.float32]:
        """In the layer's shape."""

    @property
    def bits(self) -> int:
        """Everything that is stored."""


Store = Callable[[NDArray], StoredLayer]
Retrain = Callable[[dict[str, NDArray], Collection[str], int], Mapping[str, NDArray]]


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model whose layers went through the procedure.

    Attributes
    ----------
    layers : dict of str to StoredLayer
        In the order they were stored.
    tensors : dict of str to ndarray
        All tensors as they are used after the last step.
    """

    layers: dict[str, StoredLayer]
    tensors: dict[str, NDArray]


def tensors_after(network: Network, weight: str) -> list[str]:
    """Return the names of all tensors, biases and norms too, of the layers that read what a weight's layer gives.

    Layers before it, beside it, and its own bias are not among them.

    Raises
    ------
    InputError
        The network has no such weight.
    """
    if weight not in network.weights:
        raise InputError(f"the model must hold the layer {weight!r}; it holds {', '.join(network.weights)}")
    reached: set[str] = set()
    after: dict[str, None] = {}
    before: set[str] = set()
    for node in network.nodes.values():
        own = [*node.layer.weights, *node.layer.parameters]
        if reached.intersection(node.inputs):
            after.update(dict.fromkeys(own))
        else:
            before.update(own)
        if weight in own or reached.intersection(node.inputs):
            reached.add(node.name)
    # a tensor used before the layer, too, is not after it
    return [name for name in after if name not in before]


def store_model(
    network: Network,
    tensors: Mapping[str, NDArray],
    order: Sequence[str],
    store: Store,
    retrain: Retrain,
) -> StoredModel:
    """Store layers one after another; after each, only what comes after it in the network is retrained.

    Layers before the one just stored, stored layers and their biases stay as they are, bit for bit, whatever
    `retrain` gives back for them: their outputs are what the later layers learn to live with. Biases are not stored in
    the filter and not counted.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray
        A trained, pruned model.
    order : sequence of str
        Weights to store, first layer first.
    store : callable
        From a layer's weights to what is stored: `store_layer` with its options, or another lossy format beside it.
    retrain : callable
        ``retrain(tensors, free, step)`` returns the tensors after some epochs in which the names in `free` were
        trained, pruned weights staying pruned. It is not called when nothing comes after.

    Raises
    ------
    InputError
        The network has no such weight, or what `store` raises.
    """
    now = {name: np.array(value) for name, value in tensors.items()}
    done: set[str] = set()
    layers: dict[str, StoredLayer] = {}
    for step, name in enumerate(order):
        later = tensors_after(network, name)
        layers[name] = store(now[name])
        now[name] = layers[name].weights
        done.update(tensors_of_layer(network, name))
        free = [other for other in later if other not in done]
        if free:
            found = retrain(dict(now), free, step)
            now.update({other: np.array(found[other]) for other in free})
    return StoredModel(layers=layers, tensors=now)


def tensors_of_layer(network: Network, weight: str) -> set[str]:
    """Return a weight and the other tensors of the layers that use it: their biases."""
    owners = [node.layer for node in network.nodes.values() if weight in node.layer.weights]
    return {name for layer in owners for name in (*layer.weights, *layer.parameters)}
