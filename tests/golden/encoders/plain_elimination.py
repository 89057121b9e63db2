"""Greedy solving of the care bits' equations in plain Python, without a window: an oracle.

All encoded bits of the segment are unknowns at once. A row is a Python integer: bit t*n_in + b is bit b of x_t.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.code import Code


def equation(code: Code, position: int) -> int:
    """Return the row of the equation of one scan position; x_t = 0 before the segment's start."""
    t, r = divmod(position, code.n_out)
    row = 0
    for age in range(min(code.n_s, t) + 1):
        for b in range(code.n_in):
            if code.generator[r, age * code.n_in + b]:
                row |= 1 << ((t - age) * code.n_in + b)
    return row


def plain_elimination(
    code: Code, targets: NDArray[np.unsignedinteger], mask: NDArray[np.bool_]
) -> NDArray[np.unsignedinteger]:
    """Return what the decoder must get wrong: for each position the difference word, 0 where all planes match.

    An equation holds unless it is a sum of equations before it; then the sum of their right-hand sides decides,
    plane by plane. This does not depend on the order of pivots or on any window.
    """
    pivots: dict[int, tuple[int, int]] = {}  # lowest set bit of a row -> (row, right-hand side)
    wrong = np.zeros_like(targets)
    for position in np.flatnonzero(mask):
        row, rhs = equation(code, int(position)), int(targets[position])
        while row:
            lowest = row & -row
            if lowest not in pivots:
                pivots[lowest] = (row, rhs)
                break
            row ^= pivots[lowest][0]
            rhs ^= pivots[lowest][1]
        else:
            wrong[position] = rhs
    return wrong
