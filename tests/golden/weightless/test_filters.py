"""The one call for every kind of filter makes what the kind itself makes."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.weightless.banded import Banded
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.golden.weightless.filters import build_filter

KEYS = np.arange(0, 900, 3)
VALUES = np.arange(300) % 16


def test_a_band_with_the_first_hash_is_the_default() -> None:
    made, plain = build_filter(KEYS, VALUES, t=5), Banded.build(KEYS, VALUES, t=5, seed=0)
    assert isinstance(made, Banded) and np.array_equal(made.table, plain.table) and made.seed == plain.seed
    assert not np.array_equal(build_filter(KEYS, VALUES, t=5, seed=1).table, plain.table)


@pytest.mark.parametrize("layout", ["uniform", "fuse"])
def test_other_layouts_are_peeled(layout: str) -> None:
    made = build_filter(KEYS, VALUES, t=5, layout=layout, k=3, key_bits=12)
    plain = Bloomier.build(KEYS, VALUES, t=5, layout=layout, k=3, key_bits=12, seed=0)
    assert isinstance(made, Bloomier) and np.array_equal(made.table, plain.table)
    assert np.array_equal(made.query(KEYS), VALUES)
