"""Logic of codewords, by all their values."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.hw.stages.class_logic import products


@pytest.mark.parametrize("bits", [0, 1, 3, 6])
def test_products_cover_what_must_be_and_nothing_that_must_not(bits: int) -> None:
    rng = np.random.default_rng(bits)
    for _ in range(40):
        draw = rng.integers(3, size=1 << bits)
        ones, open_ = draw == 1, draw == 2
        cubes = products(ones, open_)
        covered = [
            [all(bool(value >> bit & 1) == wanted for bit, wanted in cube) for value in range(draw.size)]
            for cube in cubes
        ]
        total = np.any(np.array(covered, bool).reshape(len(cubes), draw.size), axis=0)
        assert (total[~open_] == ones[~open_]).all()
        # irredundant: each is alone somewhere where there must be a one
        for number in range(len(cubes)):
            rest = np.any(np.array(covered[:number] + covered[number + 1 :]).reshape(-1, draw.size), axis=0)
            assert (ones & ~rest).any()


def test_open_values_make_products_shorter() -> None:
    ones = np.array([False, False, True, False])
    assert products(ones, np.zeros(4, bool)) == [((1, True), (0, False))]
    assert products(ones, np.array([False, False, False, True])) == [((1, True),)]
