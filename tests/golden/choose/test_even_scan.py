"""Where a stream begins: at the block before which the values' code has least room left, reckoned step by step."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.choose.even_scan import even_scan
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode


@pytest.mark.parametrize("density", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_start_is_where_the_room_is_least(density: float, seed: int) -> None:
    kept = random_mask((40, 250), 1 - density, seed).reshape(-1)
    scan = even_scan(kept, 8, max_k=96, seed=0, shaped=ShapedMaskCode.for_density(density, 8))
    n_out = max(24, round(24 / (1.01 * kept.mean())))
    order = kept[np.arange(kept.size) * scan.stride % kept.size]
    room, lowest, start = 0, 0, 0
    for block in range(1, -(-kept.size // n_out)):
        room += 24 - int(order[(block - 1) * n_out : block * n_out].sum())
        if room < lowest:
            lowest, start = room, block * n_out
    assert scan.offset == start * scan.stride % kept.size
