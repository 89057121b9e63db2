"""`prune` finds the gradients of SNIP and GraSP itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.files.weight_files import read_weight_file
from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.training import flow_gradients, initial_tensors, loss_gradients

pytest.importorskip("torch", reason="PyTorch is not installed (extra train)")

NETWORK = perceptron((20, 12, 4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("prune")
    rng = np.random.default_rng(0)
    np.savez(where / "w.npz", **initial_tensors(NETWORK, 5))
    np.savez(
        where / "shown.npz", images=rng.integers(0, 256, (40, 4, 5), np.uint8), labels=rng.integers(0, 4, 40)
    )
    return where


def prune(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "xorweave.cli",
        "prune",
        folder / "w.npz",
        "-o",
        folder / "p.safetensors",
        *words,
    ]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True)


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_gradients_are_found_with_images(folder: Path, method: str) -> None:
    done = prune(
        folder, "--method", method, "--sparsity", 0.75, "--gradients", folder / "shown.npz", "--json"
    )
    assert done.returncode == 0, done.stderr
    shown = np.load(folder / "shown.npz")
    values = shown["images"].reshape(40, 20).astype(np.float32) / 255
    find = loss_gradients if method == "snip" else flow_gradients
    tensors = initial_tensors(NETWORK, 5)
    found = find(NETWORK, tensors, values, shown["labels"])
    scores = np.concatenate([(tensors[name] * found[name]).reshape(-1) for name in NETWORK.weights])
    scores = np.abs(scores) if method == "snip" else scores
    pruned = read_weight_file(folder / "p.safetensors")
    kept = np.concatenate([pruned.tensors[name].values.reshape(-1) != 0 for name in NETWORK.weights])
    assert kept.sum() == round(0.25 * scores.size)
    assert scores[kept].min() >= scores[~kept].max() - 1e-7
    assert json.loads(pruned.metadata["xorweave.prune"])["method"] == method


def test_rounds_score_what_is_left(folder: Path) -> None:
    words = ("--sparsity", 0.9, "--gradients", folder / "shown.npz")
    kept = []
    for method in ("snip", "snip:30"):
        assert prune(folder, "--method", method, *words).returncode == 0
        tensors = read_weight_file(folder / "p.safetensors").tensors
        kept.append(np.concatenate([tensors[name].values.reshape(-1) != 0 for name in NETWORK.weights]))
    assert kept[0].sum() == kept[1].sum()
    assert (kept[0] != kept[1]).any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--method", "magnitude", "--gradients", "shown.npz"),
            "gradients are for snip and grasp",
        ),
        (("--method", "snip:9", "--gradients", "w.npz"), "several rounds need the gradients of what is left"),
        (("--method", "snip"), "snip needs gradients of the loss, or images to find them with"),
    ],
)
def test_what_does_not_go_together_is_one_line(folder: Path, words: tuple[str, ...], message: str) -> None:
    words = tuple(str(folder / word) if word.endswith(".npz") else word for word in words)
    done = prune(folder, "--sparsity", 0.5, *words)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_layer_counts_of_snip_are_quotas(folder: Path) -> None:
    """Images serve a quota that needs gradients; the counts of each layer are SNIP's, the places are not."""
    words = ("--sparsity", 0.75, "--gradients", folder / "shown.npz", "--json")
    kept, masks = [], []
    for method in (("--method", "snip"), ("--method", "random", "--quota", "snip")):
        done = prune(folder, *method, *words)
        assert done.returncode == 0, done.stderr
        kept.append([layer["kept"] for layer in json.loads(done.stdout)["layers"]])
        tensors = read_weight_file(folder / "p.safetensors").tensors
        masks.append(tensors["fc1.weight"].values != 0)
    assert kept[0] == kept[1]
    assert (masks[0] != masks[1]).any()
