"""Masks of a single tensor: by magnitude, at random."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

# Bits of a float by which one pass sorts into classes.
_DIGIT = 16


def _kept(size: int, sparsity: float) -> int:
    if not (math.isfinite(sparsity) and 0.0 <= sparsity <= 1.0):
        raise InputError(f"sparsity must be between 0 and 1, not {sparsity}")
    return size - round(size * sparsity)


# The bits of a float without its sign, read as an integer, rise with its magnitude; those of a NaN are the highest.
@njit(cache=True, nogil=True)
def _mark_largest(bits, magnitude, kept, mask):  # type: ignore[no-untyped-def]
    # Returns the largest magnitude's bits. A radix selection, the highest digit first: `prefix` holds the digits of
    # the smallest magnitude kept that are known, `wanted` how many of those that share them are kept.
    counts = np.empty(1 << _DIGIT, np.int64)
    low = np.uint64((1 << _DIGIT) - 1)
    shift = np.uint64(8 * bits.itemsize)
    prefix = np.uint64(0)
    largest = np.uint64(0)
    wanted = kept
    while shift > 0:
        above = shift
        shift -= np.uint64(_DIGIT)
        counts[:] = 0
        if above == np.uint64(8 * bits.itemsize):
            for i in range(bits.size):
                key = np.uint64(bits[i] & magnitude)
                largest = max(largest, key)
                counts[np.int64(key >> shift)] += 1
        else:
            for i in range(bits.size):
                key = np.uint64(bits[i] & magnitude)
                if key >> above == prefix:
                    counts[np.int64((key >> shift) & low)] += 1
        digit = low
        while digit > 0 and counts[np.int64(digit)] < wanted:
            wanted -= counts[np.int64(digit)]
            digit -= np.uint64(1)
        prefix = prefix << np.uint64(_DIGIT) | digit
    smallest = bits.dtype.type(prefix)
    for i in range(bits.size):
        key = bits[i] & magnitude
        mask[i] = key > smallest
        if key == smallest and wanted > 0:
            mask[i] = True
            wanted -= 1
    return largest


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
    own = values.dtype.kind == "f" and values.dtype.itemsize <= 8
    flat = np.ascontiguousarray(values, values.dtype.newbyteorder("=") if own else np.float64).reshape(-1)
    bits = flat.view(f"u{flat.itemsize}")
    magnitude = bits.dtype.type((1 << (8 * flat.itemsize - 1)) - 1)
    mask = np.zeros(flat.size, bool)
    largest = _mark_largest(bits, magnitude, kept, mask)
    if largest > int(np.array(np.inf, flat.dtype).view(bits.dtype)):
        raise InputError("weights must be numbers to be pruned by magnitude, but there is a NaN")
    return mask.reshape(values.shape)


def random_mask(shape: tuple[int, ...], sparsity: float, seed: int = 0) -> NDArray[np.bool_]:
    """Keep weights at random: exactly ``size - round(size * sparsity)`` of them are True."""
    size = math.prod(shape)
    mask = np.zeros(size, bool)
    mask[: _kept(size, sparsity)] = True
    np.random.default_rng(seed).shuffle(mask)
    return mask.reshape(shape)
