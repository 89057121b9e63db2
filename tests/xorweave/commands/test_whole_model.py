"""Whole models from the command line: killed and taken up, in parts, in processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import xorweave as xw
from xorweave.golden.base.errors import InputError

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


def test_several_sources_become_one_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    arrays = {name: rng.standard_normal((16, 40), np.float32) for name in ("fc0", "fc1", "fc2")}
    np.savez(tmp_path / "all.npz", **arrays)
    np.savez(tmp_path / "first.npz", fc0=arrays["fc0"], fc1=arrays["fc1"])
    np.save(tmp_path / "fc2.npy", arrays["fc2"])
    words = ("--dtype", "int8", "--sparsity", 0.8, "--force", "-o", tmp_path / "m.safetensors")
    assert run("encode", tmp_path / "all.npz", *words).returncode == 0
    one = xw.open(tmp_path / "m.safetensors")
    stored = {name: one.container.blob(name) for name in one}
    done = run("encode", tmp_path / "first.npz", tmp_path / "fc2.npy", *words)
    assert done.returncode == 0, done.stderr
    several = xw.open(tmp_path / "m.safetensors")
    assert {name: several.container.blob(name) for name in several} == stored
    assert several.container.info["source"] == "first.npz, fc2.npy"
    np.save(tmp_path / "fc1.npy", arrays["fc1"])
    again = run("encode", tmp_path / "first.npz", tmp_path / "fc1.npy", *words)
    assert again.returncode == 2
    assert "fc1.npy holds the tensor fc1, which" in again.stderr and again.stderr.count("\n") == 1
    own = run("encode", tmp_path / "all.npz", tmp_path / "m.safetensors", *words)
    assert own.returncode == 2  # a source is never replaced
    assert xw.open(tmp_path / "m.safetensors")["fc2"].shape == (16, 40)


def test_several_sources_travel_as_places_of_their_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(12, dtype=np.float32))
    np.save(tmp_path / "b.npy", np.ones((3, 5), np.float32))
    with ProcessPoolExecutor(1) as executor:
        made = xw.encode([tmp_path / "a.npy", tmp_path / "b.npy"], dtype="int8", executor=executor)
    assert np.array_equal(made["a"].decode(), 127 * np.eye(12))
    assert (made["b"].decode() == 127).all()
    with pytest.raises(InputError, match="a mask alone"):
        xw.encode([tmp_path / "a.npy", tmp_path / "b.smtx"])
