"""The graph code that planes of few care bits get, all its parameters following from its sizes."""

from __future__ import annotations

import math

from xorweave.golden.code.code import Code

_SUMS = 5  # running sums for each encoded bit: fewer make rings among care bits' edges
_PAIRS = 9  # at least the square root of so many times the outputs, or there are too few pairs of sums


def usual_parameters(n_in: int, n_out: int, n_s: int) -> dict[str, int]:
    """Return the parameters of the family ``graph`` for a size: as many sums as its encoded bits ask for."""
    window = n_in * (n_s + 1)
    run = max(1, min(4, window - 2))
    root = math.isqrt(_PAIRS * n_out)
    return {
        "seed": 0,
        "pool": max(8, root + (root * root < _PAIRS * n_out), _SUMS * n_in),
        "run": run,
        "start": max(2, min(3, window - run + 1)),
    }


def usual_graph(n_in: int, n_out: int, n_s: int, seed: int = 0) -> Code:
    """Return the graph code of a size. Of seed 0, files name it by its sizes alone.

    Planes that are seldom care bits have few encoded bits, so few sums, and hardly more than one exclusive-or an
    output. Chains of two taps take up to twice the gates and a percent more bits.
    """
    parameters = usual_parameters(n_in, n_out, n_s) | {"seed": seed}
    return Code.from_family("graph", n_in=n_in, n_out=n_out, n_s=n_s, **parameters)
