"""Where the weights of a tile lie: against the tables of fragments, and against itself backwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.scan.tiles import TileLayout, TileOrder, fitting_run, layouts

LAYOUTS = [TileLayout(4, 8), TileLayout(8, 8), TileLayout(8, 16), TileLayout(16, 16)]


@pytest.mark.parametrize(("layout", "lanes"), [(TileLayout(8, 8), 4), (TileLayout(16, 16), 2)], ids=str)
def test_fragments_follow_the_manual(layout: TileLayout, lanes: int) -> None:
    # m16n8k32 of bytes, m16n8k16 of halves: a register holds `lanes` values of a row; registers 1 and 3 of four lie
    # eight rows below, 2 and 3 half a fragment's columns on
    order = TileOrder(16, 64, 1, 1, layout)
    row, column = order.locate(np.arange(order.tile_lanes))
    place = np.argsort(order.placed_columns())[column]
    registers = 32 // lanes
    for block in range(order.tile_lanes):
        thread, lane, register = block // 32, block // registers % lanes, block % registers
        assert row[block] == thread // 4 + 8 * (register % 2)
        fragment, half = register // 4 * 8 * lanes, register % 4 // 2 * 4 * lanes
        assert place[block] == fragment + half + thread % 4 * lanes + lane


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_mask_bits_are_each_lane_once(layout: TileLayout) -> None:
    assert sorted(layout.mask_bits().tolist()) == list(range(layout.thread_lanes))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 700), st.integers(1, 12), st.integers(0, 3))
def test_every_weight_has_one_place(rows: int, columns: int, n_out: int, which: int) -> None:
    layout = LAYOUTS[which]
    order = TileOrder(rows, columns, n_out, fitting_run(columns, n_out, layout), layout)
    matrix = np.arange(1, rows * columns + 1).reshape(rows, columns)
    arranged = order.arrange(matrix)
    assert arranged.shape == (order.lanes, n_out)
    kept = np.flatnonzero(arranged)
    assert np.array_equal(np.sort(arranged.reshape(-1)[kept]), matrix.reshape(-1))
    assert np.array_equal(matrix[order.locate(kept)], arranged.reshape(-1)[kept])
    assert np.array_equal(order.restore(arranged), matrix)


def test_run_divides_and_pads_little() -> None:
    assert fitting_run(4096, 32, TileLayout(8, 8)) == 16  # 64 tiles across
    assert fitting_run(11008, 12, TileLayout(8, 8)) == 6  # 172 across: 12 would pad by 8, 6 by 2
    assert fitting_run(100, 7, TileLayout(8, 8)) == 1


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 5, 4, 2), "rows must be at least 1, not 0"),
        ((5, 5, 4, 3), "run must divide n_out = 4, not be 3"),
    ],
)
def test_bad_sizes(sizes: tuple[int, int, int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TileOrder(*sizes, TileLayout(8, 8))


def test_bad_layout() -> None:
    with pytest.raises(InputError, match="not 16 of 4 bits"):
        TileLayout(4, 16)
    with pytest.raises(InputError, match="must be int8, int4 or fp16, not bf16"):
        layouts(number_format("bf16"))
