"""Reproducible random bits from SHAKE-256, the same on every machine and with every version of every dependency."""

from __future__ import annotations

import hashlib

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def below(words, at, bound):  # type: ignore[no-untyped-def]
    """Return (integer, next): what `BitSource.below` makes of words[at] and those after it; next is -1 at their end."""
    limit = np.int64(1 << 32) // bound * bound
    while at < words.size:
        word = np.int64(words[at])
        at += 1
        if word < limit:
            return word % bound, at
    return np.int64(0), -1


class BitSource:
    """An endless, reproducible source of random bits and bounded integers, keyed by a text."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._counter = 0
        self._pool: list[int] = []

    def bits(self, count: int) -> NDArray[np.uint8]:
        """Return `count` independent fair bits (uint8, 0 or 1)."""
        self._counter += 1
        text = f"xorweave;{self._key};{self._counter}".encode()
        stream = hashlib.shake_256(text).digest((count + 7) // 8)
        return np.unpackbits(np.frombuffer(stream, np.uint8), bitorder="little")[:count]

    def below(self, bound: int) -> int:
        """Return an integer uniform in 0 .. bound-1, without modulo bias."""
        limit = (1 << 32) // bound * bound
        while True:
            if not self._pool:
                self._pool = self._more()
            word = self._pool.pop()
            if word < limit:
                return word % bound

    def words(self, count: int) -> NDArray[np.uint32]:
        """Return the next `count` words that `below` would use, for the `below` of compiled code."""
        while len(self._pool) < count:
            self._pool = [*self._more(), *self._pool]
        taken, self._pool = self._pool[-count:][::-1], self._pool[:-count]
        return np.array(taken, np.uint32)

    def put_back(self, words: NDArray[np.uint32]) -> None:
        """Make these the next words again: the last of those that `words` returned, which nobody used."""
        self._pool.extend(words[::-1].tolist())

    def _more(self) -> list[int]:
        self._counter += 1
        text = f"xorweave;{self._key};{self._counter}".encode()
        stream = np.frombuffer(hashlib.shake_256(text).digest(4096), "<u4")
        return stream[::-1].tolist()  # taken from the end

    def shuffled(self, items: list[int]) -> list[int]:
        """Return the items in uniformly random order (Fisher-Yates)."""
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items
