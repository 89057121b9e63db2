"""The Weightless procedure: layer after layer into a Bloomier filter, the later layers retrained (extra `train`).

Reagen et al., "Weightless" (ICML 2018), section 3: cluster a pruned layer, put (position -> cluster) into a filter,
read it back. What comes back has false positives: they are deterministic, so the layer is frozen with them and the
layers after it learn to live with it. Lossy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.golden.weightless.clustering import cluster_weights


@dataclass(frozen=True, eq=False)
class WeightlessLayer:
    """A layer in a filter.

    Attributes
    ----------
    table : Bloomier
    centroids : ndarray of float32
    weights : ndarray of float32
        What the filter gives back, in the layer's shape: centroids, false positives among them.
    false_positives : int
        Pruned weights that came back as a weight.
    """

    table: Bloomier
    centroids: NDArray[np.float32]
    weights: NDArray[np.float32]
    false_positives: int

    @property
    def bits(self) -> int:
        """Table and centroids (32 bits each)."""
        return self.table.bits + 32 * int(self.centroids.size)

    @property
    def bits_per_kept_weight(self) -> float:
        """Bits over the number of weights that were put in: near t * c."""
        return self.bits / max(1, self.table.keys)

    @property
    def compression(self) -> float:
        """Dense FP32 bits over the bits stored."""
        return 32 * self.weights.size / self.bits


def store_layer(
    weights: NDArray[np.floating], *, t: int, clusters: int, k: int = 4, layout: str = "fuse", seed: int = 0
) -> WeightlessLayer:
    """Put a pruned layer into a Bloomier filter and read it back.

    Parameters
    ----------
    weights : ndarray of floats
        Zeros are pruned.
    t : int
        Bits of a cell; clusters / 2^t of the pruned weights come back as false positives.
    clusters : int
        At most 2^t - 1.
    k, layout, seed
        See ``Bloomier.build``.

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
    table = Bloomier.build(positions, labels, t=t, k=k, layout=layout, key_bits=key_bits, seed=seed)
    answers = table.query(np.arange(flat.size))
    found = answers < centroids.size
    back = np.zeros(flat.size, np.float32)
    back[found] = centroids[answers[found]]
    return WeightlessLayer(
        table=table,
        centroids=centroids.astype(np.float32),
        weights=back.reshape(np.shape(weights)),
        false_positives=int(found.sum()) - int(positions.size),
    )


Retrain = Callable[[dict[str, NDArray], Mapping[str, NDArray], int], dict[str, NDArray]]


@dataclass(frozen=True, eq=False)
class WeightlessModel:
    """A model whose layers went through the procedure.

    Attributes
    ----------
    layers : dict of str to WeightlessLayer
        In the order they were stored.
    tensors : dict of str to ndarray
        All tensors as they are used after the last step.
    """

    layers: dict[str, WeightlessLayer]
    tensors: dict[str, NDArray]


def store_model(
    tensors: Mapping[str, NDArray],
    order: Sequence[str],
    retrain: Retrain,
    *,
    t: int,
    clusters: int,
    k: int = 4,
    layout: str = "fuse",
    seed: int = 0,
) -> WeightlessModel:
    """Store layers one after another, retraining what is not stored yet after each.

    Parameters
    ----------
    tensors : mapping of str to ndarray
        A trained, pruned model.
    order : sequence of str
        Weights to store, first layer first.
    retrain : callable
        ``retrain(tensors, frozen, step)`` returns the tensors after some epochs in which the names in `frozen`
        keep their values and pruned weights of the others stay pruned.
    t, clusters, k, layout, seed
        See `store_layer`.
    """
    now = {name: np.array(value) for name, value in tensors.items()}
    frozen: dict[str, NDArray] = {}
    layers: dict[str, WeightlessLayer] = {}
    for step, name in enumerate(order):
        if name not in now:
            raise InputError(f"the model must hold the layer {name!r}; it holds {', '.join(now)}")
        layers[name] = store_layer(now[name], t=t, clusters=clusters, k=k, layout=layout, seed=seed)
        frozen[name] = layers[name].weights
        now[name] = layers[name].weights
        now = retrain(now, frozen, step)
        now.update(frozen)
    return WeightlessModel(layers=layers, tensors=now)
