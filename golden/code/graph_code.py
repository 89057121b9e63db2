"""The graph family: outputs are the edges of a graph without short rings, drawn between running sums.

A generator row is the sum of two vertices. Rows whose edges form no ring are independent as long as the vertices are,
so with one care bit in ten, the edges that matter are few and rings of them rare: the rarer the longer the shortest
ring is. That takes one exclusive-or an output and about one a vertex, of which there are half as many as outputs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from xorweave.golden.base.bit_source import BitSource
from xorweave.golden.base.errors import InputError

# A new edge keeps this many steps between its ends, steps between neighbours of a run counted too: beside rings, it
# keeps nearly closed ones long, whose edges add up to a column or two.
_LEAST_DISTANCE = 4
# Vertices that have so many edges more than the poorest may still get one, if that makes the ring longer.
_DEGREE_SLACK = 1


class Deck:
    """Columns dealt in random order, each as often as any other."""

    def __init__(self, source: BitSource, columns: list[int]) -> None:
        self._source = source
        self._columns = columns
        self._left: list[int] = []

    def draw(self, without: set[int]) -> int:
        """Return the next column that is not one of `without`; those passed over come later."""
        passed: list[int] = []
        while True:
            if not self._left:
                self._left = self._source.shuffled(self._columns)
            column = self._left.pop()
            if column not in without:
                self._left.extend(reversed(passed))
                return column
            passed.append(column)


@njit(cache=True, nogil=True)
def _distances(start, neighbours, degrees, run, along, far, distance, queue):  # type: ignore[no-untyped-def]
    # Breadth-first search from `start`; `along` says whether neighbours of a run are joined. Stops at `far`.
    vertices = degrees.size
    distance[:] = far
    distance[start] = 0
    queue[0] = start
    head, tail = 0, 1
    while head < tail:
        v = queue[head]
        head += 1
        step = distance[v] + 1
        if step >= far:
            break
        for k in range(degrees[v] + 2):
            if k < degrees[v]:
                w = neighbours[v, k]
            elif not along:
                break
            else:
                w = v - 1 if k == degrees[v] else v + 1
                if w < 0 or w >= vertices or w // run != v // run:
                    continue
            if distance[w] == far and w != start:
                distance[w] = step
                queue[tail] = w
                tail += 1


def _draw_edges(source: BitSource, vertices: int, edges: int, run: int) -> list[tuple[int, int]]:
    """Draw edges one by one, each from a vertex with the fewest edges to one as far from it as can be."""
    neighbours = np.zeros((vertices, 4 * edges // vertices + 8), np.int32)
    degrees = np.zeros(vertices, np.int32)
    distance, nearby, queue = (np.zeros(vertices, np.int32) for _ in range(3))
    drawn = []
    for _ in range(edges):
        least = degrees.min()
        poorest = np.flatnonzero(degrees == least)
        a = int(poorest[source.below(poorest.size)])
        _distances(a, neighbours, degrees, run, True, _LEAST_DISTANCE, nearby, queue)
        _distances(a, neighbours, degrees, run, False, 2 * vertices, distance, queue)
        apart = nearby == _LEAST_DISTANCE
        if not apart.any():  # a graph too dense for that: any vertex but a and those joined to it
            apart = distance > 1
        poor = apart & (degrees <= least + _DEGREE_SLACK)
        allowed = poor if poor.any() else apart
        if not allowed.any():
            raise InputError(f"the pool must hold more sums for {edges} outputs, not {vertices}")
        farthest = np.flatnonzero(allowed & (distance == distance[allowed].max()))
        farthest = farthest[degrees[farthest] == degrees[farthest].min()]
        b = int(farthest[source.below(farthest.size)])
        for end, other in ((a, b), (b, a)):
            if degrees[end] == neighbours.shape[1]:
                raise InputError(f"the pool must hold more sums for {edges} outputs, not {vertices}")
            neighbours[end, degrees[end]] = other
            degrees[end] += 1
        drawn.append((a, b))
    return drawn


def graph_structure(
    *,
    n_in: int,
    n_out: int,
    n_s: int,
    seed: int,
    pool: int = 0,
    run: int = 4,
    start: int = 2,
    history: int = 0,
) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Return what a code of the family ``graph`` is made of.

    Parameters
    ----------
    n_in, n_out, n_s, seed : int
    pool : int
        Running sums (vertices); 0 means half as many as outputs.
    run : int
        Sums of a run: each is the one before it plus one column.
    start : int
        Columns of the first sum of a run, at least 2: one of the newest symbol, so that a stream's first blocks, whose
        history is empty, are as well served as the others; one of an older symbol; the rest of either.
    history : int
        How many columns of older symbols are used, newest first; 0 means all. The others need no registers.

    Returns
    -------
    (list of lists of int, list of (int, int))
        The columns that each sum adds to the one before it (or, first of a run, to nothing), and the two sums of each
        output.

    Raises
    ------
    InputError
        A parameter is out of range.
    """
    older = n_in * n_s
    pool = pool or max(8, n_out // 2)
    if run < 1:
        raise InputError(f"run must be at least 1, not {run}")
    if pool < 8:
        raise InputError(f"pool must be at least 8, not {pool}")
    if not 0 <= history <= older:
        raise InputError(f"history must be between 0 and n_in * n_s = {older}, not {history}")
    used = n_in + (history or older)
    if start < 2 or start + run - 1 > used:
        raise InputError(f"start must be between 2 and {used - run + 1} with runs of {run}, not {start}")
    source = BitSource(f"graph;{n_in};{n_out};{n_s};{seed};{pool};{run};{start};{history}")
    newest, every = Deck(source, list(range(n_in))), Deck(source, list(range(used)))
    oldest = Deck(source, list(range(n_in, used))) if used > n_in else newest
    added = []
    held: set[int] = set()
    for sum_ in range(pool):
        if sum_ % run:
            fresh = [every.draw(held)]
            held.update(fresh)
        else:
            held = set()
            for deck in [newest, oldest, *[every] * (start - 2)]:
                held.add(deck.draw(held))
            fresh = sorted(held)
        added.append(fresh)
    return added, _draw_edges(source, pool, n_out, run)
