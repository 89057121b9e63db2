"""The handwritten digits that come with scikit-learn, in the size LeNet reads (needs the extra `train`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice


@dataclass(frozen=True, eq=False)
class Digits:
    """1,797 scanned digits (UCI, Alpaydin and Kaynak, 1998), split at random.

    Attributes
    ----------
    train_images, test_images : ndarray of float32, shape (n, 1, 28, 28), between 0 and 1
        The 8x8 images, every pixel repeated 3x3, with a margin of 2.
    train_labels, test_labels : ndarray of int64, shape (n,)
    """

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def load_digits(*, test_share: float = 0.25, seed: int = 0) -> Digits:
    """Load the digits and split them.

    Parameters
    ----------
    test_share : float
    seed : int
        Of the split.

    Raises
    ------
    InputError
        scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError:
        raise InputError(f"the digits need scikit-learn: {install_advice('train')}") from None
    images, labels = datasets.load_digits(return_X_y=True)
    small = (images.reshape(-1, 8, 8) / 16).astype(np.float32)
    large = np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))[:, None]
    order = np.random.default_rng(seed).permutation(len(labels))
    test, train = np.split(order, [round(test_share * len(labels))])
    labels = labels.astype(np.int64)
    return Digits(large[train], labels[train], large[test], labels[test])
