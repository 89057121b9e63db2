"""Where a sliding window reads: the arithmetic behind convolution and pooling, one kernel tap at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.layers import Conv, Pool, Shape

Index = tuple[slice | int, ...]


def padded_shape(layer: Conv | Pool, spatial: Shape, positions: Shape) -> Shape:
    """Return the padded spatial extent, long enough for a partial last window too."""
    return tuple(
        max(n + before + after, (count - 1) * s + d * (k - 1) + 1)
        for n, (before, after), count, s, d, k in zip(
            spatial, layer.padding, positions, layer.stride, layer.dilation, layer.kernel, strict=True
        )
    )


def inside(layer: Conv | Pool, spatial: Shape) -> tuple[slice, ...]:
    """Return the slices of the padded array that hold the input itself."""
    return tuple(slice(before, before + n) for n, (before, _) in zip(spatial, layer.padding, strict=True))


def taps(layer: Conv | Pool, positions: Shape) -> Iterator[tuple[Shape, tuple[slice, ...]]]:
    """Yield every kernel tap in row-major order: its index, and where it reads in the padded input."""
    for tap in product(*(range(k) for k in layer.kernel)):
        reads = tuple(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, layer.dilation, positions, layer.stride, strict=True)
        )
        yield tap, reads


def tap_columns(layer: Conv | Pool, x: NDArray, positions: Shape, fill: float = 0) -> NDArray:
    """Return what every tap reads at every window position; `fill` is what it reads beside the input.

    Parameters
    ----------
    x : ndarray, shape (*leading, *spatial)
        A view of it comes back where a window is one element.

    Returns
    -------
    ndarray, shape (*leading, taps, window positions)
        Taps and positions in row-major order.
    """
    lead = x.shape[: -len(positions)]
    before: Index = (slice(None),) * len(lead)
    spatial = x.shape[len(lead) :]
    if math.prod(layer.kernel) == 1 and spatial == positions and not any(map(any, layer.padding)):
        return x.reshape(*lead, 1, -1)
    extent = padded_shape(layer, spatial, positions)
    padded = x
    if extent != spatial:
        padded = np.full((*lead, *extent), fill, x.dtype)
        padded[(*before, *inside(layer, spatial))] = x
    found = np.empty((*lead, math.prod(layer.kernel), *positions), x.dtype)
    for number, (_, reads) in enumerate(taps(layer, positions)):
        found[(*before, number)] = padded[(*before, *reads)]
    return found.reshape(*lead, found.shape[len(lead)], -1)


def add_columns(layer: Conv | Pool, columns: NDArray, spatial: Shape, positions: Shape) -> NDArray:
    """Sum up, per input position, what every tap that reads it holds: the adjoint of `tap_columns`.

    Parameters
    ----------
    columns : ndarray, shape (*leading, taps, window positions)

    Returns
    -------
    ndarray, shape (*leading, *spatial)
    """
    lead = columns.shape[:-2]
    by_tap = columns.reshape(*lead, -1, *positions)
    total = np.zeros((*lead, *padded_shape(layer, spatial, positions)), columns.dtype)
    before: Index = (slice(None),) * len(lead)
    for number, (_, reads) in enumerate(taps(layer, positions)):
        total[(*before, *reads)] += by_tap[(*before, number)]
    return total[(*before, *inside(layer, spatial))]
