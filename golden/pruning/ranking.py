"""Rankings: one fixed order of all weights, of which the best so many are kept.

Masks cut from one ranking are nested, so that everything that follows from them changes monotonically with
the cut.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    parts : sequence of (ndarray of int or slice, ndarray)
        Positions in the concatenation of all flattened tensors, and their scores, which order the part; whatever is in
        an earlier part is better than what is in a later one.
    """

    def __init__(self, shapes: Shapes, parts: Sequence[tuple[NDArray[np.integer] | slice, NDArray]]) -> None:
        self.shapes = dict(shapes)
        self._parts = parts

    @classmethod
    def of(cls, shapes: Shapes, scores: Mapping[str, NDArray]) -> GlobalRanking:
        """Rank by score, highest first; equal scores in the order of their positions."""
        return cls(shapes, [(slice(None), joined(shapes, scores))])

    @property
    def total(self) -> int:
        """Number of weights there are."""
        return sum(scores.size for _, scores in self._parts)

    def masks(self, kept: int) -> Masks:
        """Return the masks that keep the best `kept` weights of the network."""
        flat = np.zeros(self.total, np.bool_)
        for places, scores in self._parts:
            flat[places] = highest(scores, kept)
            kept -= scores.size
        return split(self.shapes, flat)


class LayerRanking:
    """An order within each layer; a quota says how many of each layer are kept."""

    def __init__(self, shapes: Shapes, scores: Mapping[str, NDArray], quota: Quota) -> None:
        self.shapes = dict(shapes)
        self.quota = quota
        self._scores = {name: _scores(scores, name, shape) for name, shape in shapes.items()}

    @property
    def total(self) -> int:
        """Number of weights there are."""
        return sum(scores.size for scores in self._scores.values())

    def masks(self, kept: int) -> Masks:
        """Return the masks that keep the best weights of each layer, `kept` in all."""
        counts = self.quota(self.shapes, kept)
        return {
            name: highest(scores.reshape(-1), counts[name]).reshape(scores.shape)
            for name, scores in self._scores.items()
        }


def highest(scores: NDArray, count: int) -> NDArray[np.bool_]:
    """Mark the `count` highest of a vector of scores; of equal ones the first.

    Takes time linear in the scores: to sort the weights of a large network takes longer than to score them.
    """
    if count <= 0 or count >= scores.size:
        return np.full(scores.size, count > 0)
    least = np.partition(scores, scores.size - count)[scores.size - count]
    marked = scores > least
    equal = np.flatnonzero(scores == least)
    marked[equal[: count - np.count_nonzero(marked)]] = True
    return marked


def joined(shapes: Shapes, scores: Mapping[str, NDArray], masks: Masks | None = None) -> NDArray:
    """Return all scores, or those of the kept weights, as one vector, layer after layer; refuse what is no score."""
    parts = {name: _scores(scores, name, shape) for name, shape in shapes.items()}
    return np.concatenate(
        [part.reshape(-1) if masks is None else part[masks[name]] for name, part in parts.items()]
    )


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
