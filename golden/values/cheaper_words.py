"""Quantising to words that are cheaper to store: of the two nearest words the one whose codeword and error cost less.

Entropy-constrained quantising (Chou, Lookabaugh and Gray, 1989) with the lengths of a prefix book: words and book are
chosen in turn. An error of at most one step of the grid is all that can come of it; a coarser grid saves the most, and
one that is as coarse as the error allows saves more than a fine one of which few words are used.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes

# Bits that the square of an error of one step weighs as much as. At high rates a bit less is bought by
# 1 / (2 ln 2 D) = 8.7 of D = step^2 / 12; a book is a little worse than entropy.
BITS_A_SQUARED_STEP = 6.0
_TURNS = 4
_CLASS_BITS = 0.02


def cheaper_words(real: NDArray[np.float64], dtype: str, *, highest: int, zeros: int = 0) -> NDArray[np.int8]:
    """Quantise real numbers, in steps, to whole ones that a book stores in few bits.

    Parameters
    ----------
    real : ndarray of float64, shape (n,)
        No number more than half a step beyond the highest word.
    dtype : {"int8", "int4"}
    highest : int
        Largest magnitude of a word.
    zeros : int
        Words 0 that the same book has to store.

    Returns
    -------
    ndarray of int8, shape (n,)
        None is 0, and none more than a step from its number.
    """
    sign = np.where(real < 0, -1, 1).astype(np.int8)
    size = np.abs(real)
    low = np.clip(np.floor(size), 1, highest)
    high = np.minimum(low + (size > low), highest)
    nearest = np.where(high - size < size - low, high, low)
    chosen = nearest
    for _ in range(_TURNS):
        bits = _book_bits((sign * chosen).astype(np.int8), dtype, zeros)
        losses = [
            BITS_A_SQUARED_STEP * (word - size) ** 2 + bits[(sign * word).astype(np.int64) + 128]
            for word in (low, high)
        ]
        again = np.where(losses[0] <= losses[1], low, high)
        if np.array_equal(again, chosen):
            break
        chosen = again
    return (sign * chosen).astype(np.int8)


def _book_bits(words: NDArray[np.int8], dtype: str, zeros: int) -> NDArray[np.float64]:
    """Return what the best book for these words takes for each of -128 .. 127, bits."""
    form = FORMATS[dtype]
    patch_bits = math.log2(max(2, words.size)) + form.n_w
    stored = np.concatenate([form.to_words(words), np.zeros(zeros, form.word)])
    best: tuple[float, PrefixCode] | None = None
    for book in make_prefix_codes(
        stored, form.n_w, magnitude="negated", patch_bits=patch_bits, class_bits=_CLASS_BITS
    ):
        total = float(_bits_of(book, stored, patch_bits).sum())
        if best is None or total < best[0]:
            best = total, book
    assert best is not None
    most = 1 << (form.n_w - 1)
    every = np.arange(-most, most, dtype=np.int8)
    bits = np.full(256, patch_bits)
    bits[every.astype(np.int64) + 128] = _bits_of(best[1], form.to_words(every), patch_bits)
    return bits


def _bits_of(book: PrefixCode, words: NDArray, patch_bits: float) -> NDArray[np.float64]:
    if not book.lengths.size:
        return np.full(words.shape, patch_bits)
    rank = book.rank_of(words)
    return np.where(rank >= 0, (book.lengths + book.tails + 1)[rank], patch_bits)
