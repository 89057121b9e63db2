"""The graph family: outputs are the edges of a graph without short rings, drawn between running sums.

A generator row is the sum of two vertices. Rows whose edges form no ring are independent as long as the vertices are,
so with one care bit in ten, the edges that matter are few and rings of them rare: the rarer the longer the shortest
ring is. That takes one exclusive-or an output and about one a vertex, of which there are half as many as outputs.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.bit_source import BitSource, below
from xorweave.golden.base.errors import InputError

# A new edge keeps this many steps between its ends, steps between neighbours of a run counted too: beside rings, it
# keeps nearly closed ones long, whose edges add up to a column or two.
_LEAST_DISTANCE = 4
# Vertices that have so many edges more than the poorest may still get one, if that makes the ring longer.
_DEGREE_SLACK = 1


# Decks of columns: those of the newest symbol, of older ones, and of all.
_NEWEST, _OLDER, _ALL = 0, 1, 2
# What `_deal` returns instead of a place in the words.
_NO_MORE_WORDS, _NO_MORE_ROOM = -1, -2


@njit(cache=True, nogil=True)
def _next_card(deck, words, at, begins, sizes, cards, left, held, passed):  # type: ignore[no-untyped-def]
    # Columns come in random order, each as often as any other. Returns the next one that is not held, and the place
    # in the words; those passed over come later.
    many = 0
    while True:
        if left[deck] == 0:
            for i in range(sizes[deck]):
                cards[deck, i] = begins[deck] + i
            for i in range(sizes[deck] - 1, 0, -1):
                k, at = below(words, at, i + 1)
                if at < 0:
                    return 0, _NO_MORE_WORDS
                cards[deck, i], cards[deck, k] = cards[deck, k], cards[deck, i]
            left[deck] = sizes[deck]
        left[deck] -= 1
        column = cards[deck, left[deck]]
        if not held[column]:
            break
        if many == passed.size:
            return 0, _NO_MORE_ROOM
        passed[many] = column
        many += 1
    if left[deck] + many > cards.shape[1]:
        return 0, _NO_MORE_ROOM
    for i in range(many - 1, -1, -1):
        cards[deck, left[deck]] = passed[i]
        left[deck] += 1
    return column, at


@njit(cache=True, nogil=True)
def _deal(words, n_in, used, run, firsts, added, room):  # type: ignore[no-untyped-def]
    # Fills `firsts`, shape (runs, start), with the columns of each run's first sum, and `added`, shape (pool,), with
    # the column that every other sum adds. Returns the place in the words after those it took.
    begins = np.array([0, n_in, 0])
    sizes = np.array([n_in, used - n_in, used])
    cards = np.zeros((3, used + room), np.int64)
    left = np.zeros(3, np.int64)
    held = np.zeros(used, np.bool_)
    passed = np.zeros(used + room, np.int64)
    at = 0
    for j in range(added.size):
        if j % run == 0:
            held[:] = False
        for i in range(1 if j % run else firsts.shape[1]):
            deck = _ALL if j % run or i > 1 else i
            if deck == _OLDER and used == n_in:
                deck = _NEWEST
            column, at = _next_card(deck, words, at, begins, sizes, cards, left, held, passed)
            if at < 0:
                return at
            held[column] = True
            if j % run:
                added[j] = column
            else:
                firsts[j // run, i] = column
    return at


def _deal_columns(
    source: BitSource, n_in: int, used: int, pool: int, run: int, start: int
) -> tuple[tuple[int, ...], ...]:
    """Return the columns that each sum adds: `start` for the first of a run, sorted, else one, new to the run."""
    firsts = np.zeros((-(-pool // run), start), np.int64)
    added = np.zeros(pool, np.int64)
    words = source.words(firsts.size + pool + 3 * used)
    room = start
    while True:
        at = _deal(words, n_in, used, run, firsts, added, room)
        if at >= 0:
            break
        if at == _NO_MORE_WORDS:
            words = np.concatenate([words, source.words(used)])
        else:
            room *= 2
    source.put_back(words[at:])
    dealt = [(column,) for column in added.tolist()]
    dealt[::run] = map(tuple, np.sort(firsts, axis=1).tolist())
    return tuple(dealt)


@njit(cache=True, nogil=True)
def _distances(start, neighbours, degrees, far, distance, queue):  # type: ignore[no-untyped-def]
    # Breadth-first search from `start`, which is all that a graph of many outputs takes time for: no branch but on
    # whether a vertex was seen, and unsigned places, which need no look whether they count from the end. Vertices that
    # are not reached are `far`. The farthest, often half of all, are not looked at: all are seen when they are.
    distance[:] = far
    distance[start] = 0
    queue[0] = start
    one, vertices = np.uint64(1), np.uint64(degrees.size)
    head, tail = np.uint64(0), one
    while head < tail < vertices:
        v = np.uint64(queue[head])
        head += one
        step = distance[v] + 1
        for k in range(np.uint64(degrees[v])):
            w = np.uint64(neighbours[v, k])
            queue[tail] = w
            new = distance[w] == far
            distance[w] = step if new else distance[w]
            tail += np.uint64(new)


@njit(cache=True, nogil=True)
def _nearby(start, neighbours, degrees, run, nearby, queue):  # type: ignore[no-untyped-def]
    # The same with neighbours of a run joined, up to fewer steps than `_LEAST_DISTANCE`; where all are that near, only
    # so many are certain.
    vertices = degrees.size
    nearby[:] = _LEAST_DISTANCE
    nearby[start] = 0
    queue[0] = start
    head, tail = 0, 1
    while head < tail < vertices:
        v = queue[head]
        head += 1
        step = nearby[v] + 1
        if step >= _LEAST_DISTANCE:
            break
        for k in range(degrees[v] + 2):
            if k < degrees[v]:
                w = neighbours[v, k]
            else:
                w = v - 1 if k == degrees[v] else v + 1
                if w < 0 or w >= vertices or w // run != v // run:
                    continue
            if nearby[w] == _LEAST_DISTANCE:
                nearby[w] = step
                queue[tail] = w
                tail += 1
    return tail


@njit(cache=True, nogil=True)
def _draw(words, run, neighbours, degrees, drawn):  # type: ignore[no-untyped-def]
    # Fills `drawn`, shape (edges, 2), by random 32-bit words. Returns how many edges it drew: fewer if the vertices
    # do not do, or -1 if the words do not.
    vertices = degrees.size
    most = neighbours.shape[1]
    nearby = np.zeros(vertices, np.int32)
    distance = np.zeros(vertices, np.int32)
    queue = np.zeros(vertices + 1, np.int32)  # what was seen before is written behind the last one, too
    picks = np.zeros(vertices + 1, np.int32)
    ranks = np.zeros(vertices, np.int32)
    word = 0
    least, poorest_left = 0, vertices  # the fewest edges of a vertex, and how many vertices have no more
    for edge in range(drawn.shape[0]):
        at, word = below(words, word, poorest_left)
        if word < 0:
            return -1
        a = -1
        while at >= 0:
            a += 1
            at -= np.int64(degrees[a] == least)
        apart = _nearby(a, neighbours, degrees, run, nearby, queue) < vertices
        _distances(a, neighbours, degrees, 2 * vertices, distance, queue)
        # a graph too dense for that: any vertex but a and those joined to it; then the farthest, then the poorest
        best, count = -1, 0
        for slack in (_DEGREE_SLACK, most):
            for v in range(vertices):
                far = nearby[v] == _LEAST_DISTANCE if apart else distance[v] > 1
                rank = distance[v] * (most + 1) + most - degrees[v]
                ranks[v] = rank if far and degrees[v] <= least + slack else -1
            for v in range(vertices):
                best = max(best, ranks[v])
            if best >= 0:
                break
        if best < 0:
            return edge
        for v in range(vertices):
            picks[count] = v
            count += np.int64(ranks[v] == best)
        at, word = below(words, word, count)
        if word < 0:
            return -1
        b = picks[at]
        if degrees[a] == most or degrees[b] == most:
            return edge
        neighbours[a, degrees[a]] = b
        neighbours[b, degrees[b]] = a
        poorest_left -= np.int64(degrees[a] == least) + np.int64(degrees[b] == least)
        degrees[a] += 1
        degrees[b] += 1
        while poorest_left == 0:
            least += 1
            for v in range(vertices):
                poorest_left += np.int64(degrees[v] == least)
        drawn[edge, 0], drawn[edge, 1] = a, b
    return drawn.shape[0]


def _draw_edges(source: BitSource, vertices: int, edges: int, run: int) -> NDArray[np.int32]:
    """Draw edges one by one, each from a vertex with the fewest edges to one as far from it as can be."""
    drawn = np.zeros((edges, 2), np.int32)
    words = source.words(2 * edges + 8)
    while True:
        neighbours = np.zeros((vertices, 4 * edges // vertices + 8), np.int32)
        done = _draw(words, run, neighbours, np.zeros(vertices, np.int32), drawn)
        if done >= 0:
            break
        words = np.concatenate([words, source.words(edges)])  # some were no good, one in a million
    if done < edges:
        raise InputError(f"the pool must hold more sums for {edges} outputs, not {vertices}")
    return drawn


@lru_cache(maxsize=1024)  # asked for by the code, its network, and again when what was stored is read
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
) -> tuple[tuple[tuple[int, ...], ...], NDArray[np.int32]]:
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
    (tuple of tuples of int, ndarray of int32, shape (n_out, 2))
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
    added = _deal_columns(source, n_in, used, pool, run, start)
    edges = _draw_edges(source, pool, n_out, run)
    edges.setflags(write=False)
    return added, edges
