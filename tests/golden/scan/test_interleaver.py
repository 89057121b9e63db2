from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.interleaver import Interleaver


def test_every_interleaver_of_small_tensors_visits_each_element_once() -> None:
    for n in range(2, 25):
        for stride in range(1, n):
            for offset in range(n):
                if math.gcd(stride, n) != 1:
                    continue
                order = [(offset + i * stride) % n for i in range(n)]
                assert sorted(order) == list(range(n))
                assert Interleaver(n, stride, offset).positions().tolist() == order


@given(st.integers(2, 2_999_999_999), st.integers(1, 2**32), st.integers(0, 2**32), st.integers(0, 2**32))
def test_positions_of_large_tensors_do_not_overflow(n: int, stride: int, offset: int, start: int) -> None:
    stride, offset, start = 1 + stride % (n - 1), offset % n, start % n
    assume(math.gcd(stride, n) == 1)
    stop = min(n, start + 5)
    expected = [(offset + i * stride) % n for i in range(start, stop)]
    scan = Interleaver(n, stride, offset)
    assert scan.positions(start, stop).tolist() == expected
    assert scan.places(np.array(expected)).tolist() == list(range(start, stop))


def test_the_last_steps_of_the_largest_scan_do_not_overflow() -> None:
    n = 2_999_999_999
    scan = Interleaver(n, n - 1, n - 1)
    # the product i * stride is largest at the end of a scan walked in one go; a part stands for it
    assert scan.positions(n - 3, n).tolist() == [(n - 1 + i * (n - 1)) % n for i in range(n - 3, n)]


@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60))
def test_scan_there_and_back(n: int, stride: int, offset: int) -> None:
    if n > 1:
        stride, offset = 1 + stride % (n - 1), offset % n
        assume(math.gcd(stride, n) == 1)
    else:
        stride, offset = 1, 0
    scan = Interleaver(n, stride, offset)
    flat = np.arange(100, 100 + n, dtype=np.uint16)
    scanned = scan.to_scan(flat)
    assert scanned.tolist() == [100 + (offset + i * stride) % n for i in range(n)]
    assert np.array_equal(scan.from_scan(scanned), flat)
    assert scan.is_identity == np.array_equal(scanned, flat)


def test_parts_of_a_scan_join_to_the_whole() -> None:
    scan = Interleaver(101, 62, 17)
    parts = [scan.positions(a, min(a + 8, 101)) for a in range(0, 101, 8)]
    assert np.array_equal(np.concatenate(parts), scan.positions())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((-1,), "a tensor's size must not be negative, but is -1"),
        ((10, 4), "the stride must share no factor with n = 10, but 4 does"),
        ((10, 0), "the stride must share no factor with n = 10, but 0 does"),
        ((10, 11), "stride and offset must lie in 1 .. 9 and 0 .. 9, not 11 and 0"),
        ((10, -3), "stride and offset must lie in 1 .. 9 and 0 .. 9, not -3 and 0"),
        ((10, 3, 10), "stride and offset must lie in 1 .. 9 and 0 .. 9, not 3 and 10"),
        ((10, 3, -1), "stride and offset must lie in 1 .. 9 and 0 .. 9, not 3 and -1"),
    ],
)
def test_what_is_no_scan_is_refused(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Interleaver(*arguments)
    assert str(caught.value) == message


def test_a_tensor_beyond_the_arithmetic_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        Interleaver(3_000_000_000, 7).positions(0, 5)
    assert str(caught.value) == "a tensor must have fewer than 3e9 elements for its positions to be listed"


def test_nothing_has_no_positions() -> None:
    assert Interleaver(0).positions().tolist() == []
