"""What codes of many sizes would store a tensor in: payload by count, patches by the queue model, on one scan.

Every choice of rate and scan asks this for hundreds of sizes, so the care bits of a scan are walked once and packed,
and a size is given up as soon as it is sure to lose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.queue_model import take
from xorweave.golden.encoders.bit_scan import count_ones
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import expected_patch_bits


@njit(cache=True, nogil=True)
def _pack(mask, stride, first, length, words, before):  # type: ignore[no-untyped-def]
    at = np.int64(first)
    back = np.int64(stride - mask.size)
    total = 0
    for w in range(words.size):
        word = np.uint64(0)
        for b in range(min(64, length - 64 * w)):
            word |= np.uint64(mask[np.uint64(at)]) << np.uint64(b)
            at += back
            at += mask.size & (at >> 63)  # a branch would be guessed wrongly four times in ten
        words[w] = word
        before[w] = total
        total += np.int64(count_ones(word))


@njit(cache=True, nogil=True)
def _ones_before(words, before, position):  # type: ignore[no-untyped-def]
    w = np.uint64(position >> 6)
    below = (np.uint64(1) << np.uint64(position & 63)) - np.uint64(1)
    return before[w] + np.int64(count_ones(words[w] & below))


@njit(cache=True, nogil=True)
def _lowest_surplus(words, before, length, n_in, n_out):  # type: ignore[no-untyped-def]
    # the block's edge up to which care bits are furthest ahead of encoded bits
    lowest = 0
    place = 0
    for t in range(1, (length + n_out - 1) // n_out):
        surplus = t * n_in - _ones_before(words, before, t * n_out)
        if surplus < lowest:
            lowest = surplus
            place = t * n_out
    return place


@njit(cache=True, nogil=True)
def _counts(words, before, length, n_out, start, counts):  # type: ignore[no-untyped-def]
    total = _ones_before(words, before, length)
    seen = _ones_before(words, before, start)
    for t in range(counts.size):
        end = start + min(length, (t + 1) * n_out)
        ones = _ones_before(words, before, min(end, length))
        if end > length:
            ones = total + _ones_before(words, before, end - length)
        counts[t] = ones - seen
        seen = ones


@njit(cache=True, nogil=True)
def _dependent(words, before, length, n_in, n_out, buffer, start, most):  # type: ignore[no-untyped-def]
    # dependent equations of a scan taken as a ring from `start` on; gives up when there are more than `most`
    total = _ones_before(words, before, length)
    seen = _ones_before(words, before, start)
    free = 0.0
    lost = 0.0
    for t in range((length + n_out - 1) // n_out):
        end = start + min(length, (t + 1) * n_out)
        ones = _ones_before(words, before, min(end, length))
        if end > length:
            ones = total + _ones_before(words, before, end - length)
        free = min(free, buffer) + n_in
        left = take(free, ones - seen)
        lost += left - (free - (ones - seen))
        if lost > most:
            break
        free = left
        seen = ones
    return lost


@njit(cache=True, nogil=True)
def _affordable(bits, n, n_w, planes):  # type: ignore[no-untyped-def]
    # the dependent equations whose patches take so many bits, or a few more, by halving
    low = 0.0
    high = max(0.0, bits)
    for _ in range(20):
        middle = (low + high) / 2
        if expected_patch_bits(middle, n, n_w, planes) > bits:
            high = middle
        else:
            low = middle
    return high


@njit(cache=True, nogil=True)
def price_of(words, before, length, n, size, use, rule, limit):  # type: ignore[no-untyped-def]
    """Return (bits, dependent, start) of one size; infinitely many bits if they are more than `limit`.

    Parameters
    ----------
    words, before, length, n
        Those of `CareBits`.
    size : (int, int, int)
        N_in, N_out, N_s.
    use : (float, float)
        Of the family, see `window_use`.
    rule : (int, int, float, bool)
        Planes that are stored, bits of a word, dependent equations that are tolerated, whether the scan is a ring.
    limit : float
        Bits.
    """
    n_in, n_out, n_s = size
    share, start_loss = use
    planes, n_w, tolerated, ring = rule
    window = n_in * (n_s + 1)
    ones = _ones_before(words, before, length)
    scale = n / length
    columns = (n + n_out - 1) // n_out * n_in
    most = tolerated
    if limit < np.inf:
        most = min(most, _affordable(limit - columns * planes, n, n_w, planes))
    # no more equations hold than there are columns
    if columns * planes > limit or ones * scale - columns > most:
        return np.inf, 0.0, 0
    start = _lowest_surplus(words, before, length, n_in, n_out) if ring else 0
    buffer = max(0.0, window * share - n_in)
    lost = scale * _dependent(words, before, length, n_in, n_out, buffer, start, most / scale)
    if lost > most:
        return np.inf, 0.0, 0
    dependent = lost + min(max(0, window - 2 * n_in) * start_loss, ones * scale - lost)
    return columns * planes + expected_patch_bits(dependent, n, n_w, planes), dependent, start


@njit(cache=True, nogil=True)
def _price(words, before, length, n, sizes, use, rule, limits, bits, dependent, starts):  # type: ignore[no-untyped-def]
    # limits: the lowest prices so far, rising; a size that is dearer than all of them stays at infinity
    for k in range(sizes.shape[0]):
        size = (sizes[k, 0], sizes[k, 1], sizes[k, 2])
        bits[k], dependent[k], starts[k] = price_of(words, before, length, n, size, use, rule, limits[-1])
        at = limits.size - 1
        if bits[k] < limits[at]:
            while at > 0 and bits[k] < limits[at - 1]:
                limits[at] = limits[at - 1]
                at -= 1
            limits[at] = bits[k]


@dataclass(frozen=True, kw_only=True, order=True)
class Price:
    """What a code of a size is expected to store.

    Attributes
    ----------
    bits : float
        Payload and patches over all planes.
    n_in, n_out, n_s : int
    start : int
        The scan position to start at.
    dependent : float
        Expected care bits whose equation depends on those before it.
    """

    bits: float
    n_in: int
    n_out: int
    n_s: int
    start: int
    dependent: float


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What prices are made for.

    Attributes
    ----------
    planes : int
        Planes that are stored.
    n_w : int
        Bits of a word, and so of a patch.
    family : str
        Of the generators, see ``window_use``.
    tolerated : float
        Dependent equations, those of the stream's start left out, beyond which a code is out of the question.
    free_start : bool
        The scan is a ring and may start at any block's edge: it starts where the surplus of encoded over care bits is
        lowest. From there it never falls below zero again (the cyclic lemma), so the stream's start, where the window
        is still empty, costs nothing.
    """

    planes: int
    n_w: int
    family: str = "uniform"
    tolerated: float = math.inf
    free_start: bool = False


