"""Which weight every bit of a machine word decodes: the order of a matrix whose stream is decoded in bit slices.

The stream of a matrix is cut into equal pieces, one for each bit ("lane") of a row of machine words, so that one
exclusive-or of words is a decoder step of all lanes. Lanes are grouped so that what comes out needs no further
sorting: the 32 lanes of a word always work on one *cell*, 8 neighbouring rows times 4 neighbouring columns, and the
4 columns of a row end up in 4 neighbouring bytes, which is what integer dot-product instructions take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.strides import golden_stride

CELL_ROWS = 8
CELL_COLUMNS = 4
CELL = CELL_ROWS * CELL_COLUMNS


@dataclass(frozen=True)
class CellOrder:
    """The order in which words go through the cells of a padded matrix.

    A word's lane ``l`` (bit l of 32) holds row ``l % 8`` and column ``l // 8`` of the cell. Columns are dealt to cells
    in steps of `column_stride`, since neighbouring columns of a real mask are alike and a stream wants them mixed.

    Parameters
    ----------
    rows, columns : int
        Shape of the matrix, each 1 or more.
    words : int
        32-bit words that decode side by side; 32 * words lanes.
    rotating : bool
        True: a word walks through all row groups, and the groups it meets shift by one turn with each column group,
        so that every lane sees all rows in time (long lanes, accumulators in memory).
        False: a word stays at one row group and takes a run of column groups (short lanes, accumulators in
        registers); `words` must then be a multiple of the number of row groups.

    Raises
    ------
    InputError
        A size is not positive, or `words` does not fit the row groups.
    """

    rows: int
    columns: int
    words: int
    rotating: bool = True

    def __post_init__(self) -> None:
        for name in ("rows", "columns", "words"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.rotating and self.words % self.row_groups:
            raise InputError(
                f"words must be a multiple of the {self.row_groups} row groups, not {self.words}, "
                "where a word stays at one row group"
            )

    @property
    def row_groups(self) -> int:
        """Groups of 8 rows, padded to a multiple of `words` where words walk."""
        groups = -(-self.rows // CELL_ROWS)
        return -(-groups // self.words) * self.words if self.rotating else groups

    @property
    def column_groups(self) -> int:
        """Groups of 4 columns."""
        return -(-self.columns // CELL_COLUMNS)

    @property
    def lanes(self) -> int:
        """Bits that decode side by side."""
        return CELL * self.words

    @property
    def positions(self) -> int:
        """Cells that each word goes through."""
        if self.rotating:
            return self.row_groups // self.words * self.column_groups
        return -(-self.column_groups // (self.words // self.row_groups))

    @property
    def column_stride(self) -> int:
        """Step between the columns of neighbouring places, near the golden section of the padded columns."""
        padded = self.column_groups * CELL_COLUMNS
        return golden_stride(padded)

    @property
    def rotation(self) -> int:
        """Row groups by which the walk shifts from one column group to the next."""
        return golden_stride(self.row_groups) % self.row_groups

    def placed_columns(self) -> NDArray[np.int64]:
        """Return the column at each place, shape (4 * column_groups,); those from `columns` on are padding."""
        padded = self.column_groups * CELL_COLUMNS
        return np.arange(padded, dtype=np.int64) * self.column_stride % padded

    def place(self, vector: NDArray) -> NDArray:
        """Put a vector, shape (..., columns), in the order of places, shape (..., 4 * column_groups); padding is 0."""
        padded = np.zeros((*vector.shape[:-1], self.column_groups * CELL_COLUMNS), vector.dtype)
        padded[..., : self.columns] = vector
        return np.ascontiguousarray(padded[..., self.placed_columns()])

    def cells(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the row group and the column group of every (word, position), each of shape (words, positions).

        A column group of `column_groups` or more is padding.
        """
        return self._cell(np.arange(self.words)[:, None], np.arange(self.positions)[None, :])

    def _cell(
        self, word: NDArray[np.int64], position: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self.rotating:
            tiles = self.row_groups // self.words
            column_group, tile = np.divmod(position, tiles)
            row_group = (tile * self.words + word + column_group * self.rotation) % self.row_groups
        else:
            row_group = word % self.row_groups
            column_group = word // self.row_groups * self.positions + position
        shape = np.broadcast_shapes(word.shape, position.shape)
        return np.broadcast_to(row_group, shape), np.broadcast_to(column_group, shape)

    def arrange(self, matrix: NDArray, length: int) -> NDArray:
        """Put a matrix, shape (rows, columns), in the order of the stream.

        Parameters
        ----------
        length : int
            Positions of a lane, at least `positions`; those beyond are padding.

        Returns
        -------
        ndarray, shape (lanes, length)
            Padding is 0.
        """
        lanes = np.zeros((self.words, CELL_COLUMNS, CELL_ROWS, length), matrix.dtype)
        padded = np.zeros((self.row_groups * CELL_ROWS, self.column_groups * CELL_COLUMNS), matrix.dtype)
        padded[: self.rows, : self.columns] = matrix
        grid = padded[:, self.placed_columns()].reshape(
            self.row_groups, CELL_ROWS, self.column_groups, CELL_COLUMNS
        )
        row_group, column_group = self.cells()
        for word in range(self.words):
            inside = np.flatnonzero(column_group[word] < self.column_groups)
            picked = grid[
                row_group[word, inside], :, column_group[word, inside]
            ]  # (positions, rows, columns)
            lanes[word][:, :, inside] = picked.transpose(2, 1, 0)
        return lanes.reshape(self.lanes, length)

    def restore(self, arranged: NDArray) -> NDArray:
        """Put values in the order of the stream, shape (lanes, length), back into a matrix: inverse of `arrange`."""
        lanes = arranged.reshape(self.words, CELL_COLUMNS, CELL_ROWS, -1)
        grid = np.zeros((self.row_groups, CELL_ROWS, self.column_groups, CELL_COLUMNS), arranged.dtype)
        row_group, column_group = self.cells()
        for word in range(self.words):
            inside = np.flatnonzero(column_group[word] < self.column_groups)
            grid[row_group[word, inside], :, column_group[word, inside]] = lanes[word][
                :, :, inside
            ].transpose(2, 1, 0)
        padded = np.zeros((self.row_groups * CELL_ROWS, self.column_groups * CELL_COLUMNS), arranged.dtype)
        padded[:, self.placed_columns()] = grid.reshape(padded.shape)
        return padded[: self.rows, : self.columns]

    def locate(self, flat: NDArray[np.integer], length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return row and column of positions of the arranged array, counted as lane * length + position."""
        lane, position = np.divmod(flat.astype(np.int64), length)
        word, bit = np.divmod(lane, CELL)
        row_group, column_group = self._cell(word, position)
        place = column_group * CELL_COLUMNS + bit // CELL_ROWS
        column = place * self.column_stride % (self.column_groups * CELL_COLUMNS)
        return row_group * CELL_ROWS + bit % CELL_ROWS, column
