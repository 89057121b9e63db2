"""What every value coder is: words to bit-planes and back, and which plane bits are care bits at a kept position."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words

Span = tuple[int, int]  # planes first .. end - 1, counted from the first (highest) one


class ValueCoder(Protocol):
    """Word <-> plane bits. Plane j of a weight is bit ``planes - 1 - j`` of its plane word."""

    @property
    def kind(self) -> str:
        """``raw`` or ``prefix``."""
        ...

    @property
    def n_w(self) -> int:
        """Bits of a word."""
        ...

    @property
    def planes(self) -> int:
        """Planes of a weight."""
        ...

    @property
    def spans(self) -> list[Span]:
        """The groups of planes that share their care bits."""
        ...

    def targets(
        self, words: Words, kept: NDArray[np.bool_]
    ) -> tuple[NDArray[np.unsignedinteger], list[NDArray[np.bool_]]]:
        """Return plane words, and for each span its care bits, for words in scan order.

        Parameters
        ----------
        words : ndarray of unsigned words, shape (length,)
        kept : ndarray of bool, same shape
            Where the mask decoder gives 1. Elsewhere nothing is a care bit.
        """
        ...

    def words_of(self, planes: NDArray[np.unsignedinteger], word: np.dtype) -> Words:
        """Decode plane words of any shape, one weight by itself."""
        ...
