"""The bound on sums: exactly where the worst order of adding up would leave 32 bits."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.sums import check_sums


def test_the_first_sum_that_does_not_fit_is_refused() -> None:
    weights = np.full((2, 1 << 17), -128, np.int8)
    weights[0] = 1
    activations = np.full((1, 1 << 17), -128, np.int8)
    with pytest.raises(
        InputError, match=r"weights of row 1 add up to 16777216 and activations reach 128: 2147483648"
    ):
        check_sums(weights, activations)
    check_sums(weights, np.full((1, 1 << 17), 127, np.int8))
    weights[1, 5] = 127
    check_sums(weights, activations)


def test_sums_that_cancel_at_the_end_are_refused_too() -> None:
    weights = np.full((1, 1 << 18), 127, np.int8)
    weights[0, 1::2] = -127
    with pytest.raises(InputError, match="fit 32 bits"):
        check_sums(weights, np.full(1 << 18, -128, np.int8))


def test_nothing_to_add_fits() -> None:
    check_sums(np.zeros((0, 4), np.int8), np.zeros((1, 4), np.int8))
    check_sums(np.zeros((4, 0), np.int8), np.zeros((1, 0), np.int8))
