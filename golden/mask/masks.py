"""Masks of a single tensor: from its zeros, by magnitude, at random."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError


def _kept(size: int, sparsity: float) -> int:
    if not (math.isfinite(sparsity) and 0.0 <= sparsity <= 1.0):
        raise InputError(f"sparsity must be between 0 and 1, not {sparsity}")
    return size - round(size * sparsity)


def magnitude_mask(values: NDArray, sparsity: float) -> NDArray[np.bool_]:
    """Keep the weights of largest magnitude.

    Parameters
    ----------
    values : ndarray of real numbers, any shape
    sparsity : float
        Share of weights to prune, 0 to 1; rounded to a whole number of weights.

    Returns
    -------
    ndarray of bool, same shape
        True = kept. Exactly ``size - round(size * sparsity)`` are kept; among equals the first stay.

    Raises
    ------
    InputError
        The sparsity is out of range, or a weight is not a number.
    """
    kept = _kept(values.size, sparsity)
    flat = np.abs(values.reshape(-1).astype(np.float64))
    if np.isnan(flat).any():
        raise InputError("weights must be numbers to be pruned by magnitude, but there is a NaN")
    mask = np.zeros(flat.size, bool)
    mask[np.argsort(-flat, kind="stable")[:kept]] = True
    return mask.reshape(values.shape)


def random_mask(shape: tuple[int, ...], sparsity: float, seed: int = 0) -> NDArray[np.bool_]:
    """Keep weights at random: exactly ``size - round(size * sparsity)`` of them are True."""
    size = math.prod(shape)
    mask = np.zeros(size, bool)
    mask[: _kept(size, sparsity)] = True
    np.random.default_rng(seed).shuffle(mask)
    return mask.reshape(shape)
