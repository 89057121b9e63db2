"""Pruning targets as people give them: a sparsity or a compression."""

from __future__ import annotations

import math

from xorweave.golden.base.errors import InputError


def target_sparsity(sparsity: float | None, compression: float | None) -> float:
    """Return the sparsity that one of the two stands for; compression = 1 / (1 - sparsity).

    Raises
    ------
    InputError
        Both or none is given, or one is out of range.
    """
    if (sparsity is None) == (compression is None):
        raise InputError("give one of --sparsity and --compression")
    if compression is not None:
        if not (math.isfinite(compression) and compression >= 1):
            raise InputError(f"--compression must be at least 1, not {compression}")
        return 1 - 1 / compression
    assert sparsity is not None
    if not 0 <= sparsity <= 1:
        raise InputError(f"--sparsity must lie between 0 and 1, not {sparsity}")
    return sparsity
