"""Rates for planes that share care bits group by group, all groups giving the same number of outputs a block."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.choose.price import CareBits, Terms

# Encoded bits a block of the densest group, tried.
_WIDTHS = (12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 96)
_MAX_N_OUT = 4096
_LEAST_BLOCKS = 12  # of a stream: its first blocks have few encoded bits to choose from, its last is padded
_ANY_BLOCK, _MANY_BLOCKS = (
    256,
    256,
)  # outputs that any tensor may have, and blocks from which on there may be more


def choose_rates(
    groups: Sequence[tuple[int, int, NDArray[np.bool_]]],
    n: int,
    n_w: int,
    max_k: int,
    *,
    n_out: int | None = None,
    family: str = "chain",
) -> tuple[float, int, list[int]]:
    """Choose N_out, and N_in of each group, for the fewest bits.

    Parameters
    ----------
    groups : sequence of (first, end, care)
        Planes first .. end - 1, and their care bits in scan order, shape (n,).
    n_w : int
        Bits of a word, and so of a patch.
    max_k : int
        Longest window of any group: N_in may be half of it.
    n_out : int, optional
        Where it is settled already.
    family : str
        Of the generators.

    Returns
    -------
    (float, int, list of int)
        Expected bits, N_out, N_in of each group; infinitely many bits if no N_in is within the window.
    """
    packed = [(end - first, CareBits.of(care)) for first, end, care in groups]
    most = max((care.ones for _, care in packed), default=0)
    # a stream of few blocks loses at its ends, and its decoder would be as large as the tensor
    longest = max(1, min(_MAX_N_OUT, n // _LEAST_BLOCKS, max(_ANY_BLOCK, n // _MANY_BLOCKS)))
    tried = {n_out or max(1, min(longest, round(width * n / max(most, 1) / 1.008))) for width in _WIDTHS}
    best: tuple[float, int, list[int]] = (math.inf, min(tried), [1] * len(packed))
    for outputs in sorted(tried):
        total, widths = 0.0, []
        for planes, care in packed:
            mean = care.ones / max(1, n) * outputs
            last = min(max(1, math.ceil(mean * 1.03)) + 1, max_k // 2, outputs)
            sizes = [
                (n_in, outputs, max_k // n_in - 1)
                for n_in in range(max(1, math.floor(mean * 0.99)), last + 1)
            ]
            terms = Terms(planes=planes, n_w=n_w, family=family)
            found = care.cheapest(sizes, terms, below=best[0] - total) if sizes else []
            if not found:
                break
            total += found[0].bits
            widths.append(found[0].n_in)
        if len(widths) == len(packed) and total < best[0]:
            best = (total, outputs, widths)
    return best
