"""Scans by name: the words of the manifest and of the command line, and the scans they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.tiles import TileLayout, TileOrder


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns) of a tensor taken as a matrix: its first side, and the others multiplied (im2col)."""
    rows = shape[0] if len(shape) > 1 else 1
    return rows, math.prod(shape) // rows if rows else 0


def most_positions(n: int) -> int:
    """Return the positions that a stored scan of n weights may have, so that a small file cannot ask for many."""
    return 4 * n + (1 << 20)


def believed_weights(size: int) -> int:
    """Return the weights, or scan positions, that readers believe a stored tensor of so many bytes to have."""
    return (1 << 20) + 1024 * size


@dataclass(frozen=True)
class ScanKind:
    """A kind of scan.

    Attributes
    ----------
    numbers : tuple of str
        The names of its numbers, in the order of `Scan.spec` and of files.
    make : callable
        Makes it from the tensor's shape and the numbers.
    usual : callable, optional
        Makes it from the shape alone: what its name means where it is asked for. None where whoever encodes chooses the
        numbers.
    lists_live : bool
        Which rows and columns are live follows the numbers, as `LiveScan` has the bits.
    """

    numbers: tuple[str, ...]
    make: Callable[..., Scan]
    usual: Callable[[Sequence[int]], Scan] | None = None
    lists_live: bool = False


def _interleaver(shape: Sequence[int], *numbers: int) -> Scan:
    return Interleaver(math.prod(shape), *numbers)


def _lanes(shape: Sequence[int], lanes: int, interleave: int, start_column: int, lead: int) -> Scan:
    rows, cols = matrix_shape(shape)
    return LaneLayout(
        rows=rows, cols=cols, lanes=lanes, interleave=interleave, start_column=start_column, lead=lead
    )


def _cells(shape: Sequence[int], *numbers: int) -> Scan:
    return CellScan(*matrix_shape(shape), *numbers)


def _live(shape: Sequence[int], stride: int, offset: int, row_bits: bytes, column_bits: bytes) -> Scan:
    return LiveScan(*matrix_shape(shape), row_bits, column_bits, stride, offset)


def _tiles(shape: Sequence[int], n_out: int, run: int, n_w: int, registers: int) -> Scan:
    return TileOrder(*matrix_shape(shape), n_out, run, TileLayout(n_w, registers))


# Files name a kind by its place here, in three bits: append, never insert.
SCANS: dict[str, ScanKind] = {
    "row-major": ScanKind((), _interleaver, usual=_interleaver),
    "affine": ScanKind(("stride", "offset"), _interleaver),
    "lanes": ScanKind(("lanes", "interleave", "start_column", "lead"), _lanes),
    "cells": ScanKind(("cell_columns", "together", "column_block"), _cells),
    "tiles": ScanKind(("n_out", "run", "n_w", "registers"), _tiles),
    "live": ScanKind(("stride", "offset"), _live, lists_live=True),
}


def scan_items(scan: Scan) -> tuple[str, tuple[int, ...], tuple[bytes, ...]]:
    """Return the kind of a scan, its numbers, and the bits of live rows and columns where its kind lists them."""
    kind, *items = scan.spec.split(",")
    numbers = tuple(int(item.partition("=")[2]) for item in items)[: len(SCANS[kind].numbers)]
    return kind, numbers, (scan.row_bits, scan.column_bits) if isinstance(scan, LiveScan) else ()


def scan_from_items(
    kind: str, numbers: Sequence[int], shape: Sequence[int], live: Sequence[bytes] = ()
) -> Scan:
    """Make a scan of a tensor of this shape from what `scan_items` returned.

    Raises
    ------
    InputError
        There is no such kind, or the numbers are not those of a scan of this tensor.
    """
    known = SCANS.get(kind)
    if known is None or len(numbers) != len(known.numbers) or len(live) != 2 * known.lists_live:
        raise InputError(f"the scan must be one of {', '.join(SCANS)} with its numbers, not {kind!r:.40}")
    return known.make(shape, *numbers, *live)


def parse_scan(spec: str, shape: Sequence[int]) -> Scan:
    """Make a scan from its words, the inverse of `Scan.spec`.

    Raises
    ------
    InputError
        The words name no scan of this tensor, or one whose words leave out what it lists.
    """
    kind, *items = spec.split(",")
    wanted = SCANS[kind].numbers if kind in SCANS and not SCANS[kind].lists_live else ()
    given = dict(item.partition("=")[::2] for item in items)
    if kind not in SCANS or tuple(given) != wanted or not all(v.isdecimal() for v in given.values()):
        raise InputError(f"the scan must be one of {', '.join(SCANS)} with its numbers, not {spec!r:.60}")
    return scan_from_items(kind, [int(given[key]) for key in wanted], shape)
