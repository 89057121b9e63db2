"""Small logic for what a codeword says: sums of products, with codewords left open that do not matter."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_

import numpy as np
from amaranth.hdl import Const, Value
from numpy.typing import NDArray

Table = NDArray[np.bool_]
Cube = tuple[tuple[int, bool], ...]
"""Bits of a codeword and what each must be, bits counted from the last."""


def products(ones: Table, open_: Table) -> list[Cube]:
    """Return products whose sum is 1 on `ones`, and 0 elsewhere but on `open_` (Minato and Morreale).

    Parameters
    ----------
    ones, open_ : ndarray of bool, shape (2^bits,)
        By the value of the codeword; `open_` says where either will do.
    """
    return _irredundant(ones & ~open_, ones | open_)[0]


def _irredundant(least: Table, most: Table) -> tuple[list[Cube], Table]:
    """Return an irredundant cover between two functions, and what it covers."""
    if not least.any():
        return [], np.zeros_like(least)
    if most.all():
        return [()], np.ones_like(least)
    half = least.size // 2
    bit = half.bit_length() - 1
    (least0, least1), (most0, most1) = (least[:half], least[half:]), (most[:half], most[half:])
    cubes0, covered0 = _irredundant(least0 & ~most1, most0)
    cubes1, covered1 = _irredundant(least1 & ~most0, most1)
    both, shared = _irredundant((least0 & ~covered0) | (least1 & ~covered1), most0 & most1)
    cubes = [((bit, False), *cube) for cube in cubes0] + [((bit, True), *cube) for cube in cubes1] + both
    return cubes, np.concatenate([covered0 | shared, covered1 | shared])


def logic(codeword: Value, ones: Table, open_: Table | None = None) -> Value:
    """Return a function of a codeword as gates, of itself or of its complement, whichever has fewer literals."""
    left = np.zeros_like(ones) if open_ is None else open_
    plain, inverse = products(ones, left), products(~ones, left)
    if sum(map(len, inverse)) < sum(map(len, plain)):
        return ~_sum(codeword, inverse)
    return _sum(codeword, plain)


def _sum(codeword: Value, cubes: list[Cube]) -> Value:
    terms = [
        reduce(and_, [codeword[bit] if wanted else ~codeword[bit] for bit, wanted in cube] or [Const(1, 1)])
        for cube in cubes
    ]
    return reduce(or_, terms or [Const(0, 1)])
