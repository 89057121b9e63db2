"""Scans by name: the words of the manifest and of the command line, and the scans they stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.tiles import TileLayout, TileOrder

SCANS = ("row-major", "affine", "lanes", "cells", "tiles")
_ITEMS = {
    "row-major": (),
    "affine": ("stride", "offset"),
    "lanes": ("lanes", "interleave", "start_column", "lead"),
    "cells": ("cell_columns", "together", "column_block"),
    "tiles": ("n_out", "run", "n_w", "registers"),
}


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns) of a tensor taken as a matrix: its first side, and the others multiplied (im2col)."""
    rows = shape[0] if len(shape) > 1 else 1
    return rows, math.prod(shape) // rows if rows else 0


def most_positions(n: int) -> int:
    """Return the positions that a stored scan of n weights may have, so that a small file cannot ask for many."""
    return 4 * n + (1 << 20)


def scan_items(scan: Scan) -> tuple[str, tuple[int, ...]]:
    """Return the kind of a scan and its numbers, in the order of its `spec`."""
    kind, *items = scan.spec.split(",")
    return kind, tuple(int(item.partition("=")[2]) for item in items)


def scan_from_items(kind: str, numbers: Sequence[int], shape: Sequence[int]) -> Scan:
    """Make a scan of a tensor of this shape from what `scan_items` returned.

    Raises
    ------
    InputError
        There is no such kind, or the numbers are not those of a scan of this tensor.
    """
    if kind not in _ITEMS or len(numbers) != len(_ITEMS[kind]):
        raise InputError(f"the scan must be one of {', '.join(_ITEMS)} with its numbers, not {kind!r:.40}")
    if kind == "lanes":
        rows, cols = matrix_shape(shape)
        return LaneLayout(rows=rows, cols=cols, **dict(zip(_ITEMS[kind], numbers, strict=True)))
    if kind == "cells":
        return CellScan(*matrix_shape(shape), *numbers)
    if kind == "tiles":
        n_out, run, n_w, registers = numbers
        return TileOrder(*matrix_shape(shape), n_out, run, TileLayout(n_w, registers))
    return Interleaver(math.prod(shape), *numbers)


def parse_scan(spec: str, shape: Sequence[int]) -> Scan:
    """Make a scan from its words, the inverse of `Scan.spec`.

    Raises
    ------
    InputError
        The words name no scan of this tensor.
    """
    kind, *items = spec.split(",")
    wanted = _ITEMS.get(kind, ())
    given = dict(item.partition("=")[::2] for item in items)
    if kind not in _ITEMS or tuple(given) != wanted or not all(v.isdecimal() for v in given.values()):
        raise InputError(f"the scan must be one of {', '.join(_ITEMS)} with its numbers, not {spec!r:.60}")
    return scan_from_items(kind, [int(given[key]) for key in wanted], shape)
