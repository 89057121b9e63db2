"""A mask at a fixed rate: every mask bit is the AND of a few parities of the encoded bits.

A linear code cannot make biased bits; an AND of A parities is 1 with density 2^-A. The mask is encoded at a rate
near its entropy by a search (see ``shaped_mask_encoder``) and decoded by an XOR network and one AND gate an output.
What the search could not match is repaired without loss by whoever stores the values: a false one becomes a kept
weight of value zero, a false zero a patch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.bit_source import BitSource
from xorweave.golden.base.errors import InputError
from xorweave.golden.encoders.bit_scan import count_ones

MAX_WINDOW = 64
# the search keeps the parities of the outputs of one encoded bit in one machine word
_MAX_PARITIES_A_BIT = 60
_MAX_OUTPUTS_A_BIT = 10
_MOST_DETERMINED = (
    0.8  # encoded bits that the ones may ask for; beyond it clusters of ones contradict each other
)
# for 1 to 6 parities of three or four sums: the seed of 200 under which the fewest ones of random masks ask for what
# contradicts other ones (benchmarks/shaped_mask_sums.py)
_SEEDS = (0, 1, 32, 110, 124, 0)


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
    sums : int
        0: every parity has taps of its own. Else every encoded bit makes so many sums of taps / 2 bits, the same for
        all bits, and a parity is a sum of the newest bit's and one of those of an older bit, up to window / 4 back:
        one two-input XOR, and the sums are shared by all parities.

    Raises
    ------
    InputError
        A size is out of range, or more than 60 parities belong to one encoded bit, or more than there are older sums.
    """

    n_in: int
    n_out: int
    parities: int
    window: int = 42
    taps: int = 8
    seed: int = 0
    sums: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("n_in", 1, 1024), ("n_out", 1, 16384), ("parities", 1, 8), ("window", 2, MAX_WINDOW),
            ("taps", 2, self.window), ("sums", 0, 8),
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
        if self.sums:
            self._check_sums(most * self.parities)

    def _check_sums(self, parities: int) -> None:
        """Raise InputError unless there are as many different sums, and older ones, as are asked for."""
        half, span = self.taps // 2, self.window - self.reach
        if half > span or math.comb(span - 1, half - 1) < self.sums:
            raise InputError(
                f"window {self.window} with {self.taps} taps must leave {self.sums} different sums"
            )
        if parities > self.reach * self.sums:
            raise InputError(
                f"an encoded bit must have at most {self.reach * self.sums} parities of {self.sums} sums of "
                f"{self.reach} older bits, not {parities}"
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
        cls,
        density: float,
        zero_bits: float,
        *,
        n_out: int | None = None,
        margin: float = -0.09,
        seed: int = 0,
        shared: bool = False,
    ) -> ShapedMaskCode:
        """Choose A and the rate where a false one costs no more than the zero's codeword of so many bits.

        The linear code that carries those codewords wastes less than the mask's search does, so the rate lies below
        what an ideal code of the shape needs (``benchmarks/shaped_mask_search.py``). Very sparse masks take .1
        encoded bits a mask bit, the least that the search can handle.

        Parameters
        ----------
        density : float
            Share of ones.
        zero_bits : float
            Care bits that a false one costs.
        n_out : int, optional
            Mask bits of a block, such as the weights of a block of values; by default the least multiple of 64 that
            takes about 24 encoded bits.
        margin : float
        seed : int
        shared : bool
            Parities of shared sums: less than half the gates for a thousandth of the bits. Three sums an encoded bit,
            or four where a bit has many parities; seed 0 then stands for one that is known to be good.

        Raises
        ------
        InputError
            The density is not above 0 and at most 0.5.
        """
        if not 0 < density <= 0.5:
            raise InputError(f"a shaped mask must have a density above 0 and at most 0.5, not {density:.4f}")
        rates = {
            a: max(
                1 / _MAX_OUTPUTS_A_BIT,
                ideal_bits(density, a, zero_bits) * (1 + margin),
                a * density / _MOST_DETERMINED,
            )
            for a in range(1, _MAX_PARITIES_A_BIT // _MAX_OUTPUTS_A_BIT + 1)
        }
        parities = min(rates, key=lambda a: (rates[a], ideal_bits(density, a, zero_bits)))
        if n_out is None:
            n_out = 64 * math.ceil(24 / (64 * rates[parities]))
        n_in = min(math.ceil(rates[parities] * n_out), n_out)
        if not shared:
            window = 42 if n_in > 0.25 * n_out else MAX_WINDOW
            return cls(n_in=n_in, n_out=n_out, parities=parities, window=window, seed=seed)
        usual = cls.usual(n_in=n_in, n_out=n_out, parities=parities)
        return replace(usual, seed=seed) if seed else usual

    @classmethod
    def usual(cls, *, n_in: int, n_out: int, parities: int) -> ShapedMaskCode:
        """Return the code of shared sums that is taken for 1 to 6 parities, its seed one that is known to be good.

        Raises
        ------
        InputError
            There are more parities, or a size is out of range.
        """
        if not 1 <= parities <= len(_SEEDS):
            raise InputError(f"parities must be between 1 and {len(_SEEDS)}, not {parities}")
        return cls(
            n_in=n_in,
            n_out=n_out,
            parities=parities,
            window=MAX_WINDOW,
            taps=6,
            seed=_SEEDS[parities - 1],
            sums=3 if parities < 4 else 4,
        )

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

    @property
    def reach(self) -> int:
        """Lag of the oldest sum that a parity takes."""
        return max(1, self.window // 4)

    @cached_property
    def sum_lags(self) -> NDArray[np.int64]:
        """Bits of every sum as lags, shape (sums, taps / 2), rising; sum_lags[:, 0] is 0."""
        return self._sum_structure[0]

    @cached_property
    def sum_pairs(self) -> NDArray[np.int64]:
        """Sums of every parity, shape (most outputs of a bit, parities, 3): the newest, the older, its lag."""
        return self._sum_structure[1]

    @cached_property
    def _sum_structure(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        # sizes of the block are not in the name: what makes a seed good are the sums alone
        source = BitSource(f"shaped sums;{self.parities};{self.window};{self.taps};{self.sums};{self.seed}")
        hands: list[list[int]] = []
        while len(hands) < self.sums:
            older = source.shuffled(list(range(1, self.window - self.reach)))[: self.taps // 2 - 1]
            hand = [0, *sorted(older)]
            if hand not in hands:
                hands.append(hand)
        every = [(lag, older) for lag in range(1, self.reach + 1) for older in range(self.sums)]
        deck = [every[index] for index in source.shuffled(list(range(len(every))))]
        pairs = []
        for index in range(-(-self.n_out // self.n_in) * self.parities):
            newest = index % self.sums
            # bits that are in both sums would cancel: such a pair is taken only if there is no other
            card = next(
                (c for c in deck if not {lag + c[0] for lag in hands[c[1]]} & set(hands[newest])), deck[0]
            )
            deck.remove(card)
            pairs.append((newest, card[1], card[0]))
        return np.array(hands, np.int64), np.array(pairs, np.int64).reshape(-1, self.parities, 3)

    @cached_property
    def lags(self) -> NDArray[np.int64]:
        """Taps of every parity as lags, shape (n_out, parities, taps), rising; lags[..., 0] is 0.

        Where the two sums of a parity share a bit, its lag is there twice and the bit is not in the parity.
        """
        if self.sums:
            newest, older, lag = np.moveaxis(self.sum_pairs, 2, 0)
            both = np.concatenate([self.sum_lags[newest], self.sum_lags[older] + lag[..., None]], axis=2)
            first = np.searchsorted(self.bit_of_output, self.bit_of_output)
            return np.sort(both, axis=2)[np.arange(self.n_out) - first]
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
        np.bitwise_xor.at(matrix, (r, a, -(at // self.n_in) * self.n_in + at % self.n_in), 1)
        return matrix

    @cached_property
    def outputs_of_bit(self) -> NDArray[np.int64]:
        """Mask bits of each encoded bit, shape (n_in,)."""
        return np.bincount(self.bit_of_output, minlength=self.n_in)

    @cached_property
    def window_masks(self) -> NDArray[np.uint64]:
        """Parities as masks over the window, bit i = lag i; shape (n_in, most outputs of a bit, parities)."""
        masks = np.zeros((self.n_in, int(self.outputs_of_bit.max()), self.parities), np.uint64)
        first = np.searchsorted(self.bit_of_output, self.bit_of_output)
        single = np.uint64(1) << self.lags.astype(np.uint64)
        masks[self.bit_of_output, np.arange(self.n_out) - first] = np.bitwise_xor.reduce(single, axis=2)
        return masks

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

        Raises
        ------
        InputError
            The symbols have another width, or are too few.
        """
        blocks = symbols.shape[0]
        if symbols.shape != (blocks, self.n_in) or n > blocks * self.n_out:
            raise InputError(f"{n} mask bits need symbols of shape ({self.blocks(n)}, {self.n_in})")
        mask = np.empty(n, np.bool_)
        _decode(np.ascontiguousarray(symbols).reshape(-1), self.outputs_of_bit, self.window_masks, mask)
        return mask


@njit(cache=True, nogil=True)
def _decode(bits, outputs, window_masks, mask):  # type: ignore[no-untyped-def]
    one = np.uint64(1)
    recent = np.uint64(0)
    position = 0
    for step in range(bits.size):
        phase = step % outputs.size
        recent = recent << one | np.uint64(bits[step])
        for j in range(min(outputs[phase], mask.size - position)):
            parity = one
            for a in range(window_masks.shape[2]):
                parity &= count_ones(recent & window_masks[phase, j, a])
            mask[position + j] = parity != 0
        position += outputs[phase]


def ideal_bits(density: float, parities: int, n_w: float) -> float:
    """Bits a mask bit that no code of this shape goes below, its false ones at n_w bits included.

    Random coding with outputs that are 1 with probability q = 2^-A: a one costs log2(1/q); a zero costs
    log2(1 / (1 - q + q 2^-n_w)), as it may come out as a one for n_w bits.
    """
    q = 2.0**-parities
    return density * parities - (1 - density) * math.log2(1 - q + q * 2.0**-n_w)


def encoded_bits_asked(cost: NDArray[np.floating], parities: int) -> NDArray[np.floating]:
    """Encoded bits that a position asks of a random code whose outputs are 1 with probability q = 2^-parities.

    Parameters
    ----------
    cost : ndarray of float, any shape
        Bits that it costs if the position comes out as 1; if negative, -cost is what it costs if it comes out as 0.
    parities : int

    Returns
    -------
    ndarray of float, same shape
        log2(1 / (1 - q + q 2^-cost)), or log2(1 / (q + (1 - q) 2^cost)): what a random code spends, costs included.
    """
    q = 2.0**-parities
    paid = np.exp2(-np.abs(cost))
    return -np.log2(np.where(cost < 0, q + (1 - q) * paid, 1 - q + q * paid))
