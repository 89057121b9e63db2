"""Where a sliding window reads: the index arrays behind convolution and pooling as arithmetic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.layers import Conv, Pool, Shape


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


def window_index(layer: Conv | Pool, spatial: Shape, positions: Shape) -> NDArray[np.intp]:
    """Return which flattened padded position each kernel tap reads at each window position.

    Returns
    -------
    ndarray of intp, shape (taps, window positions)
        Taps and positions in row-major order.
    """
    extent = padded_shape(layer, spatial, positions)
    index = np.zeros((1, 1), np.intp)
    for n, k, s, d, count in zip(extent, layer.kernel, layer.stride, layer.dilation, positions, strict=True):
        axis = np.arange(k)[:, None] * d + np.arange(count)[None, :] * s
        index = index[:, None, :, None] * n + axis[None, :, None, :]
        index = index.reshape(index.shape[0] * index.shape[1], -1)
    return index
