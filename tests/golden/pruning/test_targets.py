"""Targets as people give them."""

from __future__ import annotations

import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.pruning.targets import target_sparsity


def test_targets() -> None:
    assert target_sparsity(0.9, None) == 0.9
    assert target_sparsity(None, 4) == 0.75


@pytest.mark.parametrize(
    ("sparsity", "compression", "message"),
    [
        (None, None, "give one of --sparsity and --compression"),
        (0.5, 2.0, "give one of --sparsity and --compression"),
        (90, None, "--sparsity must lie between 0 and 1, not 90"),
        (None, 0.5, "--compression must be at least 1, not 0.5"),
        (None, float("nan"), "--compression must be at least 1, not nan"),
    ],
)
def test_bad_targets_are_named(sparsity: float | None, compression: float | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        target_sparsity(sparsity, compression)
