"""Which weight every lane decodes on a GPU: tiles in the order of the matrix instructions' registers.

One *block* of the code is one lane: bit j of a word is block 32 w + j of the stream, and the symbols that the block needs
from before are the neighbouring bits, one shift away. So a stream needs no long pieces to be decoded in parallel, and not
one bit of it is read twice. A *tile* is what one instruction of a warp multiplies: every lane of it holds one weight, and
the decoded words are the instruction's registers as they stand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.errors import InputError
from xorweave.golden.spmv.cells import coprime_near

TILE_ROWS = 16
MAX_RUN = 16
_TOO_WIDE = 0.03  # padding, as a share of the columns, that is put up with for a longer run

# How a tile's lanes lie, slowest first: (size, step in rows, step in columns). Both follow the fragments of matrix A in
# the PTX manual; threads count groupID * 4 + threadID_in_group.
_BIT_AXES = (
    (8, 1, 0),  # groupID
    (4, 0, 32),  # threadID_in_group
    (2, 0, 128),  # registers 2 and 3
    (2, 8, 0),  # registers 1 and 3
    (32, 0, 1),  # bit of the register
)  # mma.m16n8k256 on bits: four words of a thread
_HALF_AXES = (
    (8, 1, 0),
    (4, 0, 2),
    (2, 0, 1),  # half of a register
    (4, 0, 16),  # instruction
    (2, 0, 8),
    (2, 8, 0),
)  # four mma.m16n8k16 on halves: one word of a thread, turned into 16 registers


@dataclass(frozen=True)
class TileOrder:
    """The order in which the tiles of a matrix are decoded, and the lanes within them.

    A group of warps decodes `n_out` tiles, all lanes in step. Tiles are taken in runs of `run` along a row of tiles, so
    that sums stay in registers for a run; from one run to the next the walk leaps to a distant row of tiles, so that the
    blocks near each other in the stream see many rows. Columns are dealt out in steps of `column_stride`.

    Parameters
    ----------
    rows, columns : int
        Shape of the matrix, each 1 or more.
    n_out : int
        Tiles of a group: outputs of the code.
    run : int
        Tiles of a run; divides n_out.
    halves : bool
        True: tiles of 16 x 64 weights for products in FP16. False: 16 x 256 for products of bits.

    Raises
    ------
    InputError
        A size is not positive, or `run` does not divide `n_out`.
    """

    rows: int
    columns: int
    n_out: int
    run: int
    halves: bool = False

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "n_out", "run"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.n_out % self.run:
            raise InputError(f"run must divide n_out = {self.n_out}, not be {self.run}")

    @property
    def _axes(self) -> tuple[tuple[int, int, int], ...]:
        return _HALF_AXES if self.halves else _BIT_AXES

    @property
    def tile_columns(self) -> int:
        """Columns of a tile."""
        return 64 if self.halves else 256

    @property
    def tile_lanes(self) -> int:
        """Weights of a tile."""
        return TILE_ROWS * self.tile_columns

    @property
    def words(self) -> int:
        """32-bit words of one plane of a tile."""
        return self.tile_lanes // 32

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
        return coprime_near(round(self.row_tiles * (math.sqrt(5) - 1) / 2), self.row_tiles) % self.row_tiles

    @property
    def factor_tiles(self) -> int:
        """Tiles of columns that the walk touches, the padding at its end included."""
        last_run = self.groups * (self.n_out // self.run) - 1
        return (last_run // self.row_tiles + 1) * self.run

    @property
    def column_stride(self) -> int:
        """Step between the columns of neighbouring places, near the golden section of the padded columns."""
        padded = -(-self.columns // self.tile_columns) * self.tile_columns
        return coprime_near(round(padded * (math.sqrt(5) - 1) / 2), padded)

    def placed_columns(self) -> NDArray[np.int32]:
        """Return the column at each place, shape (factor_tiles * tile_columns,); -1 where there is none."""
        padded = -(-self.columns // self.tile_columns) * self.tile_columns
        places = np.full(self.factor_tiles * self.tile_columns, -1, np.int32)
        columns = np.arange(padded, dtype=np.int64) * self.column_stride % padded
        places[:padded] = np.where(columns < self.columns, columns, -1)
        return places

    def _inside(self) -> NDArray[np.int64]:
        """Place of each lane in its tile, counted along the tile's rows."""
        place = np.zeros(1, np.int64)
        for size, row_step, column_step in self._axes:
            place = (
                place[:, None] + np.arange(size) * (row_step * self.tile_columns + column_step)
            ).reshape(-1)
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
        grid = np.empty((self.row_tiles, TILE_ROWS, self.runs_across, self.run, self.tile_columns), arranged.dtype)
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
        return turn * self.rotation % self.row_tiles * TILE_ROWS + row, self.placed_columns()[place].astype(np.int64)


def fitting_run(columns: int, n_out: int, halves: bool = False) -> int:
    """Return the longest run, up to 16 tiles, that divides n_out and pads the columns by hardly more than need be."""
    across = -(-columns // (64 if halves else 256))
    runs = [run for run in range(1, min(MAX_RUN, across) + 1) if n_out % run == 0]
    padding = {run: -(-across // run) * run / across - 1 for run in runs}
    return max(run for run in runs if padding[run] <= min(padding.values()) + _TOO_WIDE)
