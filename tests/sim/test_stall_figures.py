"""Baseline decoders in simulation, on a real mask where the data are at hand: right, and as slow as they must be."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import read_smtx
from xorweave.hw.rivals.baseline_vectors import relative_entries
from xorweave.sim.stall_figures import measure_stalls

DATA = Path(os.environ.get("XORWEAVE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
MASK = DATA / "dlmc" / "rn50" / "magnitude_pruning" / "0.9" / "initial_conv.smtx"


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    if not MASK.exists():
        pytest.skip(f"the DLMC masks are not there ({MASK.name} in $XORWEAVE_DATA)")
    return read_smtx(MASK).reshape(-1)


def _words(size: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 16, size).astype(np.uint8)


def test_relative_index_stalls_where_entries_crowd(mask: np.ndarray) -> None:
    n_out, lanes = 20, 3
    words = _words(mask.size)
    figures = measure_stalls(words, mask, decoder="relative-index", n_out=n_out, n_w=4, lanes=lanes)
    assert figures.result.mismatches == 0
    # no decoder that takes `lanes` entries a cycle can be faster than this
    entries = relative_entries(np.where(mask, words, 0), mask)
    at = np.cumsum([(entry & 15) + 1 for entry in entries]) - 1
    counts = np.bincount(at // n_out, minlength=-(-mask.size // n_out))
    least = int(np.maximum(1, -(-counts // lanes)).sum())
    assert figures.result.cycles >= least > figures.result.blocks
    assert figures.result.stall_cycles > 0
    assert 0 < figures.stall_share < 1


def test_bad_input() -> None:
    words = _words(10)
    with pytest.raises(InputError, match="must be one of relative-index, bitmap, not 'zip'"):
        measure_stalls(words, words > 3, decoder="zip", n_out=2, n_w=4, lanes=1)
    with pytest.raises(InputError, match="of one shape"):
        measure_stalls(words, words[:5] > 3, decoder="bitmap", n_out=2, n_w=4, lanes=1)
