"""Choosing the code for a tensor: rate, window and interleaver with the fewest stored bits, without trial encodings.

Only the mask is looked at. For each stride the scan is walked once; then every rate is judged with the queue
model on its block counts. The start of the scan is free, so it is put where the surplus of encoded over care bits
is lowest: from there the surplus never falls below zero again (the cyclic lemma), and the stream's start, where the
window is still empty, costs nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.family import family_code, window_use
from xorweave.golden.choose.price import CareBits, Price, Terms
from xorweave.golden.code.code import Code
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.strides import candidate_strides

# Strides tried for a tensor, judged by the first part of their scans; and those among them for which every rate is
# tried. More gain a few tenths of a percent here and there, by luck.
_STRIDES = 12
_GLANCE = 1 << 15
_FINALISTS = 2
# A scan row by row costs no pass over the tensor and keeps rows together. It is looked at further if it is nearly the
# best at a glance, and taken if others are hardly better: than the whole scan's price can tell, or than a sample's.
_NEAR, _AS_GOOD, _AS_SAMPLES = 1.02, 0.0005, 0.003
# Longer scans are judged by their first part: beyond it, one part is like another.
_SAMPLE = 1 << 20
# An error-free code must be expected to meet fewer dependent equations than this in the whole tensor.
ERROR_FREE = 0.05


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A code, a scan, and the forecast behind their choice.

    Attributes
    ----------
    expected_bits : float
        Payload and corrections foretold, over all planes.
    expected_dependent : float
        Dependent equations foretold.
    """

    code: Code
    interleaver: Interleaver
    expected_bits: float
    expected_dependent: float


