"""The layout of a matrix on lanes: every weight once, the right activation for it, and a ring that brings it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout


@st.composite
def layouts(draw: st.DrawFn) -> LaneLayout:
    cols = draw(st.integers(1, 24))
    return LaneLayout(
        rows=draw(st.integers(1, 40)),
        cols=cols,
        lanes=draw(st.integers(1, 12)),
        interleave=draw(st.integers(1, 5)),
        start_column=draw(st.integers(0, cols - 1)),
        lead=draw(st.integers(0, 4)),
    )


@given(layouts())
def test_positions_are_the_matrix_and_its_padding(layout: LaneLayout) -> None:
    numbers = np.arange(layout.rows * layout.cols).reshape(layout.rows, layout.cols)
    blocks = layout.arrange(numbers, -1)
    assert blocks.shape == (layout.blocks, layout.lanes)
    assert sorted(blocks[blocks >= 0]) == list(range(numbers.size))
    padding = (layout.padded_rows - layout.rows) * layout.cols + layout.lead * layout.lanes
    assert (blocks == -1).sum() == padding
    assert (blocks[: layout.lead] == -1).all()
    assert np.array_equal(layout.restore(blocks), numbers)
    assert np.array_equal(layout.positions(), blocks.reshape(-1))
    half = layout.length // 2
    assert np.array_equal(layout.positions(half), blocks.reshape(-1)[half:])
    assert np.array_equal(blocks.reshape(-1)[layout.places(numbers)], numbers)
    begin, end = layout.length // 3, layout.length - layout.length // 4
    assert np.array_equal(layout.positions(begin, end), blocks.reshape(-1)[begin:end])


@given(layouts())
def test_block_of_a_weight_is_what_the_definition_says(layout: LaneLayout) -> None:
    blocks = layout.arrange(np.arange(layout.rows * layout.cols).reshape(layout.rows, layout.cols), -1)
    t = layout.lead
    for g in range(layout.passes):
        for c in range(layout.cols):
            for p in range(layout.interleave):
                for lane in range(layout.lanes):
                    row = (g * layout.interleave + p) * layout.lanes + lane
                    column = (layout.start_column + c + int(layout.taps[lane])) % layout.cols
                    assert layout.columns()[c, lane] == column
                    assert layout.group_rows()[g * layout.interleave + p, lane] == row
                    assert blocks[t, lane] == (row * layout.cols + column if row < layout.rows else -1)
                t += 1


@given(layouts(), st.integers(1, 12), st.integers(1, 3))
def test_a_plain_shift_register_brings_each_lane_its_column(
    layout: LaneLayout, words: int, batch: int
) -> None:
    words = min(words, layout.lanes)
    activations = np.arange(batch * layout.cols).reshape(batch, layout.cols)
    ring = [[-1] * batch for _ in range(layout.cols)]
    chunks = layout.load_chunks(words)
    assert sum(length for _, length in chunks) == layout.cols
    for beat in layout.load_beats(activations, words):
        ring = ring[1:] + ring[:1]
        for k, (first, length) in enumerate(chunks):
            if length:
                ring[first + length - 1] = list(beat[k])
    for step in range(layout.cols):
        seen = np.array([ring[tap] for tap in layout.taps])
        assert np.array_equal(seen, activations[:, layout.columns()[step]].T)
        ring = ring[1:] + ring[:1]


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 40), st.integers(1, 20))
def test_fitting_pads_by_less_than_a_row_a_lane_and_pass(rows: int, cols: int, lanes: int, most: int) -> None:
    layout = LaneLayout.fitting(rows, cols, lanes, interleave=most)
    assert layout.interleave <= most
    assert 0 <= layout.padded_rows - rows < lanes * (layout.passes + 1)
    assert LaneLayout.fitting(rows, cols, lanes).passes == 1
    taps = np.sort(layout.taps)
    # spread round the ring: lines differ by one word at most
    assert np.ptp(np.diff([*taps, cols])) <= 1


def test_neighbouring_lanes_are_far_apart() -> None:
    layout = LaneLayout.fitting(2048, 512, 64)
    away = np.abs(np.diff(layout.taps))
    assert np.minimum(away, 512 - away).min() >= 512 // 8


def test_bad_input() -> None:
    with pytest.raises(InputError, match="lanes of a lane layout must be at least 1, not 0"):
        LaneLayout(rows=1, cols=1, lanes=0)
    with pytest.raises(InputError, match="start_column must be between 0 and 3, not 4"):
        LaneLayout(rows=1, cols=4, lanes=1, start_column=4)
    with pytest.raises(InputError, match="lead of a lane layout must be at least 0, not -1"):
        LaneLayout(rows=1, cols=4, lanes=1, lead=-1)
    layout = LaneLayout(rows=3, cols=4, lanes=2)
    with pytest.raises(InputError, match=r"must have shape \(3, 4\), not \(4, 3\)"):
        layout.arrange(np.zeros((4, 3)))
    with pytest.raises(InputError, match=r"must have shape \(8, 2\), not \(2, 8\)"):
        layout.restore(np.zeros((2, 8)))
    with pytest.raises(InputError, match="between 1 and 2, not 3"):
        layout.load_chunks(3)
