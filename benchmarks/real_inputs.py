"""The benchmarks' real inputs: in the folder named by XORWEAVE_DATA, or in ../shared/data beside the project."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.digits import Digits, load_digits
from xorweave.golden.network.network import Network

IMAGES = ("digits", "mnist")


def data_folder() -> Path:
    """Return the folder, or stop with a line that says where it is looked for."""
    here = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not here.is_dir():
        sys.exit(f"there is no folder {here}; set XORWEAVE_DATA to the real masks and weights")
    return here


def load_images(name: str) -> Digits:
    """Return scikit-learn's digits, or 10,000 images of MNIST: 8,000 drawn at random to train on, the others to test.

    The file holds the images digit by digit: its first 8,000 would hold no 8 and no 9.
    """
    if name == "digits":
        return load_digits()
    with np.load(data_folder() / "mnist" / "mnist10k.npz") as archive:
        images = (archive["images"][:, None] / 255).astype(np.float32)
        labels = archive["labels"].astype(np.int64)
    train, test = np.split(np.random.default_rng(0).permutation(len(labels)), [8000])
    return Digits(images[train], labels[train], images[test], labels[test])


def images_for(
    network: Network, data: str, count: int | None, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images of a network's input size, to find gradients with, and their labels; the first `count`.

    Parameters
    ----------
    data : str
        digits or mnist: training images, in a margin of zeros if the input is larger, the same in every channel;
        made: noise whose amplitude falls with the frequency, as that of photographs does, of mean 0 and variance 1;
        labels drawn alike from all classes.
    count : int, optional
        All there are by default; of those that are made, 100.
    seed : int
        Of what is made.
    """
    nodes = list(network.nodes.values())
    shape = nodes[0].shape
    if data == "made":
        rng = np.random.default_rng(seed)
        many = count or 100
        classes = network.nodes[network.outputs[0]].shape[-1]
        return _noise(rng, (many, *shape)), rng.integers(0, classes, many)
    found = load_images(data)
    images, labels = found.train_images[:count], found.train_labels[:count]
    if len(shape) == 3:
        margin = (shape[1] - images.shape[2]) // 2
        images = np.pad(images, ((0, 0), (0, 0), (margin,) * 2, (margin,) * 2)).repeat(shape[0], axis=1)
    return images, labels


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Draw images of noise, amplitude 1 / frequency, every channel of mean 0 and variance 1."""
    rows, columns = shape[-2:]
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None, :])
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / np.maximum(frequency, 1 / max(rows, columns))
    spectrum[..., 0, 0] = 0
    images = np.fft.irfft2(spectrum, s=(rows, columns))
    return (images / images.std(axis=(-2, -1), keepdims=True)).astype(np.float32)
