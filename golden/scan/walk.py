"""How hardware walks a scan: from each scan position to the next by adding constants, without a division.

A scan is a nest of loops, and row and column of a weight are numbers that every loop moves by a constant, modulo
something. So a walk is a few counters and, for each loop, what it adds to them where it moves on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.cells import CELL_ROWS, CellScan
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.scan import Scan
from xorweave.golden.scan.spec import matrix_shape
from xorweave.golden.scan.tiles import TILE_ROWS, TileOrder


@dataclass(frozen=True)
class Counter:
    """A number that a walk moves.

    Attributes
    ----------
    modulus : int
        It is counted modulo this.
    start : int
        At scan position 0.
    steps : tuple of int
        For each loop, the innermost first: what is added where that loop moves on and those inside it begin again.
    carry : tuple of (str, int)
        Counters that get more where this one passes its modulus, and how much.
    """

    modulus: int
    start: int
    steps: tuple[int, ...]
    carry: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Walk:
    """A scan as counters.

    Attributes
    ----------
    rows, columns : int
        Shape of the matrix.
    length : int
        Scan positions.
    turns : tuple of int
        Turns of every loop but the outermost, the innermost first; the outermost goes on for ever.
    first : tuple of int
        In which turn each of them is at scan position 0.
    counters : dict of str to Counter
        ``row`` and ``column`` are among them; one that carries stands before those that it carries to.
    bounds : dict of str to int
        A position is padding unless each of these counters is below its bound.
    numbers : dict of str to tuple of int
        Where ``row`` or ``column`` counts live ones only: which of the matrix each of them is.
    """

    rows: int
    columns: int
    length: int
    turns: tuple[int, ...]
    first: tuple[int, ...]
    counters: dict[str, Counter]
    bounds: dict[str, int]
    numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def leap(self, count: int) -> dict[str, int]:
        """Return what to add to each counter to move on by `count` positions, where there is one loop only.

        Raises
        ------
        InputError
            There are several loops.
        """
        if self.turns:
            raise InputError("a walk of several loops must go position by position")
        return _reduced(self.counters, {name: count * c.steps[0] for name, c in self.counters.items()})


def _reduced(counters: Mapping[str, Any], values: Mapping[str, int]) -> dict[str, int]:
    """Bring each value below its counter's modulus; what passes it is carried."""
    open_values, found = dict(values), {}
    for name, counter in counters.items():
        times, found[name] = divmod(open_values[name], counter.modulus)
        for other, amount in counter.carry:
            open_values[other] += times * amount
    return found


@dataclass(frozen=True)
class _Axis:
    """A counter before its steps are known: modulus, value at the first turn of every loop, what it carries."""

    modulus: int
    origin: int = 0
    carry: tuple[tuple[str, int], ...] = ()


def _free(*values: int) -> int:
    """Return the modulus of a counter that never passes it: a power of two with room for values of either sign."""
    return 1 << sum(map(abs, values)).bit_length()


_Loop = tuple[int, dict[str, int]]  # turns, and what a turn adds to each counter


def _walk(
    scan: Scan,
    shape: tuple[int, int],
    axes: dict[str, _Axis],
    loops: Sequence[_Loop],
    bounds: dict[str, int],
    origin: int = 0,
) -> Walk:
    """Make a walk whose scan position 0 is position `origin` of the loops, the innermost first."""
    loops = [loop for loop in loops[:-1] if loop[0] > 1] + [loops[-1]]
    turns = tuple(count for count, _ in loops[:-1])
    first, rest = [], origin
    for count in turns:
        rest, turn = divmod(rest, count)
        first.append(turn)
    at = [*first, rest]
    start = {
        name: axis.origin + sum(turn * add.get(name, 0) for turn, (_, add) in zip(at, loops, strict=True))
        for name, axis in axes.items()
    }
    steps, back = [], dict.fromkeys(axes, 0)  # back: what the loops inside have added in all their turns
    for count, add in loops:
        steps.append(_reduced(axes, {name: add.get(name, 0) - back[name] for name in axes}))
        back = {name: back[name] + (count - 1) * add.get(name, 0) for name in axes}
    start = _reduced(axes, start)
    counters = {
        name: Counter(axis.modulus, start[name], tuple(step[name] for step in steps), axis.carry)
        for name, axis in axes.items()
    }
    return Walk(*shape, scan.length, turns, tuple(first), counters, bounds)


def _affine(scan: Interleaver, rows: int, columns: int) -> Walk:
    # the element is one number of two digits, row and column
    axes = {"column": _Axis(columns, scan.offset, (("row", 1),)), "row": _Axis(rows)}
    return _walk(scan, (rows, columns), axes, [(scan.length, {"column": scan.stride})], {})


