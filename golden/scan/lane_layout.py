"""Where each weight of a matrix meets its activation: one block a cycle on L lanes, activations in a ring.

Lane i of L works on one row at a time and on column c + o_i in ring step c, the offsets o_i being spread round the
ring, so that a block takes its weights from L rows and L columns far apart. Real masks are dense in some rows and
some columns; over such a block this evens out, as it must for a code of fixed rate, and yet no activation has to be
looked up: the ring moves on by one place and brings every lane its next column.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.strides import golden_stride


@dataclass(frozen=True, kw_only=True)
class LaneLayout:
    """Layout of a matrix on lanes ("diagonal lanes").

    A pass works on ``lanes * interleave`` rows. In ring step c, 0 <= c < cols, it takes `interleave` blocks: block
    p holds, for lane i, the weight at row ``(pass * interleave + p) * lanes + i`` and column
    ``(start_column + c + taps[i]) mod cols``. Rows are padded to whole passes with don't-cares; columns never.

    Parameters
    ----------
    rows, cols : int
        Shape of the matrix, at least 1 by 1.
    lanes : int
        Multiply-accumulate lanes, L: the weights of a block (N_out of the code).
    interleave : int
        Rows a lane works on in turn, P: its accumulators. The ring moves on once in P blocks.
    start_column : int
        Column at ring position 0 when a pass starts. Free, as the ring closes.
    lead : int
        Blocks of don't-cares before the first pass. They fill the decoder's window, so that the start of the stream,
        where equations have few encoded bits to choose from, meets no care bit; they cost a cycle each.

    Raises
    ------
    InputError
        A size is below 1, the lead is negative, or the start lies outside the matrix.
    """

    rows: int
    cols: int
    lanes: int
    interleave: int = 1
    start_column: int = 0
    lead: int = 0

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "lanes", "interleave"):
            value = operator.index(getattr(self, name))
            if value < 1:
                raise InputError(f"{name} of a lane layout must be at least 1, not {value}")
        if operator.index(self.lead) < 0:
            raise InputError(f"the lead of a lane layout must be at least 0, not {self.lead}")
        if not 0 <= self.start_column < self.cols:
            raise InputError(f"start_column must be between 0 and {self.cols - 1}, not {self.start_column}")

    @classmethod
    def fitting(cls, rows: int, cols: int, lanes: int, *, interleave: int | None = None) -> LaneLayout:
        """Make a layout of at most `interleave` rows a lane (all of them by default), with the least padding."""
        groups = max(1, -(-rows // max(1, lanes)))
        most = groups if interleave is None else max(1, min(interleave, groups))
        passes = -(-groups // most)
        return cls(rows=rows, cols=cols, lanes=lanes, interleave=-(-groups // passes))

    @property
    def passes(self) -> int:
        """Times that the ring goes round."""
        return -(-self.rows // (self.lanes * self.interleave))

    @property
    def padded_rows(self) -> int:
        """Rows with the padding, whole passes of them."""
        return self.passes * self.lanes * self.interleave

    @property
    def blocks(self) -> int:
        """Blocks of the whole matrix, the lead among them: cycles of an engine that takes one in each."""
        return self.lead + self.passes * self.cols * self.interleave

    @property
    def n(self) -> int:
        """Weights of the matrix."""
        return self.rows * self.cols

    @property
    def length(self) -> int:
        """Scan positions: lead, and the rows' padding, included."""
        return self.blocks * self.lanes

    @property
    def spec(self) -> str:
        """``lanes,lanes=...,interleave=...,start_column=...,lead=...``."""
        return (
            f"lanes,lanes={self.lanes},interleave={self.interleave},"
            f"start_column={self.start_column},lead={self.lead}"
        )

    def to_scan(self, flat: NDArray) -> NDArray:
        """Put a flattened matrix, shape (rows * cols,), into scan order, shape (length,); padding is 0."""
        return self.arrange(flat.reshape(self.rows, self.cols)).reshape(-1)

    def from_scan(self, scanned: NDArray) -> NDArray:
        """Put scan-ordered values, shape (length,), back into the flattened matrix: undoes `to_scan`."""
        return np.ascontiguousarray(self.restore(scanned.reshape(self.blocks, self.lanes))).reshape(-1)

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the elements of the flattened matrix at scan positions start .. stop - 1; -1 is padding."""
        stop = self.length if stop is None else stop
        block, lane = np.divmod(np.arange(start, stop, dtype=np.int64), self.lanes)
        ring, turn = np.divmod(block - self.lead, self.interleave)
        lap, step = np.divmod(ring, self.cols)
        row = (lap * self.interleave + turn) * self.lanes + lane
        column = (self.start_column + step + self.taps[lane]) % self.cols
        return np.where((ring >= 0) & (row < self.rows), row * self.cols + column, -1)

    def places(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the scan positions of elements of the flattened matrix, any shape: the inverse of `positions`."""
        row, column = np.divmod(elements, self.cols)
        group, lane = np.divmod(row, self.lanes)
        lap, turn = np.divmod(group, self.interleave)
        step = (column - self.start_column - self.taps[lane]) % self.cols
        return (self.lead + (lap * self.cols + step) * self.interleave + turn) * self.lanes + lane

    @cached_property
    def spread(self) -> int:
        """Step k of the order of the lanes round the ring: neighbouring lanes are k taps apart."""
        return golden_stride(self.lanes)

    @cached_property
    def ring_places(self) -> NDArray[np.int64]:
        """Ring position of tap j, shape (lanes,): ``floor(j * cols / lanes)``, never falling."""
        return np.arange(self.lanes, dtype=np.int64) * self.cols // self.lanes

    @cached_property
    def taps(self) -> NDArray[np.int64]:
        """Offset o_i of each lane, shape (lanes,): the ring position it reads."""
        return self.ring_places[np.arange(self.lanes) * self.spread % self.lanes]

    def columns(self) -> NDArray[np.int64]:
        """Column of each lane in each ring step, shape (cols, lanes)."""
        steps = np.arange(self.cols, dtype=np.int64)[:, None]
        return (self.start_column + steps + self.taps[None, :]) % self.cols

    def group_rows(self) -> NDArray[np.int64]:
        """Rows whose results leave together, shape (passes * interleave, lanes); those >= `rows` are padding."""
        return np.arange(self.padded_rows, dtype=np.int64).reshape(-1, self.lanes)

    def arrange(self, matrix: NDArray, padding: object = 0) -> NDArray:
        """Put a matrix, shape (rows, cols), into block order, shape (blocks, lanes).

        Raises
        ------
        InputError
            The matrix has another shape.
        """
        if matrix.shape != (self.rows, self.cols):
            raise InputError(f"the matrix must have shape {(self.rows, self.cols)}, not {matrix.shape}")
        padded = np.full((self.padded_rows, self.cols), padding, matrix.dtype)
        padded[: self.rows] = matrix
        by_lane = padded.reshape(self.passes, self.interleave, self.lanes, self.cols)
        arranged = np.full((self.blocks, self.lanes), padding, matrix.dtype)
        blocks = arranged[self.lead :].reshape(self.passes, self.cols, self.interleave, self.lanes)
        for lane, tap in enumerate(self.taps):
            rolled = np.roll(by_lane[:, :, lane], -(self.start_column + int(tap)), axis=2)
            blocks[:, :, :, lane] = rolled.transpose(0, 2, 1)
        return arranged

    def restore(self, blocks: NDArray) -> NDArray:
        """Put blocks, shape (blocks, lanes), back into the matrix, shape (rows, cols): undoes `arrange`.

        Raises
        ------
        InputError
            The blocks have another shape.
        """
        if blocks.shape != (self.blocks, self.lanes):
            raise InputError(f"the blocks must have shape {(self.blocks, self.lanes)}, not {blocks.shape}")
        given = blocks[self.lead :].reshape(self.passes, self.cols, self.interleave, self.lanes)
        by_lane = np.empty((self.passes, self.interleave, self.lanes, self.cols), blocks.dtype)
        for lane, tap in enumerate(self.taps):
            by_lane[:, :, lane] = np.roll(
                given[:, :, :, lane].transpose(0, 2, 1), self.start_column + int(tap), axis=2
            )
        return by_lane.reshape(self.padded_rows, self.cols)[: self.rows]

    def load_chunks(self, words: int) -> list[tuple[int, int]]:
        """Cut the ring into `words` chunks that are filled side by side; (first ring position, length) of each.

        Chunks start at taps, so every one is a whole number of delay lines. Some are empty if there are fewer
        columns than words.

        Raises
        ------
        InputError
            There are no words, or more than lanes.
        """
        if not 1 <= words <= self.lanes:
            raise InputError(f"the words loaded in a cycle must be between 1 and {self.lanes}, not {words}")
        firsts = [int(self.ring_places[k * self.lanes // words]) for k in range(words)]
        return [(a, b - a) for a, b in zip(firsts, [*firsts[1:], self.cols], strict=True)]

    def load_beats(self, activations: NDArray, words: int) -> NDArray:
        """Put activations, shape (batch, cols), into the order they are loaded in: shape (beats, words, batch).

        Every chunk of the ring is a shift register while it is loaded: what is to sit lowest comes first, and a
        chunk shorter than the longest begins with zeros, which fall out again.
        """
        chunks = self.load_chunks(words)
        beats = max(length for _, length in chunks)
        loaded = np.zeros((beats, words, activations.shape[0]), activations.dtype)
        for k, (first, length) in enumerate(chunks):
            places = (self.start_column + first + np.arange(length)) % self.cols
            loaded[beats - length :, k] = activations[:, places].T
        return loaded
