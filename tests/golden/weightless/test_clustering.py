from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.clustering import cluster_weights


def test_lloyd_from_the_same_start_agrees_with_scikit_learn() -> None:
    cluster = pytest.importorskip("sklearn.cluster", reason="needs scikit-learn")
    values = np.random.default_rng(0).normal(size=4000)
    centroids, labels = cluster_weights(values, 12, iterations=300)
    start = np.sort(values)[((np.arange(12) + 0.5) / 12 * 4000).astype(int)]
    oracle = cluster.KMeans(12, init=start[:, None], n_init=1, max_iter=300, tol=0).fit(values[:, None])
    assert np.sort(oracle.cluster_centers_[:, 0]) == pytest.approx(centroids)
    assert ((values - centroids[labels]) ** 2).sum() == pytest.approx(oracle.inertia_)


def test_every_value_goes_to_its_nearest_centroid() -> None:
    values = np.random.default_rng(1).laplace(size=999)
    centroids, labels = cluster_weights(values, 9)
    assert np.array_equal(labels, np.abs(values[:, None] - centroids).argmin(axis=1))


def test_few_different_values_are_kept_exactly() -> None:
    centroids, labels = cluster_weights(np.array([3.0, -1.0, 3.0]), 16)
    assert centroids[labels].tolist() == [3.0, -1.0, 3.0]


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="weights must be finite to be clustered"):
        cluster_weights(np.array([1.0, np.nan]), 2)


def test_one_value_is_its_own_centroid_and_none_has_none() -> None:
    centroids, labels = cluster_weights(np.array([3.5]), 4)
    assert centroids.tolist() == [3.5] and labels.tolist() == [0]
    centroids, labels = cluster_weights(np.zeros(0), 4)
    assert centroids.size == labels.size == 0
