"""Decoding in threads: the same tensors, in the same order, and the same line for the same damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.restore import for_each


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    rng = np.random.default_rng(6)
    sizes = {"small": 12, "large": 60, "middle": 33}
    weights = {name: rng.standard_normal((size, 40), np.float32) for name, size in sizes.items()}
    xw.encode(weights, dtype="int8", sparsity=0.8).save(tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def test_jobs_change_nothing(stored: Path, tmp_path: Path) -> None:
    one = xw.open(stored).decode()
    several = xw.open(stored).decode(jobs=3)
    assert list(one) == list(several)
    assert all(np.array_equal(one[name], several[name]) for name in one)
    shares: list[float] = []
    xw.open(stored).write_decoded(tmp_path / "a.safetensors")
    xw.open(stored).write_decoded(tmp_path / "b.safetensors", jobs=2, progress=shares.append)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) == 3
    assert xw.verify(stored, jobs=2) == xw.verify(stored)


def test_of_two_damaged_tensors_the_first_is_named(stored: Path) -> None:
    whole = bytearray(stored.read_bytes())
    opened = xw.open(stored)
    first, *_, last = opened
    for name in (first, last):
        blob = opened.container.blob(name)
        at = whole.index(blob)
        assert at > 0
        whole[at + len(blob) // 2] ^= 16
    del opened
    stored.write_bytes(whole)
    for jobs in (1, 3):
        with pytest.raises(InputError, match=f"tensor {first}"):
            xw.open(stored).decode(jobs=jobs)
        with pytest.raises(InputError, match=f"tensor {first}"):
            xw.verify(stored, jobs=jobs)


def test_the_largest_begin_and_the_order_stays() -> None:
    begun: list[str] = []

    def what(name: str) -> str:
        begun.append(name)
        return name.upper()

    assert list(for_each({"a": 1, "b": 9, "c": 4}, what)) == [("a", "A"), ("b", "B"), ("c", "C")]
    assert begun == ["b", "c", "a"]
    assert list(for_each({}, what, jobs=2)) == []
    with pytest.raises(InputError, match="jobs must be at least 1, not 0"):
        list(for_each({"a": 1}, what, jobs=0))
