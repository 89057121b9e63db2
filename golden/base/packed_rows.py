"""Rows of words of a few bits each, packed one after another, read a slice at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words


def pack_words(words: Words, planes: list[int]) -> NDArray[np.uint8]:
    """Pack the named bits of each word, lowest first: len(planes) bits a word, one word after another, in bytes."""
    flat = np.ascontiguousarray(words).reshape(-1)
    if len(planes) == flat.dtype.itemsize * 8:
        return flat.astype(flat.dtype.newbyteorder("<")).view(np.uint8)
    if not planes:
        return np.zeros(0, np.uint8)
    word = flat.dtype.type
    bits = np.stack([(flat >> word(q) & word(1)).astype(np.uint8) for q in planes], axis=1)
    return np.packbits(bits.reshape(-1), bitorder="little")


def unpack_words(data: NDArray[np.uint8], start: int, count: int, planes: list[int], word: np.dtype) -> Words:
    """Read `count` words from word `start` on: the inverse of `pack_words`. Touches no other byte than theirs."""
    width = len(planes)
    if width == word.itemsize * 8:
        size = word.itemsize
        return (
            data[start * size : (start + count) * size].view(word.newbyteorder("<")).astype(word, copy=False)
        )
    words = np.zeros(count, word)
    if not planes or not count:
        return words
    first = start * width
    piece = data[first // 8 : -(-(first + count * width) // 8)]
    bits = np.unpackbits(piece, bitorder="little")[first % 8 :][: count * width].reshape(count, width)
    for k, q in enumerate(planes):
        words |= bits[:, k].astype(word) << word.type(q)
    return words


@dataclass(frozen=True, eq=False)
class PackedRows:
    """An array of shape (rows, columns) of packed words, unpacked where it is sliced.

    Parameters
    ----------
    data : ndarray of uint8
        As `pack_words` gives it, of exactly the size needed.
    rows, columns : int
    planes : list of int
        The bits of a word that are stored.
    dtype : numpy.dtype
        Of the words.
    """

    data: NDArray[np.uint8]
    rows: int
    columns: int
    planes: list[int]
    dtype: np.dtype

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.columns

    @property
    def size(self) -> int:
        return self.rows * self.columns

    def __getitem__(self, rows: slice) -> Words:
        first, last, step = rows.indices(self.rows)
        if step != 1:
            raise IndexError("packed rows are read in steps of 1")
        count = max(0, last - first) * self.columns
        return unpack_words(self.data, first * self.columns, count, self.planes, self.dtype).reshape(
            -1, self.columns
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        return np.asarray(self[:], dtype)
