"""A small run of benchmarks/fuzz.py, files of version 1 among the mutated ones."""

from __future__ import annotations

import pytest

from benchmarks.fuzz import FUZZERS, fuzz_containers
from tests.golden.files.test_container_v1 import unpacked
from tests.golden.files.version_1_files import FILES


@pytest.mark.parametrize("what", FUZZERS)
def test_nothing_escapes_and_nothing_is_silently_wrong(what: str) -> None:
    found = FUZZERS[what](40, 7)
    assert set(found) <= {"equal", "same", "read", "refused", "SLOW"} and sum(found.values()) == 40


def test_nothing_escapes_from_files_of_version_1() -> None:
    """They have no checksums: what is decoded may be wrong, but no other error may come of it."""
    files = [tuple(map(unpacked, pair)) for pair in FILES.values()]
    found = fuzz_containers(150, 3, bases=1, more=lambda: files)
    assert set(found) <= {"same", "refused", "DIFFERENT", "SLOW"}
    assert found["refused"] > 0