def _sizes(
    density: float, windows: list[int], widths: range, aim: float, highest: float
) -> NDArray[np.int64]:
    """(n_in, n_out, n_s) whose rate lies from 1 % below to `highest` above the density, the nearest to `aim` first."""
    rows = []
    for n_in in widths:
        low = max(n_in, math.floor(n_in / (density * (1.0 + highest))))
        high = min(4096, math.ceil(n_in / (density * 0.99)))
        # more than eight rates for one width are closer together than the choice can tell
        n_out = np.arange(low, high + 1, max(1, (high - low) // 8))
        for window in windows:
            if window >= 2 * n_in:
                ones = np.ones_like(n_out)
                rows.append(np.stack([n_in * ones, n_out, (window // n_in - 1) * ones], axis=1))
    sizes = np.concatenate(rows) if rows else np.zeros((0, 3), np.int64)
    if not sizes.size:
        sizes = np.array([(1, max(1, min(4096, round(1 / density))), windows[0] - 1)])
    n_in, n_out, n_s = sizes.T
    return sizes[np.lexsort((-n_s, -n_in, np.abs(n_in / n_out / density - aim)))]


def cheapest_on_strides(
    flat: NDArray[np.bool_],
    sizes: NDArray[np.int64],
    terms: Terms,
    *,
    seed: int = 0,
    count: int = 1,
    row_major: bool = False,
) -> list[tuple[Price, int]]:
    """Return the cheapest of several sizes over the affine scans of a flat mask, each with its stride.

    Parameters
    ----------
    flat : ndarray of bool, shape (n,)
    sizes : ndarray of int64, shape (m, 3)
        n_in, n_out and n_s; the first row is that by which strides are compared.
    row_major : bool
        Only the stride 1.
    """
    n = flat.size

    def glance(stride: int) -> tuple[float, int]:
        first = CareBits.along(flat, Interleaver(n, stride), _GLANCE).cheapest(sizes[:1], terms)
        return (first[0].bits if first else math.inf), stride

    strides = [1] if row_major else candidate_strides(n, _STRIDES, seed)
    if len(sizes) > 1 and not row_major:
        glanced = sorted(map(glance, strides))
        strides = [stride for _, stride in glanced[:_FINALISTS]]
        near = any(stride == 1 and bits <= glanced[0][0] * _NEAR for bits, stride in glanced)
        strides = [1, *[stride for stride in strides if stride != 1]][:_FINALISTS] if near else strides
    found: list[tuple[Price, int]] = []
    for stride in strides:
        limit = found[-1][0].bits if len(found) == count else math.inf
        if count == 1 and found and found[0][1] == 1:
            limit *= 1 - (_AS_GOOD if n <= _SAMPLE else _AS_SAMPLES)
        care = CareBits.along(flat, Interleaver(n, stride), _SAMPLE)
        found += [(price, stride) for price in care.cheapest(sizes, terms, count, limit)]
        found = sorted(found)[:count]
    return found


def rank_plans(
    mask: NDArray[np.bool_],
    n_w: int,
    *,
    max_k: int = 256,
    seed: int = 0,
    error_free: bool = False,
    tolerated: float = ERROR_FREE,
    family: str | None = None,
    widths: range | None = None,
    count: int = 1,
    row_major: bool = False,
) -> list[Plan]:
    """Return the best codes for a mask, the best first.

    Parameters
    ----------
    mask : ndarray of bool, any shape
        True = kept.
    n_w : int
        Bits of a weight.
    max_k : int
        The hardware budget: the constraint length may not exceed it.
    seed : int
        Of the strides tried and of the generator matrix.
    error_free : bool
        Only codes expected to leave no bit unmatched.
    tolerated : float
        So many equations such a code is expected to lose: the forecast has long streams start worse than they do.
    family : str, optional
        Of the generator; what it makes of its window is part of the price. By default a chain, but uniform rows where
        no bit may be left unmatched: a chain's first blocks always leave some.
    widths : range, optional
        Values of N_in to try. The window's buffer is K - N_in columns, so short windows need narrow symbols.
    count : int
        How many plans to return at most.
    row_major : bool
        Only plans in row-major order, from the first weight on.

    Returns
    -------
    list of Plan
        At least one. None is expected to store more than the dense words themselves: the last resort is the
        identity code of rate 1.

    Raises
    ------
    InputError
        max_k is too small for a window of two symbols.
    """
    family = family or ("uniform" if error_free else "chain")
    if max_k < 4:
        raise InputError(f"the constraint length must be allowed to be at least 4, not {max_k}")
    flat = np.ascontiguousarray(mask).reshape(-1)
    n = flat.size
    kept = int(np.count_nonzero(flat))
    if kept == 0:
        n_out = max(1, min(n, 4096))
        code = Code.uniform(n_in=1, n_out=n_out, n_s=0, seed=seed)
        bits = float(-(-n // n_out) * n_w)
        return [Plan(code=code, interleaver=Interleaver(n), expected_bits=bits, expected_dependent=0.0)]

    widths = widths or range(max(1, min(12, max_k // 9)), 33)
    widths = range(min(widths.start, max_k // 2), min(widths.stop, max_k // 2 + 1), widths.step)
    # where a stream's start costs equations, short ones are better off with a shorter window
    windows = [max_k, max_k // 2, max_k // 4] if window_use(family)[1] and not error_free else [max_k]
    aim, highest = (1.03, 0.06) if error_free else (1.005, 0.03)
    if row_major:
        highest *= 8  # the start cannot be chosen, and the rows are as they are: denser rates may be needed
    terms = Terms(
        planes=n_w,
        n_w=n_w,
        family=family,
        tolerated=tolerated if error_free else math.inf,
        free_start=not row_major,
    )
    plans = []
    for price, stride in cheapest_on_strides(
        flat,
        _sizes(kept / n, windows, widths, aim, highest),
        terms,
        seed=seed,
        count=count,
        row_major=row_major,
    ):
        if price.bits >= n * n_w:
            break
        plans.append(
            Plan(
                code=family_code(family, price.n_in, price.n_out, price.n_s, seed),
                interleaver=Interleaver(n, stride, price.start * stride % n) if n > 1 else Interleaver(n),
                expected_bits=price.bits,
                expected_dependent=price.dependent,
            )
        )
    if len(plans) < count:
        plans.append(dense_plan(n, n_w, max_k))
    return plans


def dense_plan(n: int, n_w: int, max_k: int = 32) -> Plan:
    """Return the plan that stores every weight: the identity code of rate 1, which needs no corrections."""
    width = max(1, min(32, max_k, n))
    identity = Code.from_family("identity", n_in=width, n_out=width, n_s=0)
    bits = float(-(-n // width) * width * n_w)
    return Plan(code=identity, interleaver=Interleaver(n), expected_bits=bits, expected_dependent=0.0)


def choose_plan(
    mask: NDArray[np.bool_], n_w: int, *, max_k: int = 256, seed: int = 0, family: str | None = None
) -> Plan:
    """Return the best of `rank_plans`."""
    return rank_plans(mask, n_w, max_k=max_k, seed=seed, family=family)[0]
