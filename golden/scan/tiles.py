"""Which weight every lane decodes on a GPU: tiles in the order of the matrix instructions' registers.

One *block* of the code is one lane: n_w bits of a register. A thread decodes the blocks of its registers, lane after
lane: block h * registers + k of a thread is lane h of register k. The symbols of `age` blocks ago are then the
register `age` places before, or, in front of the first one, a register shifted by one lane; nothing else is ever
shifted, no bit of the stream is read twice, and a stream needs no long pieces to be decoded in parallel. A *tile* is
what a warp multiplies at a time: the decoded registers are, as they stand, the fragments of matrix A of a few matrix
instructions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.scan.strides import golden_stride

TILE_ROWS = 16
MAX_RUN = 16
THREADS = 32
_TOO_WIDE = 0.03  # padding, as a share of the columns, that is put up with for a longer run


@dataclass(frozen=True)
class TileLayout:
    """How the weights of a tile lie in the registers of a warp, after the tables of fragments in the PTX manual.

    Parameters
    ----------
    n_w : int
        Bits of a weight: 4 and 8 for mma.m16n8k32 on bytes, 16 for mma.m16n8k16 on halves.
    registers : int
        Registers of a thread that are decoded in step: 8 or 16, 8 for 4 bits (they become 16 of bytes), 16 for halves.

    Raises
    ------
    InputError
        There is no such layout.
    """

    n_w: int
    registers: int

    def __post_init__(self) -> None:
        if (self.n_w, self.registers) not in ((4, 8), (8, 8), (8, 16), (16, 16)):
            raise InputError(
                "a layout must have 8 registers of 4 bits, 8 or 16 of 8 bits, or 16 of 16 bits, "
                f"not {self.registers} of {self.n_w} bits"
            )

    @property
    def packed(self) -> int:
        """Lanes of a register."""
        return 32 // self.n_w

    @property
    def thread_lanes(self) -> int:
        """Weights of a thread."""
        return self.registers * self.packed

    @property
    def fragments(self) -> int:
        """Registers of matrix A that a thread's weights make."""
        return self.registers * (2 if self.n_w == 4 else 1)

    @property
    def tile_columns(self) -> int:
        """Columns of a tile: four registers are an instruction of 16 halves or 32 bytes."""
        return self.fragments // 4 * (16 if self.n_w == 16 else 32)

    @property
    def axes(self) -> tuple[tuple[int, int, int], ...]:
        """How the lanes lie, slowest first: (size, step in rows, step in columns)."""
        instructions = self.fragments // 4
        if self.n_w == 16:
            # groupID, threadID_in_group, half; instruction, registers 2 and 3, registers 1 and 3
            return (8, 1, 0), (4, 0, 2), (2, 0, 1), (instructions, 0, 16), (2, 0, 8), (2, 8, 0)
        threads_and_bytes = (8, 1, 0), (4, 0, 4), (4, 0, 1)
        if self.n_w == 8:
            return *threads_and_bytes, (instructions, 0, 32), (2, 0, 16), (2, 8, 0)
        # even and odd lanes of a register become two registers of bytes
        return *threads_and_bytes, (2, 8, 0), (instructions, 0, 32), (2, 0, 16)

    def mask_bits(self) -> NDArray[np.int64]:
        """Return where the mask bit of each lane of a thread is, counted over the thread's words of mask.

        Shifted left by k mod 8, a word has the bits of fragment register k at the tops of bytes, from where one
        instruction spreads them over the bytes.
        """
        lane, register = np.divmod(np.arange(self.thread_lanes), self.registers)
        if self.n_w == 4:
            register, lane = 2 * register + lane % 2, lane // 2
        octet, place = np.divmod(register, 8)
        byte = (2 * octet + lane) if self.n_w == 16 else (4 * octet + lane)
        return 8 * byte + 7 - place


def layouts(number_format: NumberFormat) -> list[TileLayout]:
    """Return the layouts for a number format.

    Raises
    ------
    InputError
        There is none.
    """
    registers = {"int4": (8,), "int8": (8, 16), "fp16": (16,)}.get(number_format.name)
    if registers is None:
        raise InputError(f"the number format must be int8, int4 or fp16, not {number_format.name}")
    return [TileLayout(number_format.n_w, n) for n in registers]


