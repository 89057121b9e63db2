"""The cycle model by itself; tests/sim/test_spmv_run.py holds it against simulation."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.cycle_model import SpmvModel, projected_model


@given(st.integers(1, 300), st.integers(1, 100), st.integers(1, 16), st.integers(1, 6), st.integers(1, 16))
def test_constant_without_a_narrow_port(rows: int, cols: int, lanes: int, most: int, words: int) -> None:
    layout = LaneLayout.fitting(rows, cols, lanes, interleave=most)
    words = max(min(words, lanes), -(-lanes // cols))
    model = SpmvModel(layout=layout, load_words=1, result_words=words)
    assert model.load_beats == cols
    assert model.constant == cols + 5 + layout.interleave * (-(-lanes // words) - 1)


@given(st.integers(8, 200), st.integers(8, 60), st.integers(1, 30), st.integers(1, 60))
def test_a_narrow_port_bounds_the_rate(rows: int, cols: int, bits: int, width: int) -> None:
    layout = LaneLayout.fitting(rows, cols, 4, interleave=2)
    free = SpmvModel(layout=layout, load_words=2, result_words=4)
    slow = SpmvModel(layout=layout, load_words=2, result_words=4, block_bits=bits, bits_per_cycle=width)
    least = layout.blocks * Fraction(bits, width)
    assert slow.cycles >= max(free.cycles, least)
    # nothing but loading and the pipeline comes on top of the larger of the two
    assert slow.cycles <= max(layout.blocks, least) + free.load_beats + 10


def test_projection_and_bad_input() -> None:
    model = projected_model(4096, 4096, lanes=64, sparsity=0.9)
    assert model.layout.blocks - model.layout.lead == 4096 * 64
    assert model.block_bits == 7 * 8 + 64
    half = projected_model(4096, 4096, lanes=64, sparsity=0.9, bytes_per_cycle=7.5)
    assert 1.99 < half.cycles / model.cycles < 2.01
    with pytest.raises(InputError, match="sparsity must be at least 0 and below 1, not 1"):
        projected_model(4, 4, lanes=2, sparsity=1.0)
    with pytest.raises(InputError, match="must have a width above 0, not 0"):
        SpmvModel(layout=LaneLayout.fitting(4, 4, 2), load_words=1, result_words=1, bits_per_cycle=0)
    with pytest.raises(InputError, match="must leave during the next pass"):
        SpmvModel(layout=LaneLayout.fitting(8, 2, 8), load_words=1, result_words=1)
