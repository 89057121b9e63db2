"""Rates for planes that share care bits group by group, all groups giving the same number of outputs a block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.price import CareBits, price_of
from xorweave.golden.code.code import MAX_N_IN

# Encoded bits a block of the densest group, tried; and in steps of 3 %, as it is luck how well the care bits of all
# groups round to whole N_in.
_WIDTHS = (12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 96)
_FINE = tuple(12 * 1.03**k for k in range(72))
_MAX_N_OUT = 4096
_SLACK = 1.008  # encoded over care bits of a good rate, about
_LEAST_BLOCKS = 12  # of a stream: its first blocks have few encoded bits to choose from, its last is padded
# Outputs that any tensor may have, and blocks from which on there may be more: a block shares the decoder's registers.
_ANY_BLOCK, _MANY_BLOCKS = 256, 128
_LEAST_K = 16  # shortest window
_REGISTER = 9.0  # gate equivalents of a bit held, about


@dataclass(frozen=True, eq=False)
class Beside:
    """Groups of planes of a mask, whose blocks are those of the values; each position of theirs is several of a mask.

    Attributes
    ----------
    groups : sequence of (first, end, care)
        As `choose_rates` takes them, care bits of shape (n,).
    n : int
        Positions.
    step : int
        Mask bits of a position: a block of N_out weights is one of N_out / step of these.
    n_w : int
        What an unmatched bit costs, as the bits of a word whose patch costs as much.
    """

    groups: Sequence[tuple[int, int, NDArray[np.bool_]]]
    n: int
    step: int
    n_w: int

    def first(self, weights: int) -> Beside:
        """Return the part that belongs to so many weights."""
        n = min(self.n, -(-weights // self.step))
        return replace(self, groups=[(a, b, care[:n]) for a, b, care in self.groups], n=n)


@dataclass(frozen=True, eq=False)
class _Packed:
    """Groups as the kernel takes them: one row for each."""

    n: int
    n_w: int
    planes: NDArray[np.int64]
    ones: NDArray[np.int64]
    words: NDArray[np.uint64]
    before: NDArray[np.int32]
    spans: NDArray[np.int64]  # longest window of each group, for each longest window of the densest
    windows: NDArray[np.int64]

    @classmethod
    def of(
        cls, groups: Sequence[tuple[int, int, NDArray[np.bool_]]], n: int, n_w: int, windows: Sequence[int]
    ) -> _Packed:
        packed = [CareBits.of(care) for _, _, care in groups]
        ones = np.array([care.ones for care in packed], np.int64)
        most = int(ones.max(initial=0))
        return cls(
            n,
            n_w,
            np.array([end - first for first, end, _ in groups], np.int64),
            ones,
            np.stack([care.words for care in packed]),
            np.stack([care.before for care in packed]),
            np.array([[window_of(int(c), most, max_k) for c in ones] for max_k in windows], np.int64),
            np.array(windows, np.int64),
        )

    def rates(
        self, n_out: int, family: str, held_price: float, limit: tuple[float, bool]
    ) -> tuple[float, list[tuple[int, int]]]:
        """Return the expected bits of blocks of n_out positions, and N_in and N_s of each group."""
        chosen = np.zeros((len(self.planes), 2), np.int64)
        bits = _rates(
            (self.words, self.before, self.n),
            (self.planes, self.ones, self.spans, self.windows),
            (self.n_w, n_out, *window_use(family)),
            held_price,
            limit,
            chosen,
        )
        return bits, [(n_in, n_s) for n_in, n_s in chosen.tolist()]


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
    fine: bool = False,
    family: str = "graph",
    gate_price: float = 0.0,
    beside: Beside | None = None,
) -> tuple[float, int, list[tuple[int, int]]]:
    """Choose N_out, and N_in and N_s of each group, for the fewest bits.

    Parameters
    ----------
    groups : sequence of (first, end, care)
        Planes first .. end - 1, and their care bits in scan order, shape (n,). At least one group.
    n_w : int
        Bits of a word, and so of a patch.
    windows : sequence of int
        Longest windows that are tried for the densest group (`window_of` has the others'): N_in may be half of one.
    n_out : int, optional
        Where it is settled already.
    smooth : bool
        Judge every N_out by those beside it, too. How well the care bits of a block round to whole N_in is luck, which
        is gone where the care bits will still move a little.
    fine : bool
        Try many more N_out.
    family : str
        Of the generators.
    gate_price : float
        Share of the bits that a gate equivalent a weight must save, the registers' being counted.
    beside : Beside, optional
        A mask whose groups have the same blocks: N_out is a multiple of its step.

    Returns
    -------
    (float, int, list of (int, int))
        Expected bits, raised by the price of the registers, N_out, N_in and N_s of each group, those of the mask
        behind the others; infinitely many bits if no N_in is within a window.
    """
    values = _Packed.of(groups, n, n_w, windows)
    parts = [(values, 1)]
    if beside is not None and beside.groups:
        parts.append((_Packed.of(beside.groups, beside.n, beside.n_w, windows), beside.step))
    step = beside.step if beside is not None else 1
    most = int(values.ones.max(initial=0))
    # a stream of few blocks loses at its ends, and its decoder would be as large as the tensor
    longest = max(1, min(_MAX_N_OUT, n // _LEAST_BLOCKS, max(_ANY_BLOCK, n // _MANY_BLOCKS)))
    widest = max(1, min(longest // step, MAX_N_IN))
    per_bit = n / max(most, 1) / _SLACK / step
    tried = {step * max(1, min(round(width * per_bit), widest)) for width in (_FINE if fine else _WIDTHS)}
    if n_out is not None:
        tried = {n_out}
    found: list[tuple[float, int, list[tuple[int, int]]]] = []
    lowest = math.inf
    for outputs in sorted(tried):
        cost, sizes = 0.0, []
        for part, positions in parts:
            bits, chosen = part.rates(
                outputs // positions, family, gate_price * _REGISTER / outputs, (lowest - cost, smooth)
            )
            cost += bits
            sizes += chosen
            if cost == math.inf:
                break
        if cost < math.inf:
            found.append((cost, outputs, sizes))
            lowest = lowest if smooth else min(lowest, cost)
    if not found:
        return math.inf, min(tried), [(1, 1)] * sum(len(part.planes) for part, _ in parts)
    costs = np.array([cost for cost, _, _ in found])
    if smooth:
        costs = np.convolve(np.pad(costs, 1, mode="edge"), np.ones(3), "valid")
    return found[int(np.argmin(costs))]


@njit(cache=True, nogil=True)
def _rates(care, groups, block, held_price, limit, chosen):  # type: ignore[no-untyped-def]
    # Fills `chosen`, shape (groups, 2), with N_in and N_s of each group, all of one longest window, for the fewest
    # bits. Returns the bits, infinitely many if no window has fewer than `lowest`.
    words, before, n = care
    planes, ones, spans, windows = groups
    n_w, n_out, share, start_loss = block
    lowest, smooth = limit
    sizes = np.zeros_like(chosen)
    best = np.inf
    for w in range(windows.size):
        total, held = 0.0, 0.0
        for g in range(planes.size):
            mean = ones[g] / max(1, n) * n_out
            last = min(max(1, np.int64(np.ceil(mean * 1.03))) + 1, windows[w] // 2, n_out)
            rule = (planes[g], n_w, np.inf, False)
            least = np.inf
            for n_in in range(max(1, np.int64(np.floor(mean * 0.99))), last + 1):
                size = (n_in, n_out, max(1, spans[w, g] // n_in - 1))
                most = min(least, lowest - total)
                bits, _, _ = price_of(words[g], before[g], n, n, size, (share, start_loss), rule, most)
                if bits < least:
                    least = bits
                    sizes[g] = n_in, size[2]
            total += least
            if total == np.inf:
                break
            held += planes[g] * sizes[g, 0] * (sizes[g, 1] + 1)
        total *= 1 + held_price * held
        if total < best:
            best = total
            chosen[:] = sizes
            lowest = lowest if smooth else min(lowest, best)
    return best
