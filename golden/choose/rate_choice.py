"""Choosing, for a tensor, one of the rates of a decoder that has several, and the scan to go with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.plan import candidate_strides, correction_cost, judge_scan
from xorweave.golden.code.code import Code
from xorweave.golden.scan.interleaver import Interleaver

_STRIDES = 8
# longer scans are judged by their first part
_SAMPLE = 1 << 22


def check_rates(code: Code, rates: Sequence[int]) -> tuple[int, ...]:
    """Return the rates (values of N_in) of a decoder whose highest rate is that of `code`.

    Raises
    ------
    InputError
        They do not increase, or do not end with the code's N_in.
    """
    found = tuple(rates)
    if not found or found[-1] != code.n_in or list(found) != sorted(set(found)) or found[0] < 1:
        raise InputError(f"rates must increase from at least 1 to the code's n_in = {code.n_in}, not {found}")
    return found


def choose_rate(
    mask: NDArray[np.bool_], n_w: int, code: Code, rates: Sequence[int], *, seed: int = 0
) -> tuple[Code, Interleaver]:
    """Return the punctured code and the scan for which payload and corrections are expected to be fewest bits.

    Parameters
    ----------
    mask : ndarray of bool, any shape
        True = kept.
    n_w : int
        Bits of a weight.
    code : Code
        The code of the decoder's highest rate.
    rates : sequence of int
        Its values of N_in.
    seed : int
        Of the strides tried.

    Raises
    ------
    InputError
        The rates are none of a decoder of this code.
    """
    flat = np.ascontiguousarray(mask).reshape(-1)
    n = flat.size
    length = min(n, _SAMPLE)
    best: tuple[float, int, int, int] | None = None
    for stride in candidate_strides(n, _STRIDES, seed):
        care = Interleaver(n, stride).cumulative(flat, length)
        for n_in in check_rates(code, rates):
            payload, dependent, start = judge_scan(care, n, (n_in, code.n_out), n_in * (code.n_s + 1), n_w)
            found = (payload + correction_cost(dependent, n, n_w), n_in, stride, start)
            best = found if best is None else min(best, found)
    if best is None:
        return code.punctured(rates[0]), Interleaver(n)
    _, n_in, stride, start = best
    scan = Interleaver(n, stride, start * stride % n) if n > 1 else Interleaver(n)
    return code.punctured(n_in), scan
