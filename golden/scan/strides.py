"""Strides that share no factor with the size of what they step through."""

from __future__ import annotations

import math

from xorweave.golden.base.bit_source import BitSource

GOLDEN_SECTION = (math.sqrt(5) - 1) / 2


def coprime_near(start: int, n: int) -> int:
    """Return the number nearest to `start` in 1 .. n-1 that shares no factor with n, the larger of two; else 1."""
    for step in range(n):
        for stride in (start + step, start - step):
            if 0 < stride < n and math.gcd(stride, n) == 1:
                return stride
    return 1


def golden_stride(n: int) -> int:
    """Return the stride near the golden section of n: any few steps of it lie evenly spread."""
    return coprime_near(round(n * GOLDEN_SECTION), n)


def candidate_strides(n: int, count: int, seed: int) -> list[int]:
    """Return up to `count` different strides coprime to n: 1, the golden section of n, and random ones."""
    if n < 3:
        return [1]
    source = BitSource(f"stride;{n};{seed}")
    strides = [1, golden_stride(n)]
    for _ in range(4 * count):
        if len(strides) >= count:
            break
        stride = coprime_near(1 + source.below(n - 1), n)
        if stride not in strides:
            strides.append(stride)
    return strides
