"""The scan of cells against the sentences that define it, weight by weight."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.spec import parse_scan

SIZES = st.integers(1, 70)


@st.composite
def scans(draw):
    return CellScan(
        draw(SIZES),
        draw(SIZES),
        draw(st.sampled_from([1, 2, 4, 8])),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 4)),
    )


@settings(max_examples=60, deadline=None)
@given(scans())
def test_every_weight_has_one_place(scan):
    matrix = np.arange(1, scan.n + 1).reshape(scan.rows, scan.columns)
    arranged = scan.arrange(matrix)
    assert arranged.shape == (scan.lanes, scan.lane_length)
    assert scan.length == arranged.size
    assert np.array_equal(np.sort(arranged[arranged > 0]), matrix.reshape(-1))
    assert np.array_equal(scan.restore(arranged), matrix)


@settings(max_examples=40, deadline=None)
@given(scans(), st.randoms(use_true_random=False))
def test_all_ways_to_say_where_a_weight_is_agree(scan, random):
    flat = np.arange(1, scan.n + 1)
    scanned = scan.to_scan(flat)
    positions = scan.positions()
    assert np.array_equal(np.where(positions >= 0, positions + 1, 0), scanned)
    assert np.array_equal(scan.from_scan(scanned), flat)
    start = random.randint(0, scan.length)
    stop = random.randint(start, scan.length)
    assert np.array_equal(scan.positions(start, stop), positions[start:stop])
    assert parse_scan(scan.spec, (scan.rows, scan.columns)) == scan
    inside = np.flatnonzero(scanned)
    rows, columns = scan.locate(inside)
    assert np.array_equal(rows * scan.columns + columns + 1, scanned[inside])
    assert np.array_equal(scan.places(scanned[inside] - 1), inside)


@settings(max_examples=30, deadline=None)
@given(scans())
def test_the_lanes_of_a_place_are_one_cell(scan):
    """16 neighbouring rows times the columns at neighbouring places, and where each lies in the register."""
    rows, columns = scan.locate(np.arange(scan.length).reshape(scan.lanes, scan.lane_length))
    for place in range(scan.lane_length):
        group = place // scan.together % scan.column_groups
        at = scan.placed_columns[group * scan.cell_columns :][: scan.cell_columns]
        first = rows[0, place]
        assert first % 16 == 0
        for lane in range(scan.lanes):
            if (
                scan.cell_columns >= 4
            ):  # bytes: four columns of a row side by side, as dot products add them up
                row, column = lane % 64 // 4, lane // 64 * 4 + lane % 4
            else:
                row, column = lane % 16, lane // 16
            assert (rows[lane, place], columns[lane, place]) == (first + row, at[column])


def test_a_pass_meets_rows_all_over_the_matrix():
    scan = CellScan.fitting(2048, 400, 8)
    assert (scan.together, scan.passes) == (8, 16)
    rows, columns = scan.locate(np.arange(scan.together))
    assert rows.tolist() == [256 * g for g in range(8)]
    assert len(set(columns.tolist())) == 1
    # and neighbouring columns are far apart in the scan
    assert scan.column_stride == 247


def test_fitting_pads_little():
    assert [CellScan.fitting(rows, 10, 8).together for rows in (1, 17, 128, 129, 144, 300)] == [
        1,
        2,
        8,
        5,
        5,
        7,
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 4, 1), "rows must be at least 1, not 0"),
        ((4, 4, 4, 0), "together must be at least 1, not 0"),
        ((4, 4, 3), "cell_columns must be 1, 2, 4 or 8, not 3"),
    ],
)
def test_bad_sizes_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        CellScan(*arguments)


def test_other_words_and_shapes_are_refused():
    with pytest.raises(InputError, match="must be 4, 8, 16 or 32 for this scan, not 12"):
        CellScan.fitting(4, 4, 12)
    with pytest.raises(InputError, match="must have shape \\(4, 5\\), not \\(5, 4\\)"):
        CellScan(4, 5, 4).arrange(np.zeros((5, 4)))
