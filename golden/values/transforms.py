"""Reversible maps of words that make planes constant, so that they need not be stored.

All planes share rate and generator, so a skewed plane costs as much as a random one, unless it is constant over the
kept weights: then it is left out of the payload, and the decoder's plane is the constant. Floating-point exponents
of pruned weights span a few binades and integers of small range repeat their sign; these maps turn such redundancy
into constant planes. Random values gain nothing from them, and then none is chosen.
"""

from __future__ import annotations

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words

TRANSFORMS = ("none", "difference", "sign-magnitude")


def _check(name: str) -> None:
    if name not in TRANSFORMS:
        raise InputError(f"the transform must be one of {', '.join(TRANSFORMS)}, not {name!r}")


def forward(name: str, words: Words, n_w: int) -> Words:
    """Map words of n_w bits (any shape) before they are encoded.

    ``difference``: plane q becomes plane q xor plane q + 1 (Gray code); in hardware n_w - 1 XOR gates a weight.
    ``sign-magnitude``: two's complement to sign and magnitude (the least value, which has no magnitude, maps to
    negative zero); in hardware a conditional negation.

    Raises
    ------
    InputError
        There is no such transform.
    """
    _check(name)
    word = words.dtype.type
    if name == "difference":
        return words ^ (words >> word(1))
    if name == "sign-magnitude":
        return _negate_negative(words, n_w)
    return words


def inverse(name: str, words: Words, n_w: int) -> Words:
    """Undo `forward`."""
    _check(name)
    word = words.dtype.type
    if name == "difference":
        shift = 1
        while shift < n_w:
            words = words ^ (words >> word(shift))
            shift *= 2
        return words
    if name == "sign-magnitude":
        return _negate_negative(words, n_w)
    return words


def _negate_negative(words: Words, n_w: int) -> Words:
    # An involution: where the top bit is set, the bits below it are negated modulo 2^(n_w - 1).
    word = words.dtype.type
    low = word((1 << (n_w - 1)) - 1)
    top = words & word(1 << (n_w - 1))
    negated = top | ((~words + word(1)) & low)
    return np.where(top != 0, negated, words)
