"""What all tests share: where the real inputs lie, and how hypothesis works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Runs are repeatable by default; HYPOTHESIS_PROFILE=explore looks for new examples every time.
settings.register_profile("repeatable", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real inputs, or a visible skip."""
    folder = Path(os.environ.get("XORWEAVE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real inputs: {folder} is not there (set XORWEAVE_DATA)")
    return folder
