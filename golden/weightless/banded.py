"""The banded filter: a static map solved by elimination, one cell a key and hardly more.

A key's answer is a sum of cells in one window, chosen by the bits of its hash ("ribbon": Dillinger, Walzer,
"Ribbon filter", 2021; "bumped", below 1 % over one cell a key: Dillinger, Hübschle-Schneider, Sanders, Walzer, SEA
2022). Keys meet cells unevenly, which a band forgives only within its window. Bumping moves the surplus to further
filters, each asked in turn; here instead a short directory stretches the hash: it says where every bucket of some 250
keys begins, so that keys lie as dense as cells everywhere and a query is one look-up, whatever the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import width_for
from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.key_hash import MIDDLE_BITS, KeyHash
from xorweave.golden.weightless.key_values import checked_key_values

MOST_WINDOW = MIDDLE_BITS + 1
LEAST_WINDOW = 16
OFFSET_BITS = 12
"""Hash bits of a key's place in its bucket, scaled to the bucket's width."""

_SLACK_BITS = 6  # a field scaled by (field * buckets) >> width favours some buckets by at most 2^-6
_KEYS_A_BUCKET = 4  # times the window: the keys inside a bucket then stray by a fraction of the window
_SEEDS = 16
_WIDER, _STEPS = 4, 40  # a bucket that cannot be solved is given 4 cells more at a time, at most 160


def bucket_count(keys: int, window: int) -> int:
    """Return how many buckets so many keys are dealt to: of 4 * window keys each on average, at least one."""
    return max(1, round(keys / (_KEYS_A_BUCKET * window)))


@dataclass(frozen=True, eq=False)
class Banded:
    """A filled filter: query(key) = H_M(key) ^ the XOR of X[s + i] over the ones i of the key's window word.

    The window word is 1 + 2 * (the lowest window - 1 of the 61 bits between the two maps of `KeyHash`), H_M the
    highest t of them; the two maps' hash is a bucket, in its low bits, and a place in it, in the 12 bits above:
    s = starts[b] + (place * (starts[b + 1] - starts[b]) >> 12). Cells behind the last one read 0.

    Keys that were put in answer their value, always. Any other key answers t bits that look random: a value
    below `values` comes out with probability values / 2^t.

    Attributes
    ----------
    table : ndarray of uint32, shape (cells,)
        X; t bits of each are used.
    t : int
        Bits of a cell.
    window : int
        Cells that a key may use, 16 to 62.
    starts : ndarray of int64, shape (buckets + 1,)
        The directory: the cell at which each bucket begins, and the last one ends.
    key_bits : int
    seed : int
        Seed of the hash that could be solved.
    keys : int
        How many were put in.
    """

    table: NDArray[np.uint32]
    t: int
    window: int
    starts: NDArray[np.int64]
    key_bits: int
    seed: int
    keys: int

    @classmethod
    def build(
        cls,
        keys: NDArray[np.integer],
        values: NDArray[np.integer],
        *,
        t: int,
        window: int = MOST_WINDOW,
        key_bits: int | None = None,
        seed: int = 0,
    ) -> Banded:
        """Fill a filter in time linear in the number of keys.

        Elimination over GF(2), bucket after bucket: a key's row loses its lowest one against the row that holds
        this cell, until it finds a free cell or is no new equation. A bucket ends where the cells taken so far do,
        less three eighths of a window that the next one finds half used: fewer cells are then left free for ever.
        A bucket with a contradiction is taken out and given more cells; if no width will do, another hash is tried.

        Parameters
        ----------
        keys : ndarray of integers, shape (n,)
            Different from each other, 0 to 2^key_bits - 1.
        values : ndarray of integers, shape (n,)
            0 to 2^t - 1.
        t : int
            Bits of a cell, 1 to 32.
        window : int
            Cells that a key may use, 16 to 62: overhead .4 % at 62, 1 % at 32; a query reads as many.
        key_bits : int, optional
            Bits of a key; by default as many as the largest needs.
        seed : int
            First seed to try.

        Raises
        ------
        InputError
            A key, a value or the window is out of range, keys repeat, or none of 16 hashes could be solved.
        """
        keys, values, key_bits = checked_key_values(keys, values, t, key_bits)
        _check_window(window)
        size = int(keys.size)
        buckets = bucket_count(size, window)
        capacity = size + (buckets + 1) * (_WIDER * _STEPS + 2 * window)
        for tried in range(seed, seed + _SEEDS):
            empty = np.zeros(0, np.uint32)
            starts = np.zeros(buckets + 1, np.int64)
            filled = cls(empty, t, window, starts, key_bits, tried, size)
            bucket, place, words, masks = filled._parts(keys)
            rows = np.zeros(capacity, np.uint64)
            sides = np.zeros(capacity, np.uint32)
            first, order = _by_bucket(bucket, buckets)
            sums = values.astype(np.uint32) ^ masks
            if _eliminate(first, order, place, words, sums, 3 * window // 8, rows, sides, starts):
                taken = np.flatnonzero(rows)
                cells = int(taken[-1]) + 1 if taken.size else 0
                table = np.zeros(cells + window, np.uint32)
                _substitute(rows, sides, table, cells)
                table = table[:cells].copy()
                for fixed in (table, starts):
                    fixed.setflags(write=False)
                return cls(table, t, window, starts, key_bits, tried, size)
        raise InputError(
            f"the window must be wider than {window} for these {size} keys: "
            f"none of {_SEEDS} hashes could be solved"
        )

    def __post_init__(self) -> None:
        _check_window(self.window)
        if self.starts.shape != (bucket_count(self.keys, self.window) + 1,):
            raise InputError(
                f"the directory must have {bucket_count(self.keys, self.window) + 1} places, not {self.starts.size}"
            )

    @property
    def buckets(self) -> int:
        """How many buckets the keys were dealt to."""
        return self.starts.size - 1

    @property
    def bucket_bits(self) -> int:
        """Hash bits of the bucket, from bit 0 up; the place lies above them."""
        return width_for(self.buckets - 1) + _SLACK_BITS

    @cached_property
    def hash(self) -> KeyHash:
        """The hash of keys to bucket and place."""
        return KeyHash(self.key_bits, self.bucket_bits + OFFSET_BITS, self.seed)

    @property
    def cells(self) -> int:
        """m, the cells of the table."""
        return int(self.table.size)

    @property
    def cells_a_key(self) -> float:
        """m / n."""
        return self.cells / self.keys if self.keys else float("inf")

    @property
    def width_bits(self) -> int:
        """Bits of a bucket's width in the directory as it is stored, counted from the least width."""
        widths = np.diff(self.starts)
        return int(widths.max() - widths.min()).bit_length()

    @property
    def bits(self) -> int:
        """Bits of the table and of the directory, t * m + buckets * width_bits."""
        return self.t * self.cells + self.buckets * self.width_bits

    def _parts(
        self, keys: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint32]]:
        """Return bucket, place, window word and H_M of every key, each of shape (n,)."""
        ring = self.hash.ring(keys)
        low = self.hash.spread(ring)[:, 0]
        bucket, place = np.empty(ring.size, np.int64), np.empty(ring.size, np.int64)
        words, masks = np.empty(ring.size, np.uint64), np.empty(ring.size, np.uint32)
        sizes = np.uint64(self.bucket_bits), np.uint64(self.window - 1), np.uint64(MIDDLE_BITS - self.t)
        _cut(ring, low, self.buckets, sizes, bucket, place, words, masks)
        return bucket, place, words, masks

    def windows(
        self, keys: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint32]]:
        """Return the first cell, the window word and H_M of every key, each of shape (n,)."""
        bucket, place, words, masks = self._parts(np.asarray(keys).reshape(-1))
        _first_cells(self.starts, bucket, place)
        return bucket, words, masks

    def query(self, keys: NDArray[np.integer]) -> NDArray[np.uint32]:
        """Look keys up; returns uint32 of t bits, shape (n,)."""
        first, words, answers = self.windows(keys)
        _sum_windows(self._slices, self.cells, first, words, answers)
        return answers

    @cached_property
    def _slices(self) -> NDArray[np.uint64]:
        """Bit b of 64 cells in one word, shape (blocks, t): a window is then two words a bit. Zeros behind the last."""
        slices = np.zeros((self.cells // 64 + 2, self.t), np.uint64)
        _slice(self.table, slices)
        return slices


def _check_window(window: int) -> None:
    if not LEAST_WINDOW <= window <= MOST_WINDOW:
        raise InputError(f"the window must be between {LEAST_WINDOW} and {MOST_WINDOW} cells, not {window}")


@njit(cache=True)
def _cut(ring, low, buckets, sizes, bucket, place, words, masks):  # type: ignore[no-untyped-def]
    """Cut hashes into bucket and place, rings into window word and H_M."""
    bucket_bits, free_bits, others = sizes
    one = np.uint64(1)
    for i in range(ring.size):
        field = low[i] & ((one << bucket_bits) - one)
        bucket[i] = (field * np.uint64(buckets)) >> bucket_bits
        place[i] = (low[i] >> bucket_bits) & np.uint64((1 << OFFSET_BITS) - 1)
        words[i] = ((ring[i] & ((one << free_bits) - one)) << one) | one
        masks[i] = ring[i] >> others


@njit(cache=True)
def _first_cells(starts, bucket, place):  # type: ignore[no-untyped-def]
    """Put the first cell of every key where its bucket stands."""
    for i in range(bucket.size):
        begin, end = starts[bucket[i]], starts[bucket[i] + 1]
        bucket[i] = begin + ((place[i] * (end - begin)) >> OFFSET_BITS)


@njit(cache=True)
def _by_bucket(bucket, buckets):  # type: ignore[no-untyped-def]
    """Sort keys by bucket: the first of each bucket, shape (buckets + 1,), and their order."""
    first = np.zeros(buckets + 1, np.int64)
    for i in range(bucket.size):
        first[bucket[i] + 1] += 1
    for b in range(buckets):
        first[b + 1] += first[b]
    at = first.copy()
    order = np.empty(bucket.size, np.int64)
    for i in range(bucket.size):
        order[at[bucket[i]]] = i
        at[bucket[i]] += 1
    return first, order


@njit(cache=True)
def _insert(start, word, side, rows, sides):  # type: ignore[no-untyped-def]
    """Reduce a row; returns the cell it took, -1 if it says nothing new, -2 if it contradicts."""
    one = np.uint64(1)
    cell = start
    while word:
        while word & one == 0:
            word >>= one
            cell += 1
        if rows[cell] == 0:
            rows[cell] = word
            sides[cell] = side
            return cell
        word ^= rows[cell]
        side ^= sides[cell]
    return -1 if side == 0 else -2


@njit(cache=True)
def _eliminate(first, order, place, words, sums, backlog, rows, sides, starts):  # type: ignore[no-untyped-def]
    """Bring all rows to echelon form and lay the directory on the way; False if a bucket could not be solved."""
    taken = np.empty(order.size, np.int64)
    filled = 0
    lost = 0  # cells before the present bucket that no later row can reach
    for b in range(first.size - 1):
        begin, end = starts[b], max(starts[b], filled + lost + first[b + 1] - first[b] - backlog)
        for step in range(_STEPS + 1):
            here = 0
            solved = True
            for at in range(first[b], first[b + 1]):
                key = order[at]
                start = begin + ((place[key] * (end - begin)) >> OFFSET_BITS)
                cell = _insert(start, words[key], sums[key], rows, sides)
                if cell == -2:
                    solved = False
                    break
                if cell >= 0:
                    taken[here] = cell
                    here += 1
            if solved:
                break
            for at in range(here):
                rows[taken[at]] = 0
            if step == _STEPS:
                return False
            end += _WIDER
        filled += here
        starts[b + 1] = end
        for cell in range(begin, end):
            lost += rows[cell] == 0
    return True


@njit(cache=True)
def _substitute(rows, sides, table, cells):  # type: ignore[no-untyped-def]
    """Solve from the last cell back; cells without a row stay 0."""
    for cell in range(cells - 1, -1, -1):
        word = rows[cell] >> np.uint64(1)
        value = sides[cell]
        at = cell + 1
        while word:
            value ^= table[at] & -np.uint32(word & np.uint64(1))
            word >>= np.uint64(1)
            at += 1
        if rows[cell]:
            table[cell] = value


@njit(cache=True)
def _slice(table, slices):  # type: ignore[no-untyped-def]
    for cell in range(table.size):
        for bit in range(slices.shape[1]):
            one = np.uint64(table[cell] >> np.uint32(bit)) & np.uint64(1)
            slices[cell >> 6, bit] |= one << np.uint64(cell & 63)


@njit(cache=True)
def _sum_windows(slices, last, first, words, answers):  # type: ignore[no-untyped-def]
    one, two, four = np.uint64(1), np.uint64(2), np.uint64(4)
    for i in range(first.size):
        start = min(first[i], last)
        block, shift = start >> 6, np.uint64(start & 63)
        total = np.uint64(0)
        for bit in range(slices.shape[1]):
            cells = slices[block, bit] >> shift
            cells |= (slices[block + 1, bit] << one) << (np.uint64(63) - shift)
            odd = cells & words[i]
            odd ^= odd >> np.uint64(32)
            odd ^= odd >> np.uint64(16)
            odd ^= odd >> np.uint64(8)
            odd ^= odd >> four
            odd ^= odd >> two
            odd ^= odd >> one
            total |= (odd & one) << np.uint64(bit)
        answers[i] ^= np.uint32(total)