@dataclass(frozen=True)
class TileOrder:
    """The scan in which the tiles of a matrix are decoded, and the lanes within them; lane after lane is the scan.

    A warp decodes a group of `n_out` tiles, all lanes in step. Tiles are taken in runs of `run` along a row of tiles,
    so that sums stay in registers for a run; from one run to the next the walk leaps to a distant row of tiles, so
    that the blocks near each other in the stream see many rows. Columns are dealt out in steps of `column_stride`.

    Parameters
    ----------
    rows, columns : int
        Shape of the matrix, each 1 or more.
    n_out : int
        Tiles of a group: outputs of the code.
    run : int
        Tiles of a run; divides n_out.
    layout : TileLayout
        Of the weights in a tile.

    Raises
    ------
    InputError
        A size is not positive, or `run` does not divide `n_out`.
    """

    rows: int
    columns: int
    n_out: int
    run: int
    layout: TileLayout

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "n_out", "run"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.n_out % self.run:
            raise InputError(f"run must divide n_out = {self.n_out}, not be {self.run}")

    @property
    def tile_columns(self) -> int:
        """Columns of a tile."""
        return self.layout.tile_columns

    @property
    def tile_lanes(self) -> int:
        """Weights of a tile."""
        return THREADS * self.layout.thread_lanes

    @property
    def row_tiles(self) -> int:
        """Tiles one below the other."""
        return -(-self.rows // TILE_ROWS)

    @property
    def runs_across(self) -> int:
        """Runs side by side."""
        return -(-self.columns // (self.tile_columns * self.run))

    @property
    def groups(self) -> int:
        """Groups of n_out tiles; the last one is filled up with padding."""
        return -(-self.row_tiles * self.runs_across * self.run // self.n_out)

    @property
    def lanes(self) -> int:
        """Blocks of the stream."""
        return self.groups * self.tile_lanes

    @property
    def rotation(self) -> int:
        """Rows of tiles by which the walk leaps from one run to the next."""
        return golden_stride(self.row_tiles) % self.row_tiles

    @property
    def factor_tiles(self) -> int:
        """Tiles of columns that the walk touches, the padding at its end included."""
        last_run = self.groups * (self.n_out // self.run) - 1
        return (last_run // self.row_tiles + 1) * self.run

    @property
    def column_stride(self) -> int:
        """Step between the columns of neighbouring places, near the golden section of the padded columns."""
        padded = -(-self.columns // self.tile_columns) * self.tile_columns
        return golden_stride(padded)

    def placed_columns(self) -> NDArray[np.int32]:
        """Return the column at each place, shape (factor_tiles * tile_columns,); -1 where there is none."""
        padded = -(-self.columns // self.tile_columns) * self.tile_columns
        places = np.full(self.factor_tiles * self.tile_columns, -1, np.int32)
        columns = np.arange(padded, dtype=np.int64) * self.column_stride % padded
        places[:padded] = np.where(columns < self.columns, columns, -1)
        return places

    @property
    def n(self) -> int:
        """Weights of the matrix."""
        return self.rows * self.columns

    @property
    def length(self) -> int:
        """Scan positions, the padding among them."""
        return self.lanes * self.n_out

    @property
    def spec(self) -> str:
        """``tiles,n_out=...,run=...,n_w=...,registers=...``."""
        return (
            f"tiles,n_out={self.n_out},run={self.run},n_w={self.layout.n_w},registers={self.layout.registers}"
        )

    def _inside(self) -> NDArray[np.int64]:
        """Place of each lane in its tile, counted along the tile's rows."""
        place = np.zeros(1, np.int64)
        for size, row_step, column_step in self.layout.axes:
            place = (place[:, None] + np.arange(size) * (row_step * self.tile_columns + column_step)).reshape(
                -1
            )
        return place

    def _walk(self) -> NDArray[np.int64]:
        return np.arange(self.row_tiles, dtype=np.int64) * self.rotation % self.row_tiles

    def arrange(self, matrix: NDArray) -> NDArray:
        """Put a matrix, shape (rows, columns), in the order of the stream, shape (lanes, n_out); padding is 0."""
        width = self.runs_across * self.run * self.tile_columns
        padded = np.zeros((self.row_tiles * TILE_ROWS, width), matrix.dtype)
        places = self.placed_columns()[:width]
        padded[: self.rows, places >= 0] = matrix[:, places[places >= 0]]
        grid = padded.reshape(self.row_tiles, TILE_ROWS, self.runs_across, self.run, self.tile_columns)
        tiles = np.zeros((self.groups * self.n_out, self.tile_lanes), matrix.dtype)
        walked = grid[self._walk()].transpose(2, 0, 3, 1, 4).reshape(-1, self.tile_lanes)
        tiles[: walked.shape[0]] = walked[:, self._inside()]
        lanes = tiles.reshape(self.groups, self.n_out, self.tile_lanes).transpose(0, 2, 1)
        return np.ascontiguousarray(lanes).reshape(self.lanes, self.n_out)

    def restore(self, arranged: NDArray) -> NDArray:
        """Put values in the order of the stream, shape (lanes, n_out), back into a matrix: inverse of `arrange`."""
        tiles = arranged.reshape(self.groups, self.tile_lanes, self.n_out).transpose(0, 2, 1)
        used = self.row_tiles * self.runs_across * self.run
        walked = np.empty((used, self.tile_lanes), arranged.dtype)
        walked[:, self._inside()] = tiles.reshape(-1, self.tile_lanes)[:used]
        shape = (self.runs_across, self.row_tiles, self.run, TILE_ROWS, self.tile_columns)
        grid = np.empty(
            (self.row_tiles, TILE_ROWS, self.runs_across, self.run, self.tile_columns), arranged.dtype
        )
        grid[self._walk()] = walked.reshape(shape).transpose(1, 3, 0, 2, 4)
        padded = grid.reshape(self.row_tiles * TILE_ROWS, -1)
        matrix = np.empty((self.rows, self.columns), arranged.dtype)
        places = self.placed_columns()[: padded.shape[1]]
        matrix[:, places[places >= 0]] = padded[: self.rows, places >= 0]
        return matrix

    def locate(self, flat: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of positions of the arranged array, counted as lane * n_out + position."""
        lane, position = np.divmod(flat.astype(np.int64), self.n_out)
        group, within = np.divmod(lane, self.tile_lanes)
        run, step = np.divmod(group * self.n_out + position, self.run)
        across, turn = np.divmod(run, self.row_tiles)
        row, column = np.divmod(self._inside()[within], self.tile_columns)
        place = (across * self.run + step) * self.tile_columns + column
        return turn * self.rotation % self.row_tiles * TILE_ROWS + row, self.placed_columns()[place].astype(
            np.int64
        )

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the elements at scan positions start .. stop-1, int64; -1 is padding."""
        row, column = self.locate(np.arange(start, self.length if stop is None else stop))
        return np.where((row < self.rows) & (column >= 0), row * self.columns + column, -1)

    def places(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the scan positions of elements of the flattened matrix, any shape: the inverse of `positions`."""
        row, column = np.divmod(elements, self.columns)
        row_tile, inner_row = np.divmod(row, TILE_ROWS)
        turn = row_tile * pow(self.rotation, -1, self.row_tiles) % self.row_tiles
        padded = -(-self.columns // self.tile_columns) * self.tile_columns
        place = column * pow(self.column_stride, -1, padded) % padded
        tile, inner_column = np.divmod(place, self.tile_columns)
        across, step = np.divmod(tile, self.run)
        group, position = np.divmod((across * self.row_tiles + turn) * self.run + step, self.n_out)
        lane = np.argsort(self._inside())[inner_row * self.tile_columns + inner_column]
        return (group * self.tile_lanes + lane) * self.n_out + position

    def to_scan(self, flat: NDArray) -> NDArray:
        """Put a flattened matrix, shape (n,), into scan order, shape (length,)."""
        return self.arrange(flat.reshape(self.rows, self.columns)).reshape(-1)

    def from_scan(self, scanned: NDArray) -> NDArray:
        """Put scan-ordered values, shape (length,), back into matrix order, shape (n,)."""
        return self.restore(scanned.reshape(self.lanes, self.n_out)).reshape(-1)


def fitting_run(columns: int, n_out: int, layout: TileLayout) -> int:
    """Return the longest run, up to 16 tiles, that divides n_out and pads the columns by hardly more than need be."""
    across = -(-columns // layout.tile_columns)
    runs = [run for run in range(1, min(MAX_RUN, across) + 1) if n_out % run == 0]
    padding = {run: -(-across // run) * run / across - 1 for run in runs}
    return max(run for run in runs if padding[run] <= min(padding.values()) + _TOO_WIDE)
