"""Walks, played counter by counter, against the scans' own positions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.strides import candidate_strides
from xorweave.golden.scan.tiles import TileLayout, TileOrder
from xorweave.golden.scan.walk import Walk, walk_of


def played(walk: Walk, count: int) -> list[int]:
    """Elements of the flattened matrix as the counters give them, -1 where they say padding."""
    turns = list(walk.first)
    values = {name: counter.start for name, counter in walk.counters.items()}
    found = []
    for _ in range(count):
        inside = all(values[name] < bound for name, bound in walk.bounds.items())
        found.append(values["row"] * walk.columns + values["column"] if inside else -1)
        moved = len(turns)
        for k, turn in enumerate(turns):
            turns[k] = 0 if turn == walk.turns[k] - 1 else turn + 1
            if turns[k]:
                moved = k
                break
        extra = dict.fromkeys(values, 0)
        for name, counter in walk.counters.items():
            assert 0 <= counter.steps[moved] < counter.modulus and 0 <= values[name] < counter.modulus
            carried, values[name] = divmod(values[name] + counter.steps[moved] + extra[name], counter.modulus)
            for other, amount in counter.carry:
                assert carried <= 1  # one conditional subtraction is enough in hardware
                extra[other] += carried * amount
    return found


def _same(scan: Scan, shape: tuple[int, ...]) -> None:
    walk = walk_of(scan, shape)
    assert walk.length == scan.length
    assert played(walk, scan.length) == scan.positions().tolist()


@given(st.integers(1, 13), st.integers(1, 13), st.integers(0, 9), st.data())
def test_affine(rows: int, columns: int, which: int, data: st.DataObject) -> None:
    n = rows * columns
    strides = candidate_strides(n, 10, 1)
    offset = data.draw(st.integers(0, n - 1))
    scan = Interleaver(n, strides[which % len(strides)], offset)
    _same(scan, (rows, columns))
    # several positions at a time
    walk = walk_of(scan, (rows, columns))
    for count in (1, 3, n):
        leap = walk.leap(count)
        column = walk.counters["column"].start + leap["column"]
        row = walk.counters["row"].start + leap["row"] + column // columns
        assert row % rows * columns + column % columns == (offset + count * scan.stride) % n


@given(
    st.integers(1, 30),
    st.integers(1, 12),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(0, 40),
    st.data(),
)
def test_lanes(rows: int, cols: int, lanes: int, interleave: int, lead: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, cols - 1))
    scan = LaneLayout(rows=rows, cols=cols, lanes=lanes, interleave=interleave, start_column=start, lead=lead)
    _same(scan, (rows, cols))


@given(
    st.integers(1, 70),
    st.integers(1, 20),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_cells(rows: int, columns: int, cell_columns: int, together: int, block: int) -> None:
    _same(CellScan(rows, columns, cell_columns, together, block), (rows, columns))


@pytest.mark.parametrize("layout", [(4, 8), (8, 8), (8, 16), (16, 16)])
@pytest.mark.parametrize(
    "shape, n_out, run", [((37, 70), 6, 2), ((16, 130), 4, 4), ((50, 3), 5, 1), ((1, 1), 3, 3)]
)
def test_tiles(layout: tuple[int, int], shape: tuple[int, int], n_out: int, run: int) -> None:
    _same(TileOrder(*shape, n_out, run, TileLayout(*layout)), shape)


def test_a_tensor_of_more_dimensions_is_a_matrix() -> None:
    _same(Interleaver(2 * 3 * 5 * 5, 7, 11), (6, 5, 5))
    _same(Interleaver(19, 7, 11), (19,))


def test_what_has_no_walk_is_refused() -> None:
    with pytest.raises(InputError, match="an empty tensor has no addresses"):
        walk_of(Interleaver(0), (0, 4))
    with pytest.raises(InputError, match="a walk of several loops must go position by position"):
        walk_of(LaneLayout(rows=4, cols=4, lanes=2), (4, 4)).leap(2)
