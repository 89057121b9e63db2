"""The Bloomier filter: a static map of n keys in c*n cells that answers other keys with noise.

Chazelle, Kilian, Rubinfeld, Tal (SODA 2004); used for pruned weights by Reagen et al., "Weightless" (ICML
2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.key_hash import MAX_HASH_BITS, KeyHash
from xorweave.golden.weightless.key_values import checked_key_values
from xorweave.golden.weightless.layout import Layout

_TRIES_AT_ONE_SIZE = 4
_GROWTH = 1.01
_MOST_GROWTHS = 60


@dataclass(frozen=True, eq=False)
class Bloomier:
    """A filled filter: query(key) = H_M(key) ^ X[H_1(key)] ^ ... ^ X[H_k(key)].

    Keys that were put in answer their value, always. Any other key answers t bits that look random: a value
    below `values` comes out with probability values / 2^t, the false-positive law.

    Attributes
    ----------
    table : ndarray of uint32, shape (cells,)
        X; t bits of each are used.
    t : int
        Bits of a cell.
    layout : Layout
    key_bits : int
    seed : int
        Seed of the hash that could be peeled.
    keys : int
        How many were put in.
    """

    table: NDArray[np.uint32]
    t: int
    layout: Layout
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
        k: int = 3,
        layout: str = "fuse",
        c: float | None = None,
        key_bits: int | None = None,
        seed: int = 0,
    ) -> Bloomier:
        """Fill a filter in time linear in the number of keys.

        Peeling: a cell used by one remaining key belongs to it; take the key away, go on. Cells are then
        filled in reverse order. Where keys remain (a 2-core), other hashes are tried, and every four hashes 1
        % more cells.

        Parameters
        ----------
        keys : ndarray of integers, shape (n,)
            Different from each other, 0 to 2^key_bits - 1.
        values : ndarray of integers, shape (n,)
            0 to 2^t - 1.
        t : int
            Bits of a cell, 1 to 32.
        k : int
            Cells of a key, 3 or 4.
        layout : str
            ``uniform`` or ``fuse``.
        c : float, optional
            Cells a key to begin with; by default just above the peeling threshold.
        key_bits : int, optional
            Bits of a key; by default as many as the largest needs.
        seed : int
            First seed to try.

        Raises
        ------
        InputError
            A key or value is out of range, keys repeat, or no table up to 1.8 times the size could be peeled.
        """
        keys, values, key_bits = checked_key_values(keys, values, t, key_bits)
        shape = Layout.for_keys(layout, k, keys.size, c)
        cells_a_key = shape.cells / max(1, keys.size)
        for _ in range(_MOST_GROWTHS):
            for _ in range(_TRIES_AT_ONE_SIZE):
                filled = cls(np.zeros(shape.cells, np.uint32), t, shape, key_bits, seed, int(keys.size))
                cells, masks = filled._places(keys)
                order, own, peeled = _peel(cells, shape.cells)
                if peeled == keys.size:
                    _fill(filled.table, cells, masks, values.astype(np.uint32), order, own)
                    filled.table.setflags(write=False)
                    return filled
                seed += 1
            cells_a_key *= _GROWTH
            shape = Layout.for_keys(layout, k, keys.size, cells_a_key)
        raise InputError(
            f"the {keys.size} keys must leave a table that can be peeled, "
            f"but none up to {cells_a_key:.2f} cells a key could"
        )

    @cached_property
    def hash(self) -> KeyHash:
        """The hash of keys; the places take its low bits and H_M the t bits above them."""
        bits = self.layout.hash_bits + self.t
        if bits > MAX_HASH_BITS:
            raise InputError(f"places and cells must take at most {MAX_HASH_BITS} hash bits, not {bits}")
        return KeyHash(self.key_bits, bits, self.seed)

    @property
    def cells_a_key(self) -> float:
        """c = m / n."""
        return self.layout.cells / self.keys if self.keys else float("inf")

    @property
    def bits(self) -> int:
        """Bits of the table, t * m."""
        return self.t * self.layout.cells

    def _places(self, keys: NDArray[np.integer]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return the cells of every key, shape (n, k), and its H_M, shape (n,)."""
        hashes = self.hash(keys)
        cells = np.empty((keys.size, self.layout.k), np.uint32)
        masks = np.empty(keys.size, np.uint32)
        shape = self.layout
        _split(
            hashes,
            shape.kind == "fuse",
            shape.bank,
            shape.starts,
            shape.field_bits,
            shape.offset_bits,
            self.t,
            cells,
            masks,
        )
        return cells, masks

    def query(self, keys: NDArray[np.integer]) -> NDArray[np.uint32]:
        """Look keys up; returns uint32 of t bits, shape (n,)."""
        cells, answers = self._places(np.asarray(keys).reshape(-1))
        for j in range(self.layout.k):
            answers ^= self.table[cells[:, j]]
        return answers


