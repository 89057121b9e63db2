"""Compressed rows dealt to lanes: the best static balance, made before anything runs."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError


def deal_rows(counts: NDArray[np.integer], lanes: int) -> list[NDArray[np.int64]]:
    """Deal rows to lanes: the longest rows first, each to the lane with the fewest items so far.

    Parameters
    ----------
    counts : ndarray of int, shape (rows,)
        Items of each row. Empty rows are left out.
    lanes : int

    Returns
    -------
    list of ndarray of int64
        Rows of each lane, rising. The fullest lane has at most 4/3 of what the best deal could give it (Graham 1969).

    Raises
    ------
    InputError
        There is no lane.
    """
    if lanes < 1:
        raise InputError(f"rows must be dealt to at least 1 lane, not {lanes}")
    heap = [(0, lane) for lane in range(lanes)]
    dealt: list[list[int]] = [[] for _ in range(lanes)]
    for row in np.argsort(-np.asarray(counts), kind="stable"):
        if counts[row] == 0:
            break
        load, lane = heapq.heappop(heap)
        dealt[lane].append(int(row))
        heapq.heappush(heap, (load + int(counts[row]), lane))
    return [np.sort(np.array(rows, np.int64)) for rows in dealt]


@dataclass(frozen=True, eq=False)
class LaneItems:
    """The items of one lane, row after row.

    Attributes
    ----------
    rows : ndarray of int64
        Rows of the lane in their order.
    values : ndarray of int8, shape (items,)
    columns : ndarray of int64, shape (items,)
    ends : ndarray of bool, shape (items,)
        Whether the item is the last of its row.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.int8]
    columns: NDArray[np.int64]
    ends: NDArray[np.bool_]

    def sums(self, activations: NDArray[np.int8]) -> NDArray[np.int32]:
        """Return the accumulator as each item leaves it, shape (items, batch); activations have shape (batch, cols)."""
        products = self.values[:, None].astype(np.int64) * activations[:, self.columns].T
        running = np.concatenate([np.zeros((1, activations.shape[0]), np.int64), np.cumsum(products, axis=0)])
        starts = np.concatenate([[0], np.flatnonzero(self.ends) + 1])
        row_of = np.concatenate([[0], np.cumsum(self.ends)[:-1]]) if self.ends.size else np.zeros(0, int)
        return (running[1:] - running[starts[row_of]]).astype(np.int32)


def items_of(values: NDArray[np.int8], mask: NDArray[np.bool_], lanes: int) -> list[LaneItems]:
    """Turn a masked matrix, shape (rows, cols), into the items of each lane."""
    found = []
    for rows in deal_rows(mask.sum(axis=1), lanes):
        kept = mask[rows]
        at, columns = np.nonzero(kept)
        ends = np.ones(at.size, bool)
        ends[:-1] = at[1:] != at[:-1]
        found.append(LaneItems(rows, values[rows[at], columns], columns, ends))
    return found
