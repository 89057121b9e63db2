"""Rates for planes that share care bits group by group, all groups giving the same number of outputs a block."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.choose.price import CareBits, Terms

# Encoded bits a block of the densest group, tried.
_WIDTHS = (12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 96)
_MAX_N_OUT = 4096
_SLACK = 1.008  # encoded over care bits of a good rate, about
_LEAST_BLOCKS = 12  # of a stream: its first blocks have few encoded bits to choose from, its last is padded
_ANY_BLOCK, _MANY_BLOCKS = (
    256,
    256,
)  # outputs that any tensor may have, and blocks from which on there may be more


def choose_rates(
    groups: Sequence[tuple[int, int, NDArray[np.bool_]]],
    n: int,
    n_w: int,
    max_k: int | Callable[[int], int],
    *,
    n_out: int | None = None,
    smooth: bool = False,
    family: str = "chain",
) -> tuple[float, int, list[int]]:
    """Choose N_out, and N_in of each group, for the fewest bits.

    Parameters
    ----------
    groups : sequence of (first, end, care)
        Planes first .. end - 1, and their care bits in scan order, shape (n,).
    n_w : int
        Bits of a word, and so of a patch.
    max_k : int, or callable from int to int
        Longest window of any group, for every N_out or as a function of it: N_in may be half of it.
    n_out : int, optional
        Where it is settled already.
    smooth : bool
        Judge every N_out by those beside it, too. How well the care bits of a block round to whole N_in is luck, which
        is gone where the care bits will still move a little.
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
    tried = {n_out or max(1, min(longest, round(width * n / max(most, 1) / _SLACK))) for width in _WIDTHS}
    found: list[tuple[float, int, list[int]]] = []
    lowest = math.inf
    for outputs in sorted(tried):
        total, widths = 0.0, []
        window = max_k if isinstance(max_k, int) else max_k(n_out or longest)
        for planes, care in packed:
            mean = care.ones / max(1, n) * outputs
            last = min(max(1, math.ceil(mean * 1.03)) + 1, window // 2, outputs)
            sizes = [
                (n_in, outputs, window // n_in - 1)
                for n_in in range(max(1, math.floor(mean * 0.99)), last + 1)
            ]
            terms = Terms(planes=planes, n_w=n_w, family=family)
            cheapest = care.cheapest(sizes, terms, below=lowest - total) if sizes else []
            if not cheapest:
                break
            total += cheapest[0].bits
            widths.append(cheapest[0].n_in)
        if len(widths) == len(packed):
            found.append((total, outputs, widths))
            lowest = math.inf if smooth else min(lowest, total)
    if not found:
        return math.inf, min(tried), [1] * len(packed)
    costs = np.array([cost for cost, _, _ in found])
    if smooth:
        costs = np.convolve(np.pad(costs, 1, mode="edge"), np.ones(3), "valid")
    return found[int(np.argmin(costs))]
