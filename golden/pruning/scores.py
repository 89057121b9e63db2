"""Scores of single weights: the higher, the more worth keeping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

Scores = dict[str, NDArray]


def magnitude(tensors: Mapping[str, NDArray], names: Iterable[str]) -> Scores:
    """Score |w| (Han, Pool, Tran, Dally, NeurIPS 2015), for the named tensors."""
    return {name: np.abs(_number(tensors, name)) for name in names}


def lamp(tensors: Mapping[str, NDArray], names: Iterable[str]) -> Scores:
    """Score w^2 over the sum of v^2 of all weights v of the layer with |v| >= |w|.

    Lee, Park, Mo, Ahn, Shin, "Layer-adaptive sparsity for the magnitude-based pruning", ICLR 2021, equation
    2. The largest weight of every layer scores 1, so a global cut never empties a layer before the others.
    """
    scores: Scores = {}
    for name in names:
        values = np.abs(_number(tensors, name).astype(np.float64)).reshape(-1)
        # the score does not change with the scale, and squares at the ends of the range would
        squares = np.square(values / max(values.max(initial=0.0), np.finfo(np.float64).tiny))
        ascending = np.sort(squares)
        from_here_up = np.cumsum(ascending[::-1])[::-1]
        first_equal = np.searchsorted(ascending, squares, side="left")
        sums = from_here_up[first_equal]
        scores[name] = np.divide(squares, sums, out=np.zeros_like(squares), where=sums > 0).reshape(
            tensors[name].shape
        )
    return scores


def snip(tensors: Mapping[str, NDArray], gradients: Mapping[str, NDArray], names: Iterable[str]) -> Scores:
    """Score |g w|, g the gradient of the loss at the dense network.

    Lee, Ajanthan, Torr, "SNIP: Single-shot network pruning based on connection sensitivity", ICLR 2019,
    equation 5 (without the division by the sum, which changes no order).
    """
    return {
        name: np.abs(_number(tensors, name).astype(np.float64) * _number(gradients, name)) for name in names
    }


def grasp(tensors: Mapping[str, NDArray], curvatures: Mapping[str, NDArray], names: Iterable[str]) -> Scores:
    """Score w (H g), H and g the Hessian and the gradient of the loss: what keeping w adds to the flow of gradients.

    Wang, Zhang, Grosse, "Picking winning tickets before training by preserving gradient flow", ICLR 2020, equation 8
    with the sign turned round: they remove what scores highest, here the highest is kept.
    """
    return {name: _number(tensors, name).astype(np.float64) * _number(curvatures, name) for name in names}


def _number(tensors: Mapping[str, NDArray], name: str) -> NDArray[np.floating]:
    """Return a tensor as floats, in which -128 has a magnitude and 255 a negative."""
    if name not in tensors:
        raise InputError(f"the tensor {name} must be given to be scored, but is missing")
    tensor = np.asarray(tensors[name])
    if tensor.dtype.kind == "c":
        raise InputError(f"the tensor {name} must hold real numbers to be scored, but holds {tensor.dtype}")
    return tensor if tensor.dtype.kind == "f" else tensor.astype(np.float64)
