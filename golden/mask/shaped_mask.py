"""A mask at a fixed rate: every mask bit is the AND of a few parities of the encoded bits.

A linear code cannot make biased bits; an AND of A parities is 1 with density 2^-A. The mask is encoded at a rate
near its entropy by a search (see ``shaped_mask_encoder``) and decoded by an XOR network and one AND gate an output.
What the search could not match is repaired without loss by whoever stores the values: a false one becomes a kept
weight of value zero, a false zero a patch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.generators import BitSource

MAX_WINDOW = 64
# the search keeps the parities of the outputs of one encoded bit in one machine word
_MAX_PARITIES_A_BIT = 60
_MAX_OUTPUTS_A_BIT = 10


@dataclass(frozen=True, kw_only=True)
class ShapedMaskCode:
    """A shaped code: which encoded bits each mask bit depends on.

    Block t takes the symbol x_t of n_in bits and gives n_out mask bits. The encoded bits are one stream; output r
    belongs to bit s(r) of its block's symbol, the outputs being dealt evenly to the bits, and its parities take bits
    of lag 0 (that bit itself) to window - 1. So a search can go bit by bit while the hardware takes whole blocks.

    Parameters
    ----------
    n_in, n_out : int
        Encoded bits and mask bits of a block.
    parities : int
        A, parities ANDed into a mask bit, 1 to 8.
    window : int
        Encoded bits a parity can reach back over, the newest included, up to 64.
    taps : int
        Encoded bits in a parity; lag 0 is always one of them. Must be even: with odd parities a run of encoded ones
        satisfies every equation of the form "parity = 1" and the search is drawn into it.
    seed : int

    Raises
    ------
    InputError
        A size is out of range, or more than 60 parities belong to one encoded bit.
    """

    n_in: int
    n_out: int
    parities: int
    window: int = 42
    taps: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("n_in", 1, 1024), ("n_out", 1, 16384), ("parities", 1, 8), ("window", 2, MAX_WINDOW),
            ("taps", 2, self.window),
        ):  # fmt: skip
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} must be between {low} and {high}, not {value}")
        if self.taps % 2:
            raise InputError(f"taps must be even, not {self.taps}")
        if math.comb(self.window - 1, self.taps - 1) < self.parities:
            raise InputError(
                f"window {self.window} with {self.taps} taps must leave {self.parities} different parities"
            )
        most = -(-self.n_out // self.n_in)
        if most > _MAX_OUTPUTS_A_BIT or most * self.parities > _MAX_PARITIES_A_BIT:
            raise InputError(
                f"an encoded bit must give at most {_MAX_OUTPUTS_A_BIT} mask bits and {_MAX_PARITIES_A_BIT} "
                f"parities, not {most} and {most * self.parities}"
            )

    @classmethod
    def for_density(cls, density: float, n_w: int, *, margin: float = 0.028, seed: int = 0) -> ShapedMaskCode:
        """Choose A and the rate for a mask of this density of ones whose values have n_w bits.

        The rate is what an ideal code of the shape needs, `ideal_bits`, and a margin for the search.

        Raises
        ------
        InputError
            The density is outside 0.02 .. 0.5, where the shape does not pay or does not fit.
        """
        if not 0.02 <= density <= 0.5:
            raise InputError(f"a shaped mask must have a density between 0.02 and 0.5, not {density:.4f}")
        parities = min(range(1, 9), key=lambda a: ideal_bits(density, a, n_w))
        rate = min(1.0, ideal_bits(density, parities, n_w) * (1 + margin))
        n_out = 64 * max(1, math.ceil(24 / (64 * rate)))
        window = 42 if rate > 0.25 else MAX_WINDOW  # few encoded bits: a cluster of ones spans more of them
        return cls(n_in=max(1, round(rate * n_out)), n_out=n_out, parities=parities, window=window, seed=seed)

    @classmethod
    def for_zero_codeword(
        cls, density: float, zero_bits: float, *, margin: float = -0.09, seed: int = 0
    ) -> ShapedMaskCode:
        """Choose A and the rate where a false one costs no more than the zero's codeword of so many bits.

        The linear code that carries those codewords wastes less than the mask's search does, so the rate lies below
        what an ideal code of the shape needs (``benchmarks/shaped_mask_search.py``). Very sparse masks take .1
        encoded bits a mask bit, the least that the search can handle.

        Raises
        ------
        InputError
            The density is not above 0 and at most 0.5.
        """
        if not 0 < density <= 0.5:
            raise InputError(f"a shaped mask must have a density above 0 and at most 0.5, not {density:.4f}")
        parities = min(
            range(1, _MAX_PARITIES_A_BIT // _MAX_OUTPUTS_A_BIT + 1),
            key=lambda a: ideal_bits(density, a, zero_bits),
        )
        rate = max(1 / _MAX_OUTPUTS_A_BIT, ideal_bits(density, parities, zero_bits) * (1 + margin))
        n_out = 64 * math.ceil(24 / (64 * rate))
        window = 42 if rate > 0.25 else MAX_WINDOW
        return cls(n_in=math.ceil(rate * n_out), n_out=n_out, parities=parities, window=window, seed=seed)

    @property
    def rate(self) -> float:
        """Encoded bits a mask bit."""
        return self.n_in / self.n_out

    @property
    def n_s(self) -> int:
        """Earlier symbols in the shift registers (of the oldest, a few bits may be unused)."""
        return -(-(self.window - 1) // self.n_in)

    @cached_property
    def bit_of_output(self) -> NDArray[np.int64]:
        """s(r), shape (n_out,), never falling."""
        ends = np.arange(1, self.n_in + 1) * self.n_out // self.n_in
        return np.searchsorted(ends, np.arange(self.n_out), side="right")

    @cached_property
    def lags(self) -> NDArray[np.int64]:
        """Taps of every parity as lags, shape (n_out, parities, taps), rising; lags[..., 0] is 0."""
        source = BitSource(
            f"shaped;{self.n_in};{self.n_out};{self.parities};{self.window};{self.taps};{self.seed}"
        )
        lags = np.zeros((self.n_out, self.parities, self.taps), np.int64)
        for r in range(self.n_out):
            hands: list[list[int]] = []
            while len(hands) < self.parities:
                hand = sorted(source.shuffled(list(range(1, self.window)))[: self.taps - 1])
                if hand not in hands:
                    hands.append(hand)
            lags[r, :, 1:] = hands
        return lags

    @cached_property
    def generator(self) -> NDArray[np.uint8]:
        """The matrix of the parities, shape (n_out, parities, n_in * (n_s + 1)), columns as in ``Code``."""
        matrix = np.zeros((self.n_out, self.parities, self.n_in * (self.n_s + 1)), np.uint8)
        r, a, _ = np.indices(self.lags.shape)
        at = self.bit_of_output[:, None, None] - self.lags
        matrix[r, a, -(at // self.n_in) * self.n_in + at % self.n_in] = 1
        return matrix

    def blocks(self, n: int) -> int:
        """Blocks that n mask bits take."""
        return -(-n // self.n_out)

    def decode(self, symbols: NDArray[np.uint8], n: int) -> NDArray[np.bool_]:
        """Decode a mask.

        Parameters
        ----------
        symbols : ndarray of uint8 (0 or 1), shape (blocks, n_in)
            ``symbols[t, b]`` is bit b of x_t.
        n : int
            Mask bits wanted, at most blocks * n_out.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        blocks = symbols.shape[0]
        if symbols.shape != (blocks, self.n_in) or n > blocks * self.n_out:
            raise InputError(f"{n} mask bits need symbols of shape ({self.blocks(n)}, {self.n_in})")
        stream = np.concatenate([np.zeros(self.window, np.uint8), symbols.reshape(-1)])
        newest = self.window + np.arange(blocks)[:, None] * self.n_in + self.bit_of_output[None, :]
        mask = np.ones((blocks, self.n_out), np.uint8)
        for a in range(self.parities):
            parity = np.zeros((blocks, self.n_out), np.uint8)
            for tap in range(self.taps):
                parity ^= stream[newest - self.lags[None, :, a, tap]]
            mask &= parity
        return mask.reshape(-1)[:n].astype(bool)


def ideal_bits(density: float, parities: int, n_w: float) -> float:
    """Bits a mask bit that no code of this shape goes below, its false ones at n_w bits included.

    Random coding with outputs that are 1 with probability q = 2^-A: a one costs log2(1/q); a zero costs
    log2(1 / (1 - q + q 2^-n_w)), as it may come out as a one for n_w bits.
    """
    q = 2.0**-parities
    return density * parities - (1 - density) * math.log2(1 - q + q * 2.0**-n_w)
