"""Kept words as they are, one after another: no planes, no code, and no fixed rate.

Under a bitmap this is the plainest sparse format, and the smallest where words are random and a tensor is small or
dense: a code at a fixed rate cannot take fewer bits than it has care bits, and its header and its stream's ends come
on top. Which word a position has depends on how many ones the mask has before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words
from xorweave.golden.base.packed_rows import PackedRows, pack_words


@dataclass(frozen=True, eq=False)
class PackedWords:
    """The words at the ones of a mask, in scan order.

    Parameters
    ----------
    n_w : int
        Bits of a word.
    words : PackedRows
        Shape (kept, 1).
    """

    n_w: int
    words: PackedRows

    kind = "packed"
    planes = 0

    @classmethod
    def of(cls, words: Words, n_w: int) -> PackedWords:
        """Pack words, shape (kept,), of n_w bits each."""
        planes = list(range(n_w))
        return cls(n_w, PackedRows(pack_words(words, planes), words.size, 1, planes, words.dtype))

    @property
    def spans(self) -> list[tuple[int, int]]:
        """No group of planes."""
        return []

    @property
    def bits(self) -> int:
        """Stored bits."""
        return self.words.rows * self.n_w

    def packed(self) -> NDArray[np.uint8]:
        """Return the words in bytes, lowest bit first."""
        return self.words.data

    def targets(
        self, words: Words, kept: NDArray[np.bool_]
    ) -> tuple[NDArray[np.unsignedinteger], list[NDArray[np.bool_]]]:
        """Return no planes and no care bits; see `ValueCoder`."""
        return np.zeros(words.size, np.uint8), []

    def words_of(self, planes: NDArray[np.unsignedinteger], word: np.dtype) -> Words:
        """Return zeros: no plane stands for a word."""
        return np.zeros(planes.shape, word)

    def under(self, kept: NDArray[np.bool_], before: int) -> Words:
        """Return the words of some neighbouring positions, 0 where nothing is kept.

        Parameters
        ----------
        kept : ndarray of bool, shape (positions,)
            Their mask.
        before : int
            Ones of the mask before them.
        """
        words = np.zeros(kept.size, self.words.dtype)
        here = self.words[before : before + int(np.count_nonzero(kept))]
        words[kept] = here.reshape(-1)
        return words
