"""Rankings: one fixed order of all weights, of which the best so many are kept.

Masks cut from one ranking are nested, so that everything that follows from them changes monotonically with
the cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.layers import Shape
from xorweave.golden.network.network import Masks
from xorweave.golden.pruning.quotas import Quota, Shapes


class Ranking(Protocol):
    """An order of all weights of a network."""

    @property
    def total(self) -> int:
        """Number of weights there are."""

    def masks(self, kept: int) -> Masks:
        """Return the masks that keep the best `kept` weights."""


class GlobalRanking:
    """One order over all layers together.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        The weight tensors, front to back.
    order : ndarray of int, shape (total,)
        Positions in the concatenation of all flattened tensors, best first.
    """

    def __init__(self, shapes: Shapes, order: NDArray[np.integer]) -> None:
        self.shapes = dict(shapes)
        self.order = order

    @classmethod
    def of(cls, shapes: Shapes, scores: Mapping[str, NDArray]) -> GlobalRanking:
        """Rank by score, highest first; equal scores in the order of their positions."""
        return cls(shapes, np.argsort(-joined(shapes, scores), kind="stable"))

    @property
    def total(self) -> int:
        """Number of weights there are."""
        return int(self.order.size)

    def masks(self, kept: int) -> Masks:
        """Return the masks that keep the best `kept` weights of the network."""
        flat = np.zeros(self.order.size, np.bool_)
        flat[self.order[:kept]] = True
        return split(self.shapes, flat)


class LayerRanking:
    """An order within each layer; a quota says how many of each layer are kept."""

    def __init__(self, shapes: Shapes, scores: Mapping[str, NDArray], quota: Quota) -> None:
        self.shapes = dict(shapes)
        self.quota = quota
        self._orders = {
            name: np.argsort(-_scores(scores, name, shape).reshape(-1), kind="stable")
            for name, shape in shapes.items()
        }

    @property
    def total(self) -> int:
        """Number of weights there are."""
        return sum(order.size for order in self._orders.values())

    def masks(self, kept: int) -> Masks:
        """Return the masks that keep the best weights of each layer, `kept` in all."""
        counts = self.quota(self.shapes, kept)
        masks: Masks = {}
        for name, shape in self.shapes.items():
            flat = np.zeros(math.prod(shape), np.bool_)
            flat[self._orders[name][: counts[name]]] = True
            masks[name] = flat.reshape(shape)
        return masks


def joined(shapes: Shapes, scores: Mapping[str, NDArray]) -> NDArray:
    """Return all scores as one vector, layer after layer; refuse what is no score."""
    return np.concatenate([_scores(scores, name, shape).reshape(-1) for name, shape in shapes.items()])


def split(shapes: Shapes, flat: NDArray) -> dict[str, NDArray]:
    """Cut a concatenation of flattened tensors into tensors: the inverse of joining them front to back."""
    parts: dict[str, NDArray] = {}
    start = 0
    for name, shape in shapes.items():
        stop = start + math.prod(shape)
        parts[name] = flat[start:stop].reshape(shape)
        start = stop
    return parts


def _scores(scores: Mapping[str, NDArray], name: str, shape: Shape) -> NDArray:
    if name not in scores:
        raise InputError(f"there must be a score for every weight tensor, but {name} has none")
    if scores[name].shape != shape:
        raise InputError(f"the scores of {name} must have shape {shape}, not {scores[name].shape}")
    if np.isnan(scores[name]).any():
        raise InputError(f"the scores of {name} must be numbers, but some are NaN")
    return scores[name]
