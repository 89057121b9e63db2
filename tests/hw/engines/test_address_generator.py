"""Addresses against the golden scans."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.tiles import TileLayout, TileOrder
from xorweave.golden.scan.walk import walk_of
from xorweave.hw.engines.address_generator import AddressGenerator

SCANS: dict[str, tuple[Scan, tuple[int, int]]] = {
    "affine": (Interleaver(97 * 3, 37, 5), (97, 3)),
    "row-major": (Interleaver(64), (8, 8)),
    "backwards": (Interleaver(30, 29, 29), (1, 30)),
    "one column": (Interleaver(6, 5, 2), (6, 1)),
    "lanes": (LaneLayout(rows=17, cols=7, lanes=3, interleave=2, start_column=4, lead=5), (17, 7)),
    "cells": (CellScan(19, 5, 8, 2, 1), (19, 5)),
    "live": (LiveScan.of(np.arange(19) % 3 > 0, np.arange(11) % 4 > 0, 5, 17), (19, 11)),
    "live rows": (LiveScan.of(np.arange(40) % 7 == 2, np.ones(3, bool)), (40, 3)),
    "tiles": (TileOrder(33, 5, 4, 2, TileLayout(8, 8)), (33, 5)),
}


def _addresses(dut: AddressGenerator, words: list[int]) -> list[int]:
    """Elements of the flattened matrix, -1 for padding."""
    lanes, walk = dut.lanes, dut.walk
    row, column = len(dut.o.p.rows) // lanes, len(dut.o.p.columns) // lanes
    found = []
    for word in words:
        for lane in range(lanes):
            r = word >> (lane * row) & ((1 << row) - 1)
            c = word >> (lanes * row + lane * column) & ((1 << column) - 1)
            inside = word >> (lanes * (row + column) + lane) & 1
            found.append(r * walk.columns + c if inside else -1)
    return found


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.parametrize("lanes", [1, 5])
def test_addresses(run_streams: Callable[..., list[int]], name: str, lanes: int) -> None:
    scan, shape = SCANS[name]
    dut = AddressGenerator(walk_of(scan, shape), lanes)
    groups = min(400, -(-scan.length // lanes))
    found = _addresses(dut, run_streams(dut, {}, groups, stall=0.3))
    assert found[: scan.length] == scan.positions(0, min(len(found), scan.length)).tolist()


def test_a_single_loop_goes_round(run_streams: Callable[..., list[int]]) -> None:
    scan = Interleaver(21, 8, 3)
    dut = AddressGenerator(walk_of(scan, (3, 7)), 4)
    assert _addresses(dut, run_streams(dut, {}, 12)) == (scan.positions().tolist() * 3)[:48]


def test_restart(run_streams: Callable[..., list[int]]) -> None:
    for scan, shape in (SCANS["affine"], SCANS["cells"]):
        dut = AddressGenerator(walk_of(scan, shape), 1)
        words = run_streams(dut, {}, 9, before=lambda ctx, cycle: ctx.set(dut.restart, cycle == 3))  # noqa: B023
        first = scan.positions(0, 9).tolist()
        assert _addresses(dut, words) == first[:4] + first[:5]


@pytest.mark.parametrize("name", ["affine", "lanes"])
def test_shorter_steps(run_streams: Callable[..., list[int]], name: str) -> None:
    scan, shape = SCANS[name]
    dut = AddressGenerator(walk_of(scan, shape), 4, short=3)
    words = run_streams(dut, {}, 9, before=lambda ctx, cycle: ctx.set(dut.shortened, cycle % 3 == 2))
    wanted = [p for at in (0, 4, 8, 11, 15, 19, 22, 26, 30) for p in scan.positions(at, at + 4).tolist()]
    assert _addresses(dut, words) == wanted


def test_sizes_are_checked() -> None:
    walk = walk_of(Interleaver(6), (2, 3))
    with pytest.raises(InputError, match="lanes must be at least 1, not 0"):
        AddressGenerator(walk, 0)
    with pytest.raises(InputError, match="short must be between 1 and 2, not 3"):
        AddressGenerator(walk, 2, short=3)
