"""The scan for products on a processor: which weight every lane of a register decodes.

The stream is cut into equal pieces, *lanes*, one for each element of a 512-bit register, so that one exclusive-or of
registers is a decoder step of all lanes and whole words come out. The lanes of a register always work on one *cell*,
16 neighbouring rows times the few columns that fill the register, which is what dot-product instructions take; one
word of activations serves the whole register.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.strides import golden_stride

CELL_ROWS = 16
CELL_COLUMNS = {4: 8, 8: 4, 16: 2, 32: 1}  # by the bits of a word; two INT4 weights share a byte


@dataclass(frozen=True)
class CellScan:
    """The scan that walks a matrix cell by cell, the same way in every lane.

    A *pass* works on `together` groups of 16 rows, spread evenly over the matrix, and visits them in turn for each
    group of columns, so that a lane meets many rows at once and the sums of a pass stay in registers. Columns are
    dealt to cells in steps of `column_stride`, since neighbouring columns of a real mask are alike. Lane after lane
    is the scan; a lane holds pass after pass, column group after column group, row group after row group.

    Parameters
    ----------
    rows, columns : int
        Shape of the matrix, each 1 or more.
    cell_columns : int
        Columns of a cell: 4 for words of a byte, 8 for INT4, 2 for 16 bits, 1 for 32; 16 * cell_columns lanes.
    together : int
        Row groups of a pass.
    column_block : int
        Column groups of a block of the code, whose n_out is together * column_block: a pass is whole blocks.

    Raises
    ------
    InputError
        A size is not positive, or there are no cells of so many columns.
    """

    rows: int
    columns: int
    cell_columns: int
    together: int = 1
    column_block: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "together", "column_block"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.cell_columns not in CELL_COLUMNS.values():
            raise InputError(f"cell_columns must be 1, 2, 4 or 8, not {self.cell_columns}")

    @classmethod
    def fitting(
        cls, rows: int, columns: int, n_w: int, column_block: int = 1, most_together: int = 8
    ) -> CellScan:
        """Make the scan for words of `n_w` bits with the least padding of at most `most_together` row groups a pass.

        Raises
        ------
        InputError
            There are no cells for such words.
        """
        if n_w not in CELL_COLUMNS:
            raise InputError(f"the bits of a word must be 4, 8, 16 or 32 for this scan, not {n_w}")
        groups = -(-rows // CELL_ROWS)
        passes = -(-groups // most_together)
        return cls(rows, columns, CELL_COLUMNS[n_w], -(-groups // passes), column_block)

    @property
    def n(self) -> int:
        """Weights of the matrix."""
        return self.rows * self.columns

    @property
    def lanes(self) -> int:
        """Streams that are decoded side by side."""
        return CELL_ROWS * self.cell_columns

    @property
    def passes(self) -> int:
        """Times that the columns are walked through."""
        return -(-self.rows // (CELL_ROWS * self.together))

    @property
    def column_groups(self) -> int:
        """Column groups of a pass, the padding among them."""
        return -(-self.columns // (self.cell_columns * self.column_block)) * self.column_block

    @property
    def lane_length(self) -> int:
        """Scan positions of a lane."""
        return self.passes * self.column_groups * self.together

    @property
    def length(self) -> int:
        """Scan positions, the padding among them."""
        return self.lanes * self.lane_length

    @property
    def spec(self) -> str:
        """``cells,cell_columns=...,together=...,column_block=...``."""
        return f"cells,cell_columns={self.cell_columns},together={self.together},column_block={self.column_block}"

    @property
    def _padded(self) -> tuple[int, int]:
        return self.passes * self.together * CELL_ROWS, self.column_groups * self.cell_columns

    @property
    def column_stride(self) -> int:
        """Step between the columns of neighbouring places, near the golden section of the columns."""
        return golden_stride(self.columns)

    @cached_property
    def placed_columns(self) -> NDArray[np.int64]:
        """The column at each place, shape (column_groups * cell_columns,); places from `columns` on are padding: -1."""
        places = np.arange(self._padded[1], dtype=np.int64)
        return np.where(places < self.columns, places * self.column_stride % self.columns, -1)

    @cached_property
    def _split(self) -> tuple[int, int]:
        # columns of a cell as (parts of a register, neighbours): bytes of a row lie side by side for dot products
        return (self.cell_columns // 4, 4) if self.cell_columns >= 4 else (self.cell_columns, 1)

    def arrange(self, matrix: NDArray) -> NDArray:
        """Put a matrix, shape (rows, columns), in scan order, shape (lanes, lane_length); padding is 0.

        Raises
        ------
        InputError
            The matrix has another shape.
        """
        if matrix.shape != (self.rows, self.columns):
            raise InputError(f"the matrix must have shape {(self.rows, self.columns)}, not {matrix.shape}")
        padded = np.zeros(self._padded, matrix.dtype)
        np.take(matrix, self.placed_columns[: self.columns], axis=1, out=padded[: self.rows, : self.columns])
        grid = padded.reshape(self.together, self.passes, CELL_ROWS, self.column_groups, *self._split)
        return grid.transpose(4, 2, 5, 1, 3, 0).reshape(self.lanes, self.lane_length)

    def restore(self, arranged: NDArray) -> NDArray:
        """Put values in scan order, shape (lanes, lane_length), back into a matrix: the inverse of `arrange`."""
        parts, neighbours = self._split
        grid = arranged.reshape(
            parts, CELL_ROWS, neighbours, self.passes, self.column_groups, self.together
        ).transpose(5, 3, 1, 4, 0, 2)
        padded = grid.reshape(self._padded)
        matrix = np.empty((self.rows, self.columns), arranged.dtype)
        matrix[:, self.placed_columns[: self.columns]] = padded[: self.rows, : self.columns]
        return matrix

    def locate(self, positions: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of scan positions, any shape; rows of `rows` or more and columns of -1 are padding."""
        lane, place = np.divmod(np.asarray(positions, np.int64), self.lane_length)
        rest, group = np.divmod(place, self.together)
        walk, column_group = np.divmod(rest, self.column_groups)
        neighbours = self._split[1]
        part, element = np.divmod(lane, CELL_ROWS * neighbours)
        row = (group * self.passes + walk) * CELL_ROWS + element // neighbours
        inside = part * neighbours + element % neighbours
        return row, self.placed_columns[column_group * self.cell_columns + inside]

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the elements at scan positions start .. stop-1, int64; -1 is padding."""
        row, column = self.locate(np.arange(start, self.length if stop is None else stop))
        return np.where((row < self.rows) & (column >= 0), row * self.columns + column, -1)

    def places(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the scan positions of elements of the flattened matrix, any shape: the inverse of `positions`."""
        row, column = np.divmod(elements, self.columns)
        place = column * pow(self.column_stride, -1, self.columns) % self.columns
        column_group, inside = np.divmod(place, self.cell_columns)
        neighbours = self._split[1]
        part, beside = np.divmod(inside, neighbours)
        row_group, element = np.divmod(row, CELL_ROWS)
        group, walk = np.divmod(row_group, self.passes)
        lane = (part * CELL_ROWS + element) * neighbours + beside
        return lane * self.lane_length + (walk * self.column_groups + column_group) * self.together + group

    def to_scan(self, flat: NDArray) -> NDArray:
        """Put a flattened matrix, shape (n,), into scan order, shape (length,)."""
        return self.arrange(flat.reshape(self.rows, self.columns)).reshape(-1)

    def from_scan(self, scanned: NDArray) -> NDArray:
        """Put scan-ordered values, shape (length,), back into matrix order, shape (n,)."""
        return self.restore(scanned.reshape(self.lanes, self.lane_length)).reshape(-1)
