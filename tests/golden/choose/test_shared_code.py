"""One code for several tensors: the cheapest that keeps the overhead, in the simplest order that does."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.shared_code import SharedCode
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.figures import figures_of


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("even", [True, False])
def test_the_simplest_order_that_keeps_the_overhead_is_taken(even: bool, seed: int) -> None:
    """Row by row if that does: other strides would save a bit here and there, and cost an address."""
    mask = random_mask((128, 256), 0.9, seed)
    if not even:
        mask = np.zeros((128, 256), bool)
        mask[::8] = random_mask((16, 256), 0.2, seed)
    rng = np.random.default_rng(seed)
    values = np.where(mask, rng.integers(-128, 128, mask.shape), 0).astype(np.int8)
    shared = SharedCode.choose([(mask, 8)], overhead=0.1)
    tensor = shared.encode(values, number_format("int8"), mask, EncodeOptions())
    assert (tensor.scan.stride == 1) == even
    assert (figures_of(tensor).ratios()["overhead"] or 0) < 0.1
