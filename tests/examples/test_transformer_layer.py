"""The linear maps of a small Transformer layer through one engine, by the example's command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from xorweave.sim.simulators import available

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "transformer_layer.py"
WIDTH, WIDE, WORDS = 24, 48, 14524


def _run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE), *map(str, words)], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    tensors = {
        f"embeddings.{name}_embeddings.weight": rng.standard_normal((count, WIDTH)).astype(np.float32)
        for name, count in (("word", WORDS), ("position", 16), ("token_type", 2))
    }
    shapes = {"intermediate.dense": (WIDE, WIDTH), "output.dense": (WIDTH, WIDE)}
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        shapes[f"attention.{name}"] = (WIDTH, WIDTH)
    prefixes = ["encoder.layer.0."]
    for prefix in prefixes:
        for name, shape in shapes.items():
            tensors[f"{prefix}{name}.weight"] = rng.standard_normal(shape).astype(np.float32) / 5
            tensors[f"{prefix}{name}.bias"] = rng.standard_normal(shape[0]).astype(np.float32) / 9
    norms = ["embeddings.", *(f"{p}{of}" for p in prefixes for of in ("attention.output.", "output."))]
    for name in norms:
        tensors[f"{name}LayerNorm.weight"] = np.ones(WIDTH, np.float32)
        tensors[f"{name}LayerNorm.bias"] = np.zeros(WIDTH, np.float32)
    path = tmp_path_factory.mktemp("bert") / "model.safetensors"
    save_file(tensors, path)
    return path


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
def test_every_map_of_the_layer(model: Path, tmp_path: Path) -> None:
    done = _run(
        model, "--tokens", 3, "--lanes", 8, "--batch", 2, "--sparsity", 0.8, "--engine", tmp_path / "e"
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1:-1] for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert [row[1].strip() for row in rows] == ["24 x 24"] * 4 + ["48 x 24", "24 x 48"]
    assert all(79 <= float(row[2].strip(" %")) < 90 for row in rows)
    # eight bits: a few percent of the outcome, and not nothing
    assert all(0.1 < float(row[4].strip(" %")) < 12 for row in rows)
    assert re.search(r"3 tokens, 2 at a time, .* 0 stall cycles, 0 mismatches", done.stdout)
    assert (tmp_path / "e" / "manifest.json").is_file()


def test_what_is_no_such_model(model: Path, tmp_path: Path) -> None:
    save_file({"weight": np.ones((2, 2), np.float32)}, tmp_path / "other.safetensors")
    for words, said in (
        ((tmp_path / "other.safetensors",), "must be a BERT with a layer 0"),
        ((model, "--layer", 1), "must be a BERT with a layer 1"),
        ((model, "--tokens", 12), "the tokens must be between 1 and 11, not 12"),
    ):
        done = _run(*words)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
