"""What kernel taps read, against an index by index reading, and its adjoint."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from xorweave.golden.network.layers import Pool
from xorweave.golden.network.windows import add_columns, tap_columns

CASES = {
    "plain": (Pool("average", (2, 3), (1, 1)), (5, 6), (4, 4)),
    "one element": (Pool("average", (1, 1), (1, 1)), (3, 4), (3, 4)),
    "one element of two": (Pool("average", (1, 1), (2, 2)), (5, 4), (3, 2)),
    "uneven padding": (Pool("average", (3, 2), (2, 1), ((1, 0), (0, 2))), (6, 4), (3, 5)),
    "dilated": (Pool("average", (2, 2), (2, 1), dilation=(3, 2)), (8, 7), (3, 5)),
    "a partial last window": (Pool("average", (3, 3), (2, 2), ceiling=True), (6, 6), (3, 3)),
    "one axis": (Pool("average", (3,), (2,), ((1, 1),)), (7,), (4,)),
}


@pytest.mark.parametrize("name", CASES)
def test_taps_read_what_the_definition_says(name: str) -> None:
    layer, spatial, positions = CASES[name]
    x = np.random.default_rng(0).normal(size=(2, 3, *spatial))
    found = tap_columns(layer, x, positions, fill=-7.0)
    taps = list(product(*(range(k) for k in layer.kernel)))
    places = list(product(*(range(n) for n in positions)))
    assert found.shape == (2, 3, len(taps), len(places))
    for (t, tap), (p, place) in product(enumerate(taps), enumerate(places)):
        read = tuple(
            position * stride + offset * dilation - before
            for position, stride, offset, dilation, (before, _) in zip(
                place, layer.stride, tap, layer.dilation, layer.padding, strict=True
            )
        )
        within = all(0 <= r < n for r, n in zip(read, spatial, strict=True))
        wanted = x[(slice(None), slice(None), *read)] if within else np.full((2, 3), -7.0)
        assert (found[:, :, t, p] == wanted).all()


@pytest.mark.parametrize("name", CASES)
def test_adding_up_is_the_adjoint_of_reading(name: str) -> None:
    layer, spatial, positions = CASES[name]
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, *spatial))
    read = tap_columns(layer, x, positions)
    given = rng.normal(size=read.shape)
    assert np.sum(read * given) == pytest.approx(np.sum(x * add_columns(layer, given, spatial, positions)))
