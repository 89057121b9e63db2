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
_SLACK = 1.008  # encoded over care bits of a good rate, about
_LEAST_BLOCKS = 12  # of a stream: its first blocks have few encoded bits to choose from, its last is padded
# Outputs that any tensor may have, and blocks from which on there may be more: a block shares the decoder's registers.
_ANY_BLOCK, _MANY_BLOCKS = 256, 192
_LEAST_K = 16  # shortest window
_REGISTER = 9.0  # gate equivalents of a bit held, about


def window_of(density: float, densest: float, max_k: int) -> int:
    """Return the longest window for a group of this density of care bits, `max_k` being that of the densest one.

    What a window of K bits wastes of a group's bits goes with 1/K, what it takes in registers with K, whatever the
    density: the best K goes with the square root of the bits.
    """
    return max(min(max_k, _LEAST_K), math.ceil(max_k * math.sqrt(density / max(densest, 1e-9))))


def choose_rates(
    groups: Sequence[tuple[int, int, NDArray[np.bool_]]],
    n: int,
    n_w: int,
    windows: Sequence[int],
    *,
    n_out: int | None = None,
    smooth: bool = False,
    family: str = "graph",
    gate_price: float = 0.0,
) -> tuple[float, int, list[tuple[int, int]]]:
    """Choose N_out, and N_in and N_s of each group, for the fewest bits.

    Parameters
    ----------
    groups : sequence of (first, end, care)
        Planes first .. end - 1, and their care bits in scan order, shape (n,).
    n_w : int
        Bits of a word, and so of a patch.
    windows : sequence of int
        Longest windows that are tried for the densest group (`window_of` has the others'): N_in may be half of one.
    n_out : int, optional
        Where it is settled already.
    smooth : bool
        Judge every N_out by those beside it, too. How well the care bits of a block round to whole N_in is luck, which
        is gone where the care bits will still move a little.
    family : str
        Of the generators.
    gate_price : float
        Share of the bits that a gate equivalent a weight must save, the registers' being counted.

    Returns
    -------
    (float, int, list of (int, int))
        Expected bits, raised by the price of the registers, N_out, N_in and N_s of each group; infinitely many bits if
        no N_in is within a window.
    """
    packed = [(end - first, CareBits.of(care)) for first, end, care in groups]
    most = max((care.ones for _, care in packed), default=0)
    # a stream of few blocks loses at its ends, and its decoder would be as large as the tensor
    longest = max(1, min(_MAX_N_OUT, n // _LEAST_BLOCKS, max(_ANY_BLOCK, n // _MANY_BLOCKS)))
    tried = {n_out or max(1, min(longest, round(width * n / max(most, 1) / _SLACK))) for width in _WIDTHS}
    found: list[tuple[float, int, list[tuple[int, int]]]] = []
    lowest = math.inf
    for outputs in sorted(tried):
        best: tuple[float, int, list[tuple[int, int]]] | None = None
        for max_k in windows:
            total, chosen, held = 0.0, [], 0.0
            for planes, care in packed:
                sizes = _sizes(care.ones, most, n, outputs, max_k)
                terms = Terms(planes=planes, n_w=n_w, family=family)
                cheapest = care.cheapest(sizes, terms, below=lowest - total) if sizes else []
                if not cheapest:
                    break
                total += cheapest[0].bits
                chosen.append((cheapest[0].n_in, cheapest[0].n_s))
                held += planes * cheapest[0].n_in * (cheapest[0].n_s + 1)
            total *= 1 + gate_price * _REGISTER * held / outputs
            if len(chosen) == len(packed) and (best is None or total < best[0]):
                best = (total, outputs, chosen)
                lowest = lowest if smooth else min(lowest, total)
        if best is not None:
            found.append(best)
    if not found:
        return math.inf, min(tried), [(1, 1)] * len(packed)
    costs = np.array([cost for cost, _, _ in found])
    if smooth:
        costs = np.convolve(np.pad(costs, 1, mode="edge"), np.ones(3), "valid")
    return found[int(np.argmin(costs))]


def _sizes(ones: int, most: int, n: int, outputs: int, max_k: int) -> list[tuple[int, int, int]]:
    """Return the sizes (N_in, N_out, N_s) worth looking at for a group of so many care bits."""
    mean = ones / max(1, n) * outputs
    last = min(max(1, math.ceil(mean * 1.03)) + 1, max_k // 2, outputs)
    window = window_of(ones, most, max_k)
    return [
        (n_in, outputs, max(1, window // n_in - 1))
        for n_in in range(max(1, math.floor(mean * 0.99)), last + 1)
    ]