@njit(cache=True)
def _split(  # type: ignore[no-untyped-def]
    hashes, fuse, bank, starts, field_bits, offset_bits, t, cells, masks
):
    """Cut hashes into places and H_M; fields lie one after another from bit 0 up."""
    k = cells.shape[1]
    for i in range(hashes.shape[0]):
        low = hashes[i, 0]
        high = hashes[i, 1]
        at = 0
        first = np.int64(0)
        for j in range(k + 2):
            # j = 0 .. k-1 uniform fields | 0 segment, 1 .. k offsets; last: H_M
            if j == k + 1:
                width = t
            elif fuse:
                width = field_bits if j == 0 else offset_bits
            else:
                width = field_bits if j < k else 0
            if at >= 64:
                field = high >> np.uint64(at - 64)
            elif at == 0:
                field = low
            else:
                field = (low >> np.uint64(at)) | (high << np.uint64(64 - at))
            field &= (np.uint64(1) << np.uint64(width)) - np.uint64(1)
            at += width
            if j == k + 1:
                masks[i] = field
            elif fuse:
                if j == 0:
                    first = np.int64((field * np.uint64(starts)) >> np.uint64(field_bits))
                else:
                    cells[i, j - 1] = (first + j - 1) * bank + np.int64(field)
            elif j < k:
                cells[i, j] = j * bank + np.int64((field * np.uint64(bank)) >> np.uint64(field_bits))


@njit(cache=True)
def _peel(cells, m):  # type: ignore[no-untyped-def]
    """Peel; returns the keys in peeling order, the own cell of each in the same order, and how many went."""
    n, k = cells.shape
    users = np.zeros(m, np.uint32)
    which = np.zeros(m, np.uint32)  # xor of the keys that use the cell: with one user left, that key
    for i in range(n):
        for j in range(k):
            users[cells[i, j]] += 1
            which[cells[i, j]] ^= np.uint32(i)
    order = np.empty(n, np.uint32)
    own = np.empty(n, np.uint32)
    stack = np.empty(m, np.uint32)
    peeled = 0
    for start in range(m):
        if users[start] != 1:
            continue
        stack[0] = start
        waiting = 1
        while waiting:
            waiting -= 1
            cell = stack[waiting]
            if users[cell] != 1:
                continue
            key = which[cell]
            order[peeled] = key
            own[peeled] = cell
            peeled += 1
            for j in range(k):
                other = cells[key, j]
                users[other] -= 1
                which[other] ^= key
                if users[other] == 1:
                    stack[waiting] = other
                    waiting += 1
    return order, own, peeled


@njit(cache=True)
def _fill(table, cells, masks, values, order, own):  # type: ignore[no-untyped-def]
    n, k = cells.shape
    for i in range(n - 1, -1, -1):
        key = order[i]
        word = masks[key] ^ values[key]
        for j in range(k):
            # the own cell still holds 0, as no key peeled later uses it
            word ^= table[cells[key, j]]
        table[own[i]] = word
