"""Whole models from the command line: killed and taken up, in parts, in processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
_TENSORS = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large enough that the run does not end between two looks."""
    rng = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("model") / "model.npz"
    np.savez(path, **{f"fc{i}": rng.standard_normal((192, 192), np.float32) for i in range(_TENSORS)})
    return path


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "xorweave.cli", *map(str, words)]


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


@pytest.fixture(scope="module")
def whole(model: Path) -> bytes:
    out = model.with_name("whole.safetensors")
    done = run("encode", model, "-o", out, "--dtype", "int8", "--sparsity", 0.9, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert not out.with_name("whole.safetensors.parts").exists()
    return out.read_bytes()


def test_a_killed_run_is_taken_up(model: Path, whole: bytes, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    words = ("encode", model, "-o", out, "--dtype", "int8", "--sparsity", 0.9, "--jobs", 1)
    started = subprocess.Popen(command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parts = tmp_path / "m.safetensors.parts"
    while len(list(parts.glob("*.part"))) < 2:
        assert started.poll() is None, "the run ended before it was killed"
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    assert not out.exists()
    time.sleep(0.5)  # the keeper ends what the killed process had started
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("*.part")}
    assert 2 <= len(kept) < _TENSORS
    resumed = run(*words, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert out.read_bytes() == whole
    assert not parts.exists()


def test_without_resume_a_run_begins_anew(model: Path, whole: bytes, tmp_path: Path) -> None:
    parts = tmp_path / "m.safetensors.parts"
    parts.mkdir()
    (parts / "0.part").write_bytes(b"old")
    out = tmp_path / "m.safetensors"
    assert run("encode", model, "-o", out, "--dtype", "int8", "--sparsity", 0.9).returncode == 0
    assert out.read_bytes() == whole
    assert not parts.exists()


def test_a_job_array_and_merge(model: Path, whole: bytes, tmp_path: Path) -> None:
    parts = [tmp_path / f"{task}.safetensors" for task in (5, 6, 7)]
    for task, part in zip((5, 6, 7), parts, strict=True):
        array = {
            "SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_COUNT": "3",
        }  # fmt: skip
        words = ("encode", model, "-o", part, "--dtype", "int8", "--sparsity", 0.9, "--shard", "slurm")
        done = run(*words, **array)
        assert done.returncode == 0, done.stderr
    out = tmp_path / "m.safetensors"
    assert run("merge", *parts, "-o", out).returncode == 0
    assert out.read_bytes() == whole
    missing = run("merge", *parts[1:], "-o", tmp_path / "n.safetensors")
    assert missing.returncode == 2 and "all 3 parts must be given: 1 missing" in missing.stderr
    assert not (tmp_path / "n.safetensors").exists()
    outside = run("encode", model, "-o", out, "--shard", "slurm")
    assert outside.returncode == 2 and "SLURM_ARRAY_TASK_ID" in outside.stderr
