"""Interleavers: in which order the positions of a tensor go through the code.

Care bits of real masks cluster in rows and columns; a block code of fixed rate needs them spread evenly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError


# Gathering along the scan needs the positions one after another only, never all of them at once: an index array would
# take eight bytes for each weight of one. A branch would guess wrongly, four times in ten, whether a step leads beyond
# the end.
@njit(cache=True, nogil=True)
def _gather(flat, stride, first, scanned):  # type: ignore[no-untyped-def]
    at = np.int64(first)
    back = np.int64(stride - flat.size)
    for i in range(scanned.size):
        scanned[i] = flat[np.uint64(at)]
        at += back
        at += flat.size & (at >> 63)


@njit(cache=True, nogil=True)
def _scatter(scanned, stride, first, flat):  # type: ignore[no-untyped-def]
    at = np.int64(first)
    back = np.int64(stride - flat.size)
    for i in range(scanned.size):
        flat[np.uint64(at)] = scanned[i]
        at += back
        at += flat.size & (at >> 63)


@dataclass(frozen=True)
class Interleaver:
    """The affine interleaver: scan position i holds element (offset + i * stride) mod n of the flattened tensor.

    In hardware it is one adder and one conditional subtraction. ``stride = 1, offset = 0`` is row-major order.

    Parameters
    ----------
    n : int
        Number of positions (weights of the tensor).
    stride : int
        Step between successive scan positions; must share no factor with n.
    offset : int
        Element at scan position 0.

    Raises
    ------
    InputError
        The stride is not a step through all n elements, or the offset lies outside the tensor.
    """

    n: int
    stride: int = 1
    offset: int = 0

    def __post_init__(self) -> None:
        if self.n < 0:
            raise InputError(f"a tensor's size must not be negative, but is {self.n}")
        if self.n and math.gcd(self.stride, self.n) != 1:
            raise InputError(f"the stride must share no factor with n = {self.n}, but {self.stride} does")
        if self.n > 1 and not (0 < self.stride < self.n and 0 <= self.offset < self.n):
            raise InputError(
                f"stride and offset must lie in 1 .. {self.n - 1} and 0 .. {self.n - 1}, "
                f"not {self.stride} and {self.offset}"
            )

    @property
    def is_identity(self) -> bool:
        """Whether the scan is plain row-major order."""
        return self.n < 2 or (self.stride == 1 and self.offset == 0)

    @property
    def length(self) -> int:
        """Scan positions: as many as weights, there is no padding."""
        return self.n

    @property
    def spec(self) -> str:
        """``row-major``, or ``affine,stride=...,offset=...``."""
        return "row-major" if self.is_identity else f"affine,stride={self.stride},offset={self.offset}"

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray[np.int64]:
        """Return the elements at scan positions start .. stop-1 (int64); stop defaults to n.

        Eight bytes a position: to move values along the scan, use `gather`, `to_scan` and `from_scan`.

        Raises
        ------
        InputError
            The tensor has 3e9 elements or more.
        """
        stop = self.n if stop is None else stop
        if self.n == 0:
            return np.zeros(0, np.int64)
        first = (self.offset + start * self.stride) % self.n
        if self.n >= 3_000_000_000:  # the product below, of two factors under n, must stay under 2^63
            raise InputError("a tensor must have fewer than 3e9 elements for its positions to be listed")
        return (first + np.arange(stop - start, dtype=np.int64) * self.stride) % self.n

    def places(self, elements: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the scan positions of elements, any shape: the inverse of `positions`.

        Raises
        ------
        InputError
            The tensor has 3e9 elements or more.
        """
        if self.is_identity:
            return elements
        if self.n >= 3_000_000_000:
            raise InputError("a tensor must have fewer than 3e9 elements for its positions to be listed")
        return (elements - self.offset) % self.n * pow(self.stride, -1, self.n) % self.n

    def gather(self, flat: NDArray, start: int, stop: int) -> NDArray:
        """Return the values at scan positions start .. stop-1 of a flattened tensor, shape (n,)."""
        if self.is_identity:
            return flat[start:stop]
        if self.stride == 1:
            first, last = self.offset + start, self.offset + stop
            return np.concatenate([flat[first:last], flat[max(0, first - self.n) : max(0, last - self.n)]])
        scanned = np.empty(stop - start, flat.dtype)
        _gather(flat, self.stride, (self.offset + start * self.stride) % self.n, scanned)
        return scanned

    def to_scan(self, flat: NDArray) -> NDArray:
        """Put a flattened tensor, shape (n,), into scan order."""
        return self.gather(flat, 0, self.n)

    def from_scan(self, scanned: NDArray) -> NDArray:
        """Put scan-ordered values, shape (n,), back into tensor order: the inverse of `to_scan`."""
        if self.is_identity:
            return scanned
        if self.stride == 1:
            return np.concatenate([scanned[-self.offset :], scanned[: -self.offset]])
        flat = np.empty_like(scanned)
        _scatter(np.ascontiguousarray(scanned), self.stride, self.offset, flat)
        return flat
