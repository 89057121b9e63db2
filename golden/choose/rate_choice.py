"""Choosing, for a tensor, one of the rates of a decoder that has several, and the scan to go with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.choose.plan import cheapest_on_strides
from xorweave.golden.choose.price import Terms
from xorweave.golden.code.code import Code
from xorweave.golden.scan.interleaver import Interleaver


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
    density = np.count_nonzero(flat) / max(1, n)
    nearest = sorted(check_rates(code, rates), key=lambda n_in: abs(n_in / code.n_out - density))
    sizes = np.array([(n_in, code.n_out, code.n_s) for n_in in nearest])
    terms = Terms(planes=n_w, n_w=n_w, family=code.family, free_start=True)
    found = cheapest_on_strides(flat, sizes, terms, seed=seed)
    if not found:
        return code.punctured(rates[0]), Interleaver(n)
    price, stride = found[0]
    scan = Interleaver(n, stride, price.start * stride % n) if n > 1 else Interleaver(n)
    return code.punctured(price.n_in), scan