@dataclass(frozen=True, eq=False)
class CareBits:
    """The care bits of a scan, or of its first part, packed so that those before any position are quickly counted.

    Attributes
    ----------
    n : int
        Positions of the scan.
    length : int
        Those that are looked at, from the first: one part of a long scan is like another.
    words : ndarray of uint64
        The care bits, 64 a word, the first lowest.
    before : ndarray of int32, same shape
        Care bits before each word.
    """

    n: int
    length: int
    words: NDArray[np.uint64]
    before: NDArray[np.int32]

    @classmethod
    def along(cls, mask: NDArray[np.bool_], scan: Interleaver, length: int | None = None) -> CareBits:
        """Take a flat mask, shape (n,), in the order of a scan."""
        length = mask.size if length is None else min(length, mask.size)
        words = np.zeros(length // 64 + 1, np.uint64)
        before = np.zeros(words.size, np.int32)
        if length:
            _pack(mask, scan.stride, scan.offset, length, words, before)
        return cls(mask.size, length, words, before)

    @classmethod
    def of(cls, care: NDArray[np.bool_]) -> CareBits:
        """Take care bits that are in scan order, shape (n,)."""
        return cls.along(care, Interleaver(care.size))

    @property
    def ones(self) -> int:
        """Care bits of the whole scan, as far as can be told from those looked at."""
        return round(int(_ones_before(self.words, self.before, self.length)) * self.n / max(1, self.length))

    def counts(self, n_out: int, start: int = 0) -> NDArray[np.int64]:
        """Count the care bits of each block of a ring that starts at `start`, shape (blocks,)."""
        counts = np.zeros(-(-self.length // n_out), np.int64)
        _counts(self.words, self.before, self.length, n_out, start, counts)
        return counts

    def lowest_surplus(self, n_in: int, n_out: int) -> int:
        """Return where a ring starts best: the edge up to which care bits are furthest ahead of encoded bits."""
        return int(_lowest_surplus(self.words, self.before, self.length, n_in, n_out))

    def cheapest(
        self,
        sizes: Sequence[tuple[int, int, int]] | NDArray[np.int64],
        terms: Terms,
        count: int = 1,
        below: float = math.inf,
    ) -> list[Price]:
        """Return the cheapest of codes of several sizes, the cheapest first.

        Parameters
        ----------
        sizes : sequence of (n_in, n_out, n_s), or ndarray of int64, shape (m, 3)
        terms : Terms
        count : int
            How many to return at most.
        below : float
            Bits above which a code is of no interest.
        """
        if not self.length:
            return []
        table = np.ascontiguousarray(sizes, np.int64).reshape(-1, 3)
        bits = np.full(len(table), math.inf)
        dependent = np.zeros(len(table))
        starts = np.zeros(len(table), np.int64)
        _price(
            self.words,
            self.before,
            self.length,
            self.n,
            table,
            window_use(terms.family),
            (terms.planes, terms.n_w, terms.tolerated, terms.free_start and self.length == self.n),
            np.full(count, below),
            bits,
            dependent,
            starts,
        )
        order = np.argsort(bits, kind="stable")[:count]
        return [
            Price(
                bits=float(bits[k]),
                n_in=int(table[k, 0]),
                n_out=int(table[k, 1]),
                n_s=int(table[k, 2]),
                start=int(starts[k]),
                dependent=float(dependent[k]),
            )
            for k in order
            if bits[k] < math.inf
        ]
