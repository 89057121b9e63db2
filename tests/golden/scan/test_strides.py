from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.scan.strides import candidate_strides, coprime_near, golden_stride


@given(st.integers(-3, 400), st.integers(1, 300))
def test_nothing_coprime_is_nearer(start: int, n: int) -> None:
    found = coprime_near(start, n)
    coprime = [s for s in range(1, n) if math.gcd(s, n) == 1]
    if any(abs(s - start) < n for s in coprime):
        assert found in coprime
        assert all((abs(found - start), -found) <= (abs(s - start), -s) for s in coprime)
    else:
        assert found == 1


def test_golden_strides_are_frozen() -> None:
    assert [golden_stride(n) for n in (1, 2, 3, 7, 64, 1000, 147456)] == [1, 1, 2, 4, 41, 619, 91133]


@given(st.integers(1, 10**7), st.integers(1, 30), st.integers(0, 99))
def test_strides_are_coprime_different_and_repeatable(n: int, count: int, seed: int) -> None:
    strides = candidate_strides(n, count, seed)
    assert strides[0] == 1 and len(strides) <= max(2, count)
    if n >= 3:
        assert all(1 <= s < n and math.gcd(s, n) == 1 for s in strides)
    assert strides == candidate_strides(n, count, seed)
