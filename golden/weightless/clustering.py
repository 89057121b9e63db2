"""One-dimensional k-means of weights, seeded by their density."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError


def cluster_weights(
    values: NDArray[np.floating], clusters: int, *, iterations: int = 100
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Cluster weights by Lloyd's k-means, started at equal steps of their cumulative distribution.

    Density-based seeding puts as many weights between neighbouring centroids at the start (Han et al., "Deep
    Compression", section 3.2; used by Weightless). The result depends on the values alone, not on a seed.

    Parameters
    ----------
    values : ndarray of floats, shape (n,)
    clusters : int
        Largest number of clusters; fewer come back where the values have fewer different ones.
    iterations : int
        Most rounds; it stops sooner when nothing moves.

    Returns
    -------
    centroids : ndarray of float64, shape (c,), c <= clusters, rising
    labels : ndarray of int64, shape (n,)
        Index of each value's nearest centroid.

    Raises
    ------
    InputError
        A value is not finite, or `clusters` is not positive.
    """
    if clusters < 1:
        raise InputError(f"the number of clusters must be at least 1, not {clusters}")
    flat = np.asarray(values, np.float64).reshape(-1)
    if flat.size == 0:
        return np.zeros(0), np.zeros(0, np.int64)
    if not np.isfinite(flat).all():
        raise InputError("weights must be finite to be clustered")
    ordered = np.sort(flat)
    sums = np.concatenate(([0.0], np.cumsum(ordered)))
    distinct = np.unique(ordered)
    if distinct.size <= clusters:
        centroids = distinct
    else:
        quantiles = (np.arange(clusters) + 0.5) / clusters
        centroids = np.unique(ordered[(quantiles * ordered.size).astype(np.int64)])
        for _ in range(iterations):
            cuts = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
            edges = np.concatenate(([0], cuts, [ordered.size]))
            counts = np.diff(edges)
            filled = counts > 0
            moved = np.diff(sums[edges])[filled] / counts[filled]
            if moved.size == centroids.size and np.array_equal(moved, centroids):
                break
            centroids = moved
    labels = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, flat)
    return centroids, labels.astype(np.int64)
