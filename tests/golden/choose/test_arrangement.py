"""When a mask that lies beside the weights is worth its bits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.scan.interleaver import Interleaver

N = 1000
SCAN = Interleaver(N, 77, 5)
# 1.03 N h(.1) = 483.06 bits; a false one takes 2, ten false zeros log2(1000 / 9.96) + 1.5 + 8 each, but for 2^-8 of
# them
ROOM = 483.06


def mask_of(ones: np.ndarray, bits: int) -> Any:
    return SimpleNamespace(decode=lambda: ones, bits=bits)


@pytest.mark.parametrize(
    ("false_ones", "false_zeros", "room"), [(0, 0, ROOM), (10, 0, ROOM - 20), (0, 10, ROOM - 160.8)]
)
def test_a_mask_pays_up_to_what_it_takes_by_itself_over_the_entropy(
    false_ones: int, false_zeros: int, room: float
) -> None:
    kept = np.zeros(N, bool)
    kept[np.random.default_rng(1).choice(N, 100, replace=False)] = True
    ones = SCAN.to_scan(kept)
    ones[np.flatnonzero(~ones)[:false_ones]] = True
    ones[np.flatnonzero(SCAN.to_scan(kept))[:false_zeros]] = False
    assert Arrangement(SCAN, mask_of(ones, int(room))).pays(kept, 8)
    assert not Arrangement(SCAN, mask_of(ones, int(room) + 1)).pays(kept, 8)


def test_no_mask_and_no_weights_never_pay() -> None:
    assert not Arrangement(SCAN).pays(np.ones(N, bool), 8)
    assert not Arrangement(SCAN, mask_of(np.zeros(0, bool), 0)).pays(np.zeros(0, bool), 8)
