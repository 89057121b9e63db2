"""The scan of a matrix with empty rows or columns: affine through the others alone.

What lies in an empty row or column has no scan position and reads back as 0. A bit a row, and one a column, says which
those are: masks of variational dropout and of l0 regularisation have hundreds, and no code can store them for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.interleaver import Interleaver


@dataclass(frozen=True)
class LiveScan:
    """Scan position i holds element (offset + i * stride) mod L of the matrix of live rows and columns, L in all.

    Parameters
    ----------
    rows, columns : int
        Of the whole matrix.
    row_bits, column_bits : bytes
        A bit for each row and each column, lowest first, 1 for live ones; empty where all are live. The last byte is
        filled up with zeros.
    stride, offset : int
        As of `Interleaver`, for L positions.

    Raises
    ------
    InputError
        The bits are not so many, there is no live row or column, or stride and offset are not those of L positions.
    """

    rows: int
    columns: int
    row_bits: bytes
    column_bits: bytes
    stride: int = 1
    offset: int = 0

    def __post_init__(self) -> None:
        for what, bits, count in (
            ("rows", self.row_bits, self.rows),
            ("columns", self.column_bits, self.columns),
        ):
            if bits and (len(bits) != -(-count // 8) or (count % 8 and bits[-1] >> count % 8)):
                raise InputError(f"live {what} must be told by {count} bits, filled up with zeros")
            if bits and not any(bits):
                raise InputError(f"there must be live {what}")
        self.inner  # noqa: B018 - it checks stride and offset

    @classmethod
    def of(
        cls, live_rows: NDArray[np.bool_], live_columns: NDArray[np.bool_], stride: int = 1, offset: int = 0
    ) -> LiveScan:
        """Make the scan of a matrix from which of its rows and columns are live, shapes (rows,) and (columns,)."""

        def bits(live: NDArray[np.bool_]) -> bytes:
            return b"" if live.all() else np.packbits(live, bitorder="little").tobytes()

        return cls(live_rows.size, live_columns.size, bits(live_rows), bits(live_columns), stride, offset)

    @cached_property
    def live_rows(self) -> NDArray[np.int64]:
        """The live rows, rising."""
        return _numbers(self.row_bits, self.rows)

    @cached_property
    def live_columns(self) -> NDArray[np.int64]:
        """The live columns, rising."""
        return _numbers(self.column_bits, self.columns)

    @cached_property
    def inner(self) -> Interleaver:
        """The scan of the matrix of live rows and columns."""
        return Interleaver(self.live_rows.size * self.live_columns.size, self.stride, self.offset)

    @property
    def n(self) -> int:
        """Weights of the tensor."""
        return self.rows * self.columns

    @property
    def length(self) -> int:
        """Scan positions: those of live rows and columns, fewer than weights."""
        return self.inner.n

    @property
    def spec(self) -> str:
        """``live,stride=...,offset=...,rows=...,columns=...``, with how many are live."""
        counts = f"rows={self.live_rows.size},columns={self.live_columns.size}"
        return f"live,stride={self.stride},offset={self.offset},{counts}"

    def to_scan(self, flat: NDArray) -> NDArray:
        """Put a flattened tensor, shape (n,), into scan order, shape (length,); what is not live is left out."""
        matrix = flat.reshape(self.rows, self.columns)
        return self.inner.to_scan(matrix[np.ix_(self.live_rows, self.live_columns)].reshape(-1))

    def from_scan(self, scanned: NDArray) -> NDArray:
        """Put scan-ordered values, shape (length,), back into tensor order, shape (n,); what is not live is 0."""
        matrix = np.zeros((self.rows, self.columns), scanned.dtype)
        live = self.inner.from_scan(scanned).reshape(self.live_rows.size, self.live_columns.size)
        matrix[np.ix_(self.live_rows, self.live_columns)] = live
        return matrix.reshape(-1)

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the elements at scan positions start .. stop - 1."""
        row, column = np.divmod(self.inner.positions(start, stop), max(1, self.live_columns.size))
        return self.live_rows[row] * self.columns + self.live_columns[column]

    def places(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the scan positions of elements, any shape: undoes `positions`; -1 where an element has none."""
        row, column = np.divmod(elements, max(1, self.columns))
        at_row, at_column = self._place_of_row[row], self._place_of_column[column]
        places = self.inner.places(at_row * self.live_columns.size + at_column)
        return np.where((at_row < 0) | (at_column < 0), -1, places)

    @cached_property
    def _place_of_row(self) -> NDArray[np.int64]:
        return _places(self.live_rows, self.rows)

    @cached_property
    def _place_of_column(self) -> NDArray[np.int64]:
        return _places(self.live_columns, self.columns)


def _numbers(bits: bytes, count: int) -> NDArray[np.int64]:
    if not bits:
        return np.arange(count)
    return np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8), count=count, bitorder="little"))


def _places(live: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    places = np.full(count, -1, np.int64)
    places[live] = np.arange(live.size)
    return places
