"""Generator families: the ways to fill the matrix G, each named, seeded and reproducible for ever.

The random bits come from SHAKE-256 of the family's name and sizes, not from a random-number library, so that a
seed means the same matrix on every machine and with every version of every dependency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from itertools import chain as joined

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bit_source import BitSource
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.graph_code import graph_structure

Matrix = NDArray[np.uint8]
# What the largest graph over the largest window takes, and half as much again; a generator that somebody asks for by
# a text takes no more. One that a file asks for is held against the file's size (`check_cost`).
_BUDGET = 1 << 25


def uniform(*, n_in: int, n_out: int, n_s: int, seed: int) -> Matrix:
    """The paper's family: every element is 0 or 1 with equal probability."""
    columns = n_in * (n_s + 1)
    source = BitSource(f"uniform;{n_in};{n_out};{n_s};{seed}")
    return source.bits(n_out * columns).reshape(n_out, columns)


def _balanced_taps(source: BitSource, rows: int, columns: int, taps: int) -> list[list[int]]:
    """Deal `taps` different columns to each row so that all columns are used equally often (within one deal)."""
    deck: list[int] = []
    dealt: list[list[int]] = []
    for _ in range(rows):
        hand: set[int] = set()
        put_back: list[int] = []
        while len(hand) < taps:
            if not deck:
                deck = source.shuffled(list(range(columns)))
            card = deck.pop()
            if card in hand:
                put_back.append(card)
            else:
                hand.add(card)
        deck.extend(put_back)
        dealt.append(sorted(hand))
    return dealt


def sparse(*, n_in: int, n_out: int, n_s: int, seed: int, taps: int = 6) -> Matrix:
    """`taps` ones in every row, dealt so that every column is used equally often.

    Raises
    ------
    InputError
        There are not so many columns.
    """
    columns = n_in * (n_s + 1)
    if not 1 <= taps <= columns:
        raise InputError(f"taps must be between 1 and the constraint length {columns}, not {taps}")
    source = BitSource(f"sparse;{n_in};{n_out};{n_s};{seed};{taps}")
    matrix = np.zeros((n_out, columns), np.uint8)
    for row, hand in enumerate(_balanced_taps(source, n_out, columns, taps)):
        matrix[row, hand] = 1
    return matrix


def _odd(count: int, most: int) -> int:
    """The next odd number from `count` that is not above `most`, else the one below."""
    return count if count % 2 else (count + 1 if count < most else count - 1)


