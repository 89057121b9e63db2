"""The network of a shaped mask whose parities are sums of two sums."""

from __future__ import annotations

from functools import reduce

import numpy as np

from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.hw.xor.network import Gate, XorNetwork


def shared_sums(code: ShapedMaskCode) -> XorNetwork:
    """Return the network that makes every sum once, and a parity of two of them by one gate.

    Sums of bits of earlier symbols are made anew from the registers that hold the bits: a sum of three bits is two
    gates, which is less than the flip-flop that would keep it.
    """
    gates: list[Gate] = []
    inputs = code.n_in * (code.n_s + 1)
    made: dict[tuple[int, int], int] = {}

    def add(a: int, b: int) -> int:
        gates.append((a, b))
        return inputs + len(gates) - 1

    def sum_at(place: int, which: int) -> int:
        if (place, which) not in made:
            places = [place - int(lag) for lag in code.sum_lags[which]]
            columns = [-(at // code.n_in) * code.n_in + at % code.n_in for at in places]
            made[place, which] = reduce(add, columns)
        return made[place, which]

    outputs = []
    for r in range(code.n_out):
        bit = int(code.bit_of_output[r])
        which = r - int(np.searchsorted(code.bit_of_output, bit))
        for newest, older, lag in code.sum_pairs[which].tolist():
            outputs.append(add(sum_at(bit, newest), sum_at(bit - lag, older)))
    return XorNetwork(inputs, tuple(gates), tuple(outputs))
