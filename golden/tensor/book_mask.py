"""A mask through a pattern book: its patterns to symbols, one group of planes after another."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import BookMask
from xorweave.golden.mask.pattern_book import PatternBook, patterns_of
from xorweave.golden.tensor.solvers import make_solver


def encode_book_mask(
    kept: NDArray[np.bool_],
    book: PatternBook,
    codes: Sequence[Code],
    *,
    segment_blocks: int | None = None,
    jobs: int = 1,
) -> BookMask:
    """Encode a mask in scan order.

    Parameters
    ----------
    kept : ndarray of bool, shape (length,)
    book : PatternBook
    codes : sequence of Code
        One for each span of the book, all with one n_out; that of the first is the identity.
    segment_blocks : int, optional
        Blocks between two starts of stream; one segment by default.
    jobs : int
        Threads; the result does not depend on it.

    Returns
    -------
    BookMask
        Nearly every pattern comes out as it is; those that do not are for whoever encodes the values to mend.

    Raises
    ------
    InputError
        The codes are not such codes.
    """
    spans = book.spans
    if len(codes) != len(spans) or len({code.n_out for code in codes}) != 1 or codes[0].family != "identity":
        raise InputError(
            f"there must be {len(spans)} codes of one n_out for the mask, the first the identity"
        )
    n_out = codes[0].n_out
    patterns = patterns_of(kept, book.m)
    blocks = -(-patterns.size // n_out)
    period = min(segment_blocks or blocks, blocks) or 1
    planes, care = book.targets(patterns, np.ones(patterns.size, bool))

    def encoded(index: int) -> PlaneGroup:
        (first, end), code = spans[index], codes[index]
        word = np.dtype(next(f"uint{size}" for size in (8, 16) if end - first <= size))
        shift, ones = book.planes - end, (1 << (end - first)) - 1
        targets = (planes >> planes.dtype.type(shift) & planes.dtype.type(ones)).astype(word)
        if index == 0:
            symbols = np.zeros((blocks, n_out), word)
            symbols.reshape(-1)[: targets.size] = targets
            return PlaneGroup(first, end, code, symbols)
        solve = make_solver(code, "elimination", end - first)
        parts = [
            solve(targets[t * n_out : (t + period) * n_out], care[index][t * n_out : (t + period) * n_out])
            for t in range(0, max(1, blocks), period)  # of an empty mask no symbols
        ]
        return PlaneGroup(first, end, code, np.concatenate(parts))

    with ThreadPoolExecutor(jobs) as pool:
        groups = tuple(pool.map(encoded, range(len(spans))))
    return BookMask(book, groups, kept.size, period)
