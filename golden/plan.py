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

from xorweave.golden.code import Code
from xorweave.golden.errors import InputError
from xorweave.golden.generators import BitSource
from xorweave.golden.interleaver import Interleaver
from xorweave.golden.queue_model import forecast

# Strides tried for a tensor, and those among them for which every rate is tried.
_STRIDES = 24
_FINALISTS = 4
# Longer scans are judged by their first part: beyond it, one part is like another.
_SAMPLE = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `choose_plan` settles: the code, the scan, and the forecast behind the choice.

    Attributes
    ----------
    expected_bits : float
        Payload and corrections foretold, over all planes.
    """

    code: Code
    interleaver: Interleaver
    expected_bits: float


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


def _sizes(density: float, max_k: int, widths: range) -> list[tuple[int, int]]:
    """(n_in, n_out) whose rate lies from 1 % below to 3 % above the density of care bits."""
    sizes = []
    for n_in in widths:
        if n_in * 2 > max_k:
            continue
        low = max(n_in, math.floor(n_in / (density * 1.03)))
        high = math.ceil(n_in / (density * 0.99))
        # more than eight rates for one width are closer together than the choice can tell
        for n_out in range(low, high + 1, max(1, (high - low) // 8)):
            if 1 <= n_out <= 4096:
                sizes.append((n_in, n_out))
    return sizes


def _judge(
    care: NDArray[np.int64], n: int, n_in: int, n_out: int, n_s: int, n_w: int, scale: float
) -> tuple[float, int]:
    """Return (expected bits over all planes, best start in the scan) for one scan and one pair of sizes.

    care: cumulative care bits of the scan, shape (length + 1,).
    """
    length = care.size - 1
    start = 0
    if length == n:
        # lowest surplus of encoded bits over care bits; the scan is a circle, so it may start right there
        # (looked for at 16,384 places: between two of them the surplus moves by a few bits at most)
        places = np.arange(0, n, max(1, n >> 14))
        start = int(places[np.argmin(places * (n_in / n_out) - care[places])])
    blocks = -(-length // n_out)
    ends = np.minimum(np.arange(blocks + 1) * n_out, length)
    if start:
        at = start + ends
        around = at > length
        total = care[np.where(around, at - length, at)] + np.where(around, care[length], 0)
    else:
        total = care[ends]
    result = forecast(np.diff(total), n_in, n_s)
    dependent = result.dependent * scale
    payload = -(-n // n_out) * n_in
    return payload * n_w + correction_cost(dependent, n, n_w), start


def choose_plan(
    mask: NDArray[np.bool_], n_w: int, *, max_k: int = 256, seed: int = 0, widths: range = range(12, 33)
) -> Plan:
    """Choose rate, window and interleaver of a uniform code for a mask.

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
    widths : range
        Values of N_in to try.

    Returns
    -------
    Plan
        Never one expected to store more than the dense words themselves (the identity code at rate 1).

    Raises
    ------
    InputError
        max_k is too small for a window of two symbols.
    """
    if max_k < 4:
        raise InputError(f"the constraint length must be allowed to be at least 4, not {max_k}")
    flat = mask.reshape(-1)
    n = flat.size
    kept = int(np.count_nonzero(flat))
    if kept == 0:
        n_out = max(1, min(n, 4096))
        code = Code.uniform(n_in=1, n_out=n_out, n_s=0, seed=seed)
        return Plan(code=code, interleaver=Interleaver(n), expected_bits=float(-(-n // n_out) * n_w))

    density = kept / n
    widths = range(min(widths.start, max_k // 2), min(widths.stop, max_k // 2 + 1), widths.step)
    sizes = _sizes(density, max_k, widths) or [(1, max(1, min(4096, round(1 / density))))]
    middle = min(sizes, key=lambda size: (abs(size[0] / size[1] / density - 1.005), -size[0]))
    length = min(n, _SAMPLE)
    scale = n / length

    def cumulative(stride: int) -> NDArray[np.int64]:
        scanned = flat[Interleaver(n, stride).positions(0, length)] if n > 1 else flat
        return np.concatenate([[0], np.cumsum(scanned, dtype=np.int64)])

    def window(n_in: int) -> int:
        return max_k // n_in - 1

    ranking = []
    for stride in candidate_strides(n, _STRIDES, seed):
        care = cumulative(stride)
        ranking.append((_judge(care, n, *middle, window(middle[0]), n_w, scale)[0], stride))
    best: tuple[float, int, int, int, int] | None = None
    for _cost, stride in sorted(ranking)[:_FINALISTS]:
        care = cumulative(stride)
        for n_in, n_out in sizes:
            bits, start = _judge(care, n, n_in, n_out, window(n_in), n_w, scale)
            if best is None or bits < best[0]:
                best = (bits, stride, start, n_in, n_out)
    assert best is not None
    bits, stride, start, n_in, n_out = best
    if bits >= n * n_w:
        width = min(32, n)
        identity = Code.from_family("identity", n_in=width, n_out=width, n_s=0)
        return Plan(
            code=identity, interleaver=Interleaver(n), expected_bits=float(-(-n // width) * width * n_w)
        )
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=window(n_in), seed=seed)
    return Plan(
        code=code,
        interleaver=Interleaver(n, stride, start * stride % n) if n > 1 else Interleaver(n),
        expected_bits=bits,
    )
