"""Software decoders: the plain one that states what a decoder is, and the fast one that agrees with it.

Both work on words over all planes (``symbols[t, b]`` holds bit b of x_t of every plane), because planes share the
generator: the decoder is the XOR network of G, applied to n_w-bit words.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words
from xorweave.golden.code.code import Code

# Blocks decoded together: long enough to hide the cost of a tap, short enough to stay in the second-level cache.
_CHUNK_BYTES = 1024


def decode_plain(code: Code, symbols: Words, segment_blocks: int | None = None) -> Words:
    """Decode block by block, straight from the definition: y_t = G * [x_t; x_(t-1); ...; x_(t-N_s)].

    Parameters
    ----------
    code : Code
    symbols : ndarray of unsigned words, shape (blocks, n_in)
    segment_blocks : int, optional
        The history is cleared before every block t with t % segment_blocks == 0. One segment by default.

    Returns
    -------
    ndarray of unsigned words, shape (blocks, n_out)
    """
    blocks = symbols.shape[0]
    period = segment_blocks or max(blocks, 1)
    output = np.zeros((blocks, code.n_out), symbols.dtype)
    for t in range(blocks):
        window = np.zeros((code.n_s + 1, code.n_in), symbols.dtype)
        for age in range(min(code.n_s, t % period) + 1):
            window[age] = symbols[t - age]
        flat = window.reshape(-1)
        for r in range(code.n_out):
            output[t, r] = np.bitwise_xor.reduce(flat[code.generator[r] == 1])
    return output


@njit(cache=True, nogil=True)
def _decode_kernel(symbols, first, last, n_s, tap_start, tap_age, tap_bit, from_previous, output, chunk):  # type: ignore[no-untyped-def]
    # Chunk by chunk the symbols are turned so that time runs along a vector: then a tap is one vector XOR.
    n_in = symbols.shape[1]
    n_out = output.shape[1]
    turned = np.zeros((n_in, n_s + chunk), symbols.dtype)
    decoded = np.zeros((n_out, chunk), symbols.dtype)
    for start in range(first, last, chunk):
        length = min(chunk, last - start)
        for b in range(n_in):
            for i in range(n_s + length):
                t = start - n_s + i
                turned[b, i] = symbols[t, b] if t >= first else 0
        for r in range(n_out):
            row = decoded[r]
            if from_previous[r]:
                row[:] = decoded[r - 1]
            else:
                row[:] = 0
            for k in range(tap_start[r], tap_start[r + 1]):
                source = turned[tap_bit[k], n_s - tap_age[k] : n_s - tap_age[k] + length]
                for i in range(length):
                    row[i] ^= source[i]
        for i in range(length):
            for r in range(n_out):
                output[start + i, r] = decoded[r, i]


@njit(cache=True, nogil=True)
def _decode_segments(symbols, period, n_s, tap_start, tap_age, tap_bit, from_previous, output, chunk):  # type: ignore[no-untyped-def]
    # in here and not in Python: a stream may have as many segments as blocks
    for first in range(0, symbols.shape[0], period):
        last = min(first + period, symbols.shape[0])
        _decode_kernel(symbols, first, last, n_s, tap_start, tap_age, tap_bit, from_previous, output, chunk)


@lru_cache(maxsize=64)  # a tensor is decoded in many pieces, by a code of each group
def tap_lists(
    code: Code,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return the rows of G as lists of taps, each from the row before where that is shorter.

    Returns
    -------
    start : ndarray of int64, shape (n_out + 1,)
        Row r has the taps start[r] .. start[r + 1] - 1.
    age, bit : ndarray of int64, shape (taps,)
        Tap: bit `bit` of the symbol `age` blocks ago.
    from_previous : ndarray of bool, shape (n_out,)
        Whether the row's taps are added to the output before it.
    """
    matrix = code.generator
    step = matrix.copy()
    step[1:] ^= matrix[:-1]
    # a row that differs from the one before in fewer columns than it has taps is cheaper from there (chains)
    from_previous = np.count_nonzero(step, axis=1) + 1 < np.count_nonzero(matrix, axis=1)
    from_previous[0] = False
    rows = np.where(from_previous[:, None], step, matrix)
    taps = np.flatnonzero(rows.view(np.bool_))
    start = np.searchsorted(taps, np.arange(code.n_out + 1) * rows.shape[1])
    column = taps % rows.shape[1]
    return start, column // code.n_in, column % code.n_in, from_previous


def decode_words(code: Code, symbols: Words, segment_blocks: int | None = None) -> Words:
    """Decode all planes at once, fast: the same contract and the same result as `decode_plain`."""
    symbols = np.ascontiguousarray(symbols)
    blocks = symbols.shape[0]
    period = segment_blocks or max(blocks, 1)
    start, age, bit, from_previous = tap_lists(code)
    output = np.empty((blocks, code.n_out), symbols.dtype)
    chunk = min(_CHUNK_BYTES // symbols.dtype.itemsize, period)
    _decode_segments(symbols, period, code.n_s, start, age, bit, from_previous, output, chunk)
    return output
