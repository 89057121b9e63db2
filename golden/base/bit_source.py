"""Reproducible random bits from SHAKE-256, the same on every machine and with every version of every dependency."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


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
                self._counter += 1
                text = f"xorweave;{self._key};{self._counter}".encode()
                words = np.frombuffer(hashlib.shake_256(text).digest(4096), "<u4")
                self._pool = [int(word) for word in words[::-1]]
            word = self._pool.pop()
            if word < limit:
                return word % bound

    def shuffled(self, items: list[int]) -> list[int]:
        """Return the items in uniformly random order (Fisher-Yates)."""
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items