def _live(scan: LiveScan) -> Walk:
    rows, columns = scan.live_rows, scan.live_columns
    numbers = {}
    if rows.size < scan.rows:
        numbers["row"] = tuple(rows.tolist())
    if columns.size < scan.columns:
        numbers["column"] = tuple(columns.tolist())
    walk = _affine(scan.inner, rows.size, columns.size)
    return replace(walk, rows=scan.rows, columns=scan.columns, numbers=numbers)


def _lanes(scan: LaneLayout) -> Walk:
    # the tap of a lane is a whole part of cols / lanes: the column is a number with a fraction of `lanes` parts
    axes = {
        "fraction": _Axis(scan.lanes, scan.start_column * scan.lanes, (("column", 1),)),
        "column": _Axis(scan.cols),
        "row": _Axis(_free(scan.padded_rows, (scan.lead + scan.interleave) * scan.lanes)),
    }
    loops: list[_Loop] = [
        (scan.lanes, {"row": 1, "fraction": scan.spread * scan.cols}),
        (scan.interleave, {"row": scan.lanes}),
        (scan.cols, {"fraction": scan.lanes}),
        (scan.passes, {"row": scan.interleave * scan.lanes}),
    ]
    # the lead lies in passes before the first one, in rows below 0
    return _walk(
        scan, (scan.rows, scan.cols), axes, loops, {"row": scan.rows}, origin=-scan.lead * scan.lanes
    )


def _cells(scan: CellScan) -> Walk:
    neighbours = 4 if scan.cell_columns >= 4 else 1  # columns of a row that lie side by side
    stride = scan.column_stride

    def place(step: int) -> dict[str, int]:
        return {"place": step, "column": step * stride}

    axes = {
        "place": _Axis(_free(scan.column_groups * scan.cell_columns)),
        "column": _Axis(scan.columns),
        "row": _Axis(_free(scan.passes * scan.together * CELL_ROWS)),
    }
    loops: list[_Loop] = [
        (scan.together, {"row": scan.passes * CELL_ROWS}),
        (scan.column_groups, place(scan.cell_columns)),
        (scan.passes, {"row": CELL_ROWS}),
        (neighbours, place(1)),
        (CELL_ROWS, {"row": 1}),
        (scan.cell_columns // neighbours, place(neighbours)),
    ]
    return _walk(scan, (scan.rows, scan.columns), axes, loops, {"row": scan.rows, "place": scan.columns})


def _tiles(scan: TileOrder) -> Walk:
    across, stride = scan.run * scan.tile_columns, scan.column_stride
    padded = -(-scan.columns // scan.tile_columns) * scan.tile_columns

    def place(step: int) -> dict[str, int]:
        return {"place": step, "column": step * stride}

    def runs(step: int) -> dict[str, int]:
        return {"turn": step, "row": step * scan.rotation * TILE_ROWS}

    axes = {
        "turn": _Axis(scan.row_tiles, 0, (("place", across), ("column", across * stride))),
        "place": _Axis(_free(scan.factor_tiles * scan.tile_columns, scan.n_out * across)),
        "column": _Axis(padded),
        "row": _Axis(scan.row_tiles * TILE_ROWS),
    }
    inside: list[_Loop] = [
        (size, {"row": row, **place(column)}) for size, row, column in reversed(scan.layout.axes)
    ]
    loops: list[_Loop] = [
        (scan.run, place(scan.tile_columns)),
        (scan.n_out // scan.run, runs(1)),
        *inside,
        (scan.groups, runs(scan.n_out // scan.run)),
    ]
    bounds = {"row": scan.rows, "place": padded, "column": scan.columns}
    return _walk(scan, (scan.rows, scan.columns), axes, loops, bounds)


def walk_of(scan: Scan, shape: Sequence[int]) -> Walk:
    """Return how hardware walks a scan of a tensor of this shape, taken as a matrix.

    Raises
    ------
    InputError
        The tensor is empty, or there is no walk of such a scan.
    """
    rows, columns = matrix_shape(shape)
    if not rows * columns:
        raise InputError("an empty tensor has no addresses")
    if isinstance(scan, Interleaver):
        return _affine(scan, rows, columns)
    if isinstance(scan, LiveScan):
        return _live(scan)
    if isinstance(scan, LaneLayout):
        return _lanes(scan)
    if isinstance(scan, CellScan):
        return _cells(scan)
    if isinstance(scan, TileOrder):
        return _tiles(scan)
    raise InputError(f"there is no hardware that walks the scan {scan.spec}")