def chain(*, n_in: int, n_out: int, n_s: int, seed: int, taps: int = 2, run: int = 10) -> Matrix:
    """Runs of outputs, each the one before it plus `taps` fresh columns, started anew every `run` outputs.

    Two outputs of a run differ by the sum of all taps between them, so that care bits, which are several outputs
    apart, see a dense code, though each output costs `taps` two-input XORs only. The first output of a run gets
    about as many taps as a dense sparse row needs: five, or `taps` if that is more, and always an odd number, or
    else with even `taps` every row would be even and G would lack a rank.

    Raises
    ------
    InputError
        There are not so many columns, or the run is empty.
    """
    columns = n_in * (n_s + 1)
    if not 1 <= taps <= columns:
        raise InputError(f"taps must be between 1 and the constraint length {columns}, not {taps}")
    if run < 1:
        raise InputError(f"run must be at least 1, not {run}")
    source = BitSource(f"chain;{n_in};{n_out};{n_s};{seed};{taps};{run}")
    matrix = np.zeros((n_out, columns), np.uint8)
    fresh = _balanced_taps(source, n_out, columns, taps)
    starts = _balanced_taps(
        source, (n_out + run - 1) // run, columns, _odd(min(columns, max(5, taps)), columns)
    )
    for row in range(n_out):
        if row % run == 0:
            matrix[row, starts[row // run]] = 1
        else:
            matrix[row] = matrix[row - 1]
            matrix[row, fresh[row]] ^= 1
    return matrix


def paired_structure(
    *, n_in: int, n_out: int, n_s: int, seed: int, pool: int = 0, run: int = 4
) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Return what `paired` is made of.

    Returns
    -------
    (list of lists of int, list of (int, int))
        The columns that each sum of the pool adds: three for the first of a run, else one, added to the sum before.
        The two sums of each output.

    Raises
    ------
    InputError
        The run or the pool is too small.
    """
    columns = n_in * (n_s + 1)
    pool = pool or max(columns, round(0.65 * n_out))
    if run < 1:
        raise InputError(f"run must be at least 1, not {run}")
    if pool < 4:
        raise InputError(f"pool must be at least 4, not {pool}")
    source = BitSource(f"paired;{n_in};{n_out};{n_s};{seed};{pool};{run}")
    added = _balanced_taps(source, pool, columns, 1)
    added[::run] = _balanced_taps(source, (pool + run - 1) // run, columns, min(columns, 3))
    neighbours: list[set[int]] = [set() for _ in range(pool)]
    # sums that follow each other in a run differ by one column only, so they count as joined
    beside = [{w for w in (v - 1, v + 1) if 0 <= w < pool and w // run == v // run} for v in range(pool)]
    edges = []
    for _ in range(n_out):
        least = min(len(near) for near in neighbours)
        a = source.shuffled([v for v in range(pool) if len(neighbours[v]) == least])[0]
        b = _far_vertex(source, neighbours, a, beside)
        neighbours[a].add(b)
        neighbours[b].add(a)
        edges.append((a, b))
    return added, edges


def paired(*, n_in: int, n_out: int, n_s: int, seed: int, pool: int = 0, run: int = 4) -> Matrix:
    """Each output is the sum of two signals of a pool of running sums; no short ring of outputs closes.

    The pool holds `pool` sums of columns, in runs of `run`: a run starts with three columns and goes on with
    one more for each sum. An output is an edge between two sums, so that outputs are dependent only if their
    edges close a ring (or if sums do). Edges are drawn so that the degrees are equal and rings are long; rings
    of fewer than seven edges are closed only where nothing else is left. Every sum and every output costs about
    one two-input XOR, at a depth of ``run + 2``, and rows behave like dense ones.

    With ``pool=0`` the pool has 0.65 sums an output, at least as many as the constraint length.
    """
    added, edges = paired_structure(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed, pool=pool, run=run)
    return _edge_rows(added, edges, run, n_in * (n_s + 1))


def _edge_rows(
    added: Sequence[Sequence[int]], edges: Sequence[tuple[int, int]] | NDArray, run: int, columns: int
) -> Matrix:
    """Add up running sums, started anew every `run`, and give the sum of two of them for each edge."""
    run = min(run, len(added))
    # runs side by side, the last one filled up
    sums = np.zeros((-(-len(added) // run), run, columns), np.uint8)
    sum_of_tap = np.repeat(np.arange(len(added)), [len(fresh) for fresh in added])
    sums.reshape(-1, columns)[sum_of_tap, np.fromiter(joined.from_iterable(added), np.int64)] = 1
    np.bitwise_xor.accumulate(sums, axis=1, out=sums)
    pool = sums.reshape(-1, columns)
    first, second = np.array(edges).T
    return pool[first] ^ pool[second]


def graph(
    *,
    n_in: int,
    n_out: int,
    n_s: int,
    seed: int,
    pool: int = 0,
    run: int = 4,
    start: int = 2,
    history: int = 0,
) -> Matrix:
    """Each output is an edge between two running sums, in a graph without short rings: see `graph_structure`.

    What ``paired`` is, with fewer sums, rings as long as they can be, and no output that lacks the newest symbol.
    """
    added, edges = graph_structure(
        n_in=n_in, n_out=n_out, n_s=n_s, seed=seed, pool=pool, run=run, start=start, history=history
    )
    return _edge_rows(added, edges, run, n_in * (n_s + 1))


_LONGEST_RING = 6  # rings of so many edges and fewer are kept open as far as possible


def _far_vertex(source: BitSource, neighbours: list[set[int]], vertex: int, beside: list[set[int]]) -> int:
    """Draw a vertex of low degree to join to `vertex`, so that the new edge closes no short ring if possible."""
    reached = {vertex}
    shells = [reached]
    for _ in range(_LONGEST_RING - 1):
        reached = reached.union(*(neighbours[v] | beside[v] for v in reached))
        shells.append(reached)
    for barred in reversed(shells):
        free = [v for v in range(len(neighbours)) if v not in barred]
        if free:
            least = min(len(neighbours[v]) for v in free)
            return source.shuffled([v for v in free if len(neighbours[v]) == least])[0]
    raise InputError("pool must hold more than one sum")


def identity(*, n_in: int, n_out: int, n_s: int) -> Matrix:
    """Output r is bit r of the newest symbol: dense storage as a code of rate 1, for masks with next to no zeros.

    Raises
    ------
    InputError
        n_in and n_out differ.
    """
    if n_in != n_out:
        raise InputError(f"the identity family needs n_in = n_out, not {n_in} and {n_out}")
    return np.eye(n_out, n_in * (n_s + 1), dtype=np.uint8)


MAX_ROWS = 16384
_SIZES = ("n_in", "n_out", "n_s")

# Files name a family by its place here, counted from 1 (0 is a matrix that is stored): append, never insert.
FAMILIES: dict[str, Callable[..., Matrix]] = {
    "uniform": uniform,
    "sparse": sparse,
    "chain": chain,
    "paired": paired,
    "graph": graph,
    "identity": identity,
}


def _defaults(make: Callable[..., Matrix]) -> dict[str, int]:
    """Return a family's parameters beside the sizes, in the order of its signature; a seed is 0 by default."""
    given = {name: p.default for name, p in signature(make).parameters.items() if name not in _SIZES}
    return {name: 0 if default is Parameter.empty else default for name, default in given.items()}


def family_parameters(family: str) -> tuple[str, ...]:
    """Return the names of a family's parameters, in the order in which files store them."""
    return (*_defaults(FAMILIES[family]), "of")


def check_cost(
    family: str, n_in: int, n_out: int, n_s: int, parameters: Mapping[str, int], budget: int
) -> None:
    """Refuse a generator that takes much more time or memory to make than its sizes and `budget` warrant.

    Time and memory of making a matrix are counted in elements touched: those of the matrix, of the pool of a graph,
    and of the taps that are dealt.

    Raises
    ------
    InputError
        It would cost more than `budget` elements.
    """
    columns = n_in * (n_s + 1)
    n_out = max(n_out, parameters.get("of", 0))
    pool = parameters.get("pool", 0)
    if family in ("paired", "graph"):
        pool = pool or max(columns, n_out)
        # `paired` looks at the whole pool for every output, `graph` at the ring's length of it
        cost = pool * columns + pool * n_out * (8 if family == "paired" else 1)
    else:
        cost = n_out * (columns + parameters.get("taps", 0))
    if cost > 16 * budget or parameters.get("run", 0) > 1 << 20:
        raise InputError(
            f"a generator of the family {family} with n_in={n_in}, n_out={n_out}, n_s={n_s} "
            f"and {dict(parameters)!s:.80} must take at most {16 * budget} steps to make here, not {cost!s:.30}"
        )


def build_generator(
    family: str, *, n_in: int, n_out: int, n_s: int, parameters: Mapping[str, int]
) -> tuple[Matrix, dict[str, int]]:
    """Make the generator matrix of a family.

    The parameter ``of``, which every family takes, says that the matrix is the first n_out rows of one with ``of``
    rows: a denser tensor takes the first outputs of each block of a decoder that serves sparser ones, too.

    Returns
    -------
    (ndarray, dict)
        G, shape (n_out, n_in * (n_s + 1)), uint8 of 0 and 1; and every parameter used, defaults filled in.

    Raises
    ------
    InputError
        There is no such family, or it does not take one of the parameters.
    """
    if family not in FAMILIES:
        raise InputError(f"the generator family must be one of {', '.join(sorted(FAMILIES))}, not {family!r}")
    known = _defaults(FAMILIES[family])
    unknown = sorted(set(parameters) - set(known) - {"of"})
    if unknown:
        raise InputError(f"the family {family} takes {', '.join(known)}, not {', '.join(unknown)}")
    for key, value in parameters.items():
        if not 0 <= value < 1 << 63:  # what a file can hold
            raise InputError(f"{key} must be between 0 and 2^63 - 1, not {value!s:.40}")
    of = parameters.get("of", 0)
    if of and not n_out < of <= MAX_ROWS:
        raise InputError(f"of must be more than n_out = {n_out} and at most {MAX_ROWS}, not {of}")
    used = {**known, **{key: value for key, value in parameters.items() if key != "of"}}
    check_cost(family, n_in, n_out, n_s, parameters, _BUDGET)
    matrix = FAMILIES[family](n_in=n_in, n_out=of or n_out, n_s=n_s, **used)[:n_out]
    return matrix, {**used, **({"of": of} if of else {})}
