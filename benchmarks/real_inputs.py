"""The benchmarks' real inputs: in the folder named by XORWEAVE_DATA, or in ../shared/data beside the project."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from xorweave.golden.network.digits import Digits, load_digits

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
