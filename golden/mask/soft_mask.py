"""A mask whose ones near the threshold are not settled: what each costs, and the shaped code that makes use of it.

Weights are kept by magnitude; near the threshold it hardly matters which. Let dropping a weight of magnitude a cost
s (a / T)^2 bits, T being the threshold and s the exchange rate of energy for bits. Against keeping it, a position then
costs s (1 - (a / T)^2) bits as a one: nothing at the threshold, less than nothing above. Far below, its price is that
of the zero's codeword, for it may come out as a one and be stored as 0. With these costs a random code whose outputs
are 1 with probability q makes position i a one with probability

    p_i = q 2^-c_i / (1 - q + q 2^-c_i),

and needs I = mean of D(p_i || q) encoded bits a position: the rate-distortion function of weights so distributed at
the slope s (Cover and Thomas, 10.7), which the costs' own constraint on the number of ones makes touch the entropy
n h(S) of a settled mask as s grows. Filler, Judas and Fridrich (2011) encode against such costs with a trellis; here
the search of `shaped_mask_encoder` does, and weights that are dear enough to drop are settled beforehand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.shaped_mask import ShapedMaskCode, encoded_bits_asked

FEE_BITS = 0.5  # a fee of 1 in the search
SETTLED = 12.0  # bits to drop a weight from which on its mask bit must be a one
LEAST_STEEPNESS, MOST_STEEPNESS = 8.0, 1e5  # below, a beam falls too far short of the ideal
_MARGIN = -0.04  # encoded bits over the ideal: false ones make up for what is missing, cheaply
_MOST_DETERMINED = 0.8  # encoded bits that settled ones may ask for
_PARITIES = range(1, 7)
_SAMPLE = 1 << 15  # magnitudes by which a threshold is fitted
_HALVINGS = 40

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class SoftThreshold:
    """What a position costs as a one rather than a zero, by the magnitude of its weight.

    Parameters
    ----------
    threshold : float
        T, at which it costs nothing.
    steepness : float
        s, bits.
    zero_bits : float
        Most that a one costs: the codeword of the word 0.
    """

    threshold: float
    steepness: float
    zero_bits: float

    def costs(self, magnitudes: Floats) -> NDArray[np.float64]:
        """Return the cost of each position, bits; negative where it is the zero that costs."""
        ratio = np.asarray(magnitudes, np.float64) / self.threshold
        return np.minimum(self.zero_bits, self.steepness * (1 - ratio * ratio))

    @property
    def lowest(self) -> float:
        """The magnitude below which a one is cheaper stored as 0 than by its value."""
        return self.threshold * math.sqrt(max(0.0, 1 - self.zero_bits / self.steepness))


def chance_of_one(costs: NDArray[np.float64], parities: int) -> NDArray[np.float64]:
    """Return p, the probability that an ideal code makes positions of these costs ones."""
    odds = np.exp2(-np.clip(costs, -500, 500)) / (2.0**parities - 1)
    return odds / (1 + odds)


def ideal_rate(costs: NDArray[np.float64], parities: int) -> float:
    """Return I, the encoded bits a position that a code needs which keeps to the probabilities of `chance_of_one`."""
    p = chance_of_one(costs, parities)
    paid = np.where(costs > 0, costs * p, -costs * (1 - p))
    return float((encoded_bits_asked(costs, parities) - paid).mean())


def fit_threshold(
    magnitudes: Floats, kept: int, *, steepness: float, zero_bits: float, parities: int
) -> SoftThreshold:
    """Return the threshold at which so many ones are expected to be worth their value.

    Parameters
    ----------
    magnitudes : ndarray of float, shape (n,)
    kept : int
        Weights to keep, at least one.
    """
    falling = np.sort(np.asarray(magnitudes, np.float64))[::-1]
    settled = float(falling[kept - 1])
    every = max(1, falling.size // _SAMPLE)
    sample = falling[every // 2 :: every]
    low, high = settled / 2, 2 * settled
    for _ in range(_HALVINGS):
        found = SoftThreshold((low + high) / 2, steepness, zero_bits)
        worth = sample[sample >= found.lowest]
        if chance_of_one(found.costs(worth), parities).sum() * every > kept:
            low = found.threshold
        else:
            high = found.threshold
    return found


def soft_code(
    magnitudes: Floats, kept: int, *, steepness: float, zero_bits: float, n_out: int
) -> tuple[ShapedMaskCode, SoftThreshold]:
    """Choose parities and rate for the mask of weights of which so many are to be kept, and fit the threshold.

    Parameters
    ----------
    magnitudes : ndarray of float, shape (n,)
    kept : int
        Weights to keep, from 1 to n / 2.
    steepness, zero_bits : float
        As of `SoftThreshold`.
    n_out : int
        Mask bits of a block.

    Raises
    ------
    InputError
        The number of weights to keep is out of range, or fewer are not zero.
    """
    if not 1 <= kept <= max(1, magnitudes.size // 2) or np.count_nonzero(magnitudes) < kept:
        raise InputError(
            f"a soft mask must keep from 1 to half of {magnitudes.size} weights, none of them 0, not {kept}"
        )
    every = max(1, magnitudes.size // _SAMPLE)
    sample = np.sort(np.asarray(magnitudes, np.float64))[every // 2 :: every]
    tried = []
    for parities in _PARITIES:
        found = fit_threshold(magnitudes, kept, steepness=steepness, zero_bits=zero_bits, parities=parities)
        costs = found.costs(sample)
        rate = max(
            0.1,
            ideal_rate(costs, parities) * (1 + _MARGIN),
            parities * float((costs <= -SETTLED).mean()) / _MOST_DETERMINED,
        )
        tried.append((float(encoded_bits_asked(costs, parities).mean()), parities, rate, found))
    _, parities, rate, found = min(tried, key=lambda each: each[:2])
    n_in = min(n_out, math.ceil(rate * n_out))
    return ShapedMaskCode.usual(n_in=n_in, n_out=n_out, parities=parities), found


def fees_of(costs: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Return (settled ones, fees of the others in units of `FEE_BITS`), as `encode_mask` takes them."""
    settled = costs <= -SETTLED
    return settled, np.rint(np.maximum(costs, -SETTLED) / FEE_BITS).astype(np.int8)
