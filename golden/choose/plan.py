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
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.code.generators import BitSource
from xorweave.golden.scan.interleaver import Interleaver

# Strides tried for a tensor, and those among them for which every rate is tried.
_STRIDES = 24
_FINALISTS = 3
# Longer scans are judged by their first part: beyond it, one part is like another.
_SAMPLE = 1 << 22
# An error-free code must be expected to meet fewer dependent equations than this in the whole tensor.
_ERROR_FREE = 0.05


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


@dataclass(frozen=True, kw_only=True, order=True)
class _Candidate:
    cost: float
    stride: int
    start: int
    n_in: int
    n_out: int
    dependent: float


def candidate_strides(n: int, count: int, seed: int) -> list[int]:
    """Return up to `count` different strides coprime to n: 1, the golden section of n, and random ones."""
    if n < 3:
        return [1]

    def coprime_near(start: int) -> int:
        for step in range(n):
            for stride in (start + step, start - step):
                if 1 <= stride < n and math.gcd(stride, n) == 1:
                    return stride
        return 1

    source = BitSource(f"stride;{n};{seed}")
    strides = [1, coprime_near(round(n * (math.sqrt(5) - 1) / 2))]
    for _ in range(4 * count):
        if len(strides) >= count:
            break
        stride = coprime_near(1 + source.below(n - 1))
        if stride not in strides:
            strides.append(stride)
    return strides


def correction_cost(dependent: float, n: int, n_w: int) -> float:
    """Return the bits that patches for so many dependent equations take in the joint format."""
    if dependent <= 0.0:
        return 0.0
    patches = dependent * (1.0 - 2.0**-n_w)
    return patches * (math.log2(max(2.0, n / patches)) + 1.5 + n_w)


def _sizes(density: float, max_k: int, widths: range, highest: float) -> list[tuple[int, int]]:
    """(n_in, n_out) whose rate lies from 1 % below to `highest` above the density of care bits."""
    sizes = []
    for n_in in widths:
        low = max(n_in, math.floor(n_in / (density * (1.0 + highest))))
        high = math.ceil(n_in / (density * 0.99))
        # more than eight rates for one width are closer together than the choice can tell
        for n_out in range(low, high + 1, max(1, (high - low) // 8)):
            if 1 <= n_out <= 4096:
                sizes.append((n_in, n_out))
    return sizes


def judge_scan(
    care: NDArray[np.int64], n: int, size: tuple[int, int], max_k: int, n_w: int
) -> tuple[float, float, int]:
    """Return (expected payload, expected dependent equations, best start in the scan) of one scan at one rate.

    care: cumulative care bits of the scan, shape (length + 1,).
    """
    n_in, n_out = size
    length = care.size - 1
    start = 0
    if length == n:
        # lowest surplus of encoded bits over care bits; the scan is a circle, so it may start right there
        # (looked for at 16,384 places: between two of them the surplus moves by a few bits at most)
        places = np.arange(0, n, max(1, n >> 14))
        start = int(places[np.argmin(places * (n_in / n_out) - care[places])])
    at = start + np.minimum(np.arange(-(-length // n_out) + 1) * n_out, length)
    around = at > length
    total = care[np.where(around, at - length, at)] + np.where(around, care[length], 0)
    result = forecast(np.diff(total), n_in, max_k // n_in - 1)
    return float(-(-n // n_out) * n_in * n_w), result.dependent * n / length, start


def rank_plans(
    mask: NDArray[np.bool_],
    n_w: int,
    *,
    max_k: int = 256,
    seed: int = 0,
    error_free: bool = False,
    widths: range | None = None,
    count: int = 1,
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
    widths : range, optional
        Values of N_in to try. The window's buffer is K - N_in columns, so short windows need narrow symbols.
    count : int
        How many plans to return at most.

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

    density = kept / n
    widths = widths or range(max(1, min(12, max_k // 9)), 33)
    widths = range(min(widths.start, max_k // 2), min(widths.stop, max_k // 2 + 1), widths.step)
    sizes = _sizes(density, max_k, widths, 0.06 if error_free else 0.03)
    sizes = sizes or [(1, max(1, min(4096, round(1 / density))))]
    length = min(n, _SAMPLE)

    def judged(care: NDArray[np.int64], size: tuple[int, int], stride: int) -> _Candidate:
        payload, dependent, start = judge_scan(care, n, size, max_k, n_w)
        cost = payload + correction_cost(dependent, n, n_w)
        if error_free and dependent > _ERROR_FREE:
            cost = n * n_w * (1.0 + dependent)  # behind every code that is error-free
        return _Candidate(
            cost=cost, stride=stride, start=start, n_in=size[0], n_out=size[1], dependent=dependent
        )

    aim = 1.03 if error_free else 1.005
    middle = min(sizes, key=lambda size: (abs(size[0] / size[1] / density - aim), -size[0]))
    ranking = sorted(
        judged(Interleaver(n, stride).cumulative(flat, length), middle, stride)
        for stride in candidate_strides(n, _STRIDES, seed)
    )
    candidates = []
    for finalist in ranking[:_FINALISTS]:
        care = Interleaver(n, finalist.stride).cumulative(flat, length)
        candidates += [judged(care, size, finalist.stride) for size in sizes]
    plans = []
    for best in sorted(candidates)[:count]:
        if best.cost >= n * n_w:
            break
        code = Code.uniform(n_in=best.n_in, n_out=best.n_out, n_s=max_k // best.n_in - 1, seed=seed)
        offset = best.start * best.stride % n
        plans.append(
            Plan(
                code=code,
                interleaver=Interleaver(n, best.stride, offset) if n > 1 else Interleaver(n),
                expected_bits=best.cost,
                expected_dependent=best.dependent,
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


def choose_plan(mask: NDArray[np.bool_], n_w: int, *, max_k: int = 256, seed: int = 0) -> Plan:
    """Return the best of `rank_plans`."""
    return rank_plans(mask, n_w, max_k=max_k, seed=seed)[0]
