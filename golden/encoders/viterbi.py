"""The paper's encoder: exact dynamic programming over all contents of the shift registers (its Algorithm 3).

A state is the N_s symbols held in the registers, x_(t-1) .. x_(t-N_s). Plain Algorithm 3 tries 2^N_in branches from
each of 2^(N_in*N_s) states for every block. Here the minimum over the oldest symbol, for all newest symbols at
once, is taken as a min-plus convolution with the Hamming distance on the block's care bits, one care bit at a time
(`_spread`): u * 2^u steps on the hypercube of the u care bits in place of 2^N_in * 2^N_in distances. The cost is
the same, to the bit.

The traceback holds neither the trellis nor the survivors, only path metrics: those of every block while they fit in
256 MiB, else those of every C-th block, and the stretch between two of them is run again when the traceback comes
by; C is about the square root of the number of blocks, so memory grows with that root.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.code.code import Code

# 2^24 branches for a block is what the paper uses; past it neither time nor memory is bearable.
MAX_WINDOW_BITS = 24
# A hypercube of more care bits costs more than taking all distances one by one.
_MAX_CUBE = 14
# When the path metrics of all blocks fit in this many bytes, nothing has to be run twice.
_METRICS_BYTES = 256 << 20
# Middle states worked on side by side; a cube row of 64 bytes is one cache line and one wide register.
_LANES = 32


@njit(cache=True, nogil=True)
def _sums(columns, sums):  # type: ignore[no-untyped-def]
    """sums[s] = exclusive-or of columns[b] over the set bits b of s, word by word; sums has 2^len(columns) rows."""
    for w in range(sums.shape[1]):
        sums[0, w] = 0
    for b in range(columns.shape[0]):
        step = 1 << b
        for s in range(step):
            for w in range(sums.shape[1]):
                sums[step + s, w] = sums[s, w] ^ columns[b, w]


@njit(cache=True, nogil=True)
def _weight(word):  # type: ignore[no-untyped-def]
    word = word - ((word >> np.uint32(1)) & np.uint32(0x55555555))
    word = (word & np.uint32(0x33333333)) + ((word >> np.uint32(2)) & np.uint32(0x33333333))
    word = (word + (word >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
    return np.uint32(word * np.uint32(0x01010101)) >> np.uint32(24)


@njit(cache=True, nogil=True)
def _spread(cube, bits):  # type: ignore[no-untyped-def]
    """Min-plus convolution with the Hamming distance, in place: cube[a] = min over v of cube[v] + |a xor v|.

    cube: shape (2^bits or more, lanes); the lanes are independent and make the vectors.
    """
    one = cube.dtype.type(1)
    lanes = cube.shape[1]
    if lanes == 1:
        flat = cube.reshape(-1)
        for k in range(bits):
            half = 1 << k
            for base in range(0, 1 << bits, 2 * half):
                for a in range(base, base + half):
                    x = flat[a]
                    y = flat[a + half]
                    flat[a] = min(x, cube.dtype.type(y + one))
                    flat[a + half] = min(y, cube.dtype.type(x + one))
        return
    # two care bits in one pass over the cube: half the loads and stores
    for k in range(0, bits - 1, 2):
        half = 1 << k
        for base in range(0, 1 << bits, 4 * half):
            for a in range(base, base + half):
                row0 = cube[a]
                row1 = cube[a + half]
                row2 = cube[a + 2 * half]
                row3 = cube[a + 3 * half]
                for lane in range(lanes):
                    w = row0[lane]
                    x = row1[lane]
                    y = row2[lane]
                    z = row3[lane]
                    w1 = min(w, cube.dtype.type(x + one))
                    x1 = min(x, cube.dtype.type(w + one))
                    y1 = min(y, cube.dtype.type(z + one))
                    z1 = min(z, cube.dtype.type(y + one))
                    row0[lane] = min(w1, cube.dtype.type(y1 + one))
                    row2[lane] = min(y1, cube.dtype.type(w1 + one))
                    row1[lane] = min(x1, cube.dtype.type(z1 + one))
                    row3[lane] = min(z1, cube.dtype.type(x1 + one))
    if bits % 2:
        half = 1 << (bits - 1)
        for a in range(half):
            low = cube[a]
            high = cube[a + half]
            for lane in range(lanes):
                x = low[lane]
                y = high[lane]
                low[lane] = min(x, cube.dtype.type(y + one))
                high[lane] = min(y, cube.dtype.type(x + one))


@njit(cache=True, nogil=True)
def _block_patterns(generator, care, target, n_in, n_s, newest, middle, oldest, wanted):  # type: ignore[no-untyped-def]
    """Restrict G to one block's care bits: the sums a symbol value adds to them, and the bits wanted there.

    Returns (number of care bits, number of 32-bit words they take). newest: (2^n_in, W), oldest the same,
    middle: (W, 2^(n_in*(n_s-1))), wanted: (W,).
    """
    n_out = generator.shape[0]
    n_words = max(1, (n_out + 31) // 32)
    columns = np.zeros((generator.shape[1], n_words), np.uint32)
    wanted[:] = 0
    bits = 0
    for r in range(min(n_out, care.size)):
        if not care[r]:
            continue
        word = bits >> 5
        bit = np.uint32(1) << np.uint32(bits & 31)
        if target[r]:
            wanted[word] |= bit
        for c in range(generator.shape[1]):
            if generator[r, c]:
                columns[c, word] |= bit
        bits += 1
    words = max(1, (bits + 31) // 32)
    _sums(columns[:n_in, :words], newest[:, :words])
    if n_s > 0:
        _sums(columns[n_s * n_in :, :words], oldest[:, :words])
        # the lowest bits of the index belong to the oldest of the symbols between
        between = np.empty((n_in * (n_s - 1), words), np.uint32)
        for age in range(1, n_s):
            for b in range(n_in):
                between[(n_s - 1 - age) * n_in + b] = columns[age * n_in + b, :words]
        _sums(between, middle.T[:, :words])
    return bits, words


@njit(cache=True, nogil=True)
def _advance(metrics, following, newest, middle, oldest, wanted, bits, words, cube, infinity):  # type: ignore[no-untyped-def]
    """One block: the least cost of every state after it, less the least of all, which is returned.

    A state is (m, o): o the oldest symbol held, m the number made of the symbols between, newest first. It is
    stored at [o, m], so that the many m make vectors. The state after symbol u is (m', o') with o' the lowest
    symbol of m and m' = u followed by the rest of m.
    """
    values, middles = metrics.shape
    lanes = cube.shape[1]
    high = (
        middles // values
    )  # how many values the rest of m takes; 0 when there is no symbol between (N_s = 1)
    for tile in range(0, middles, lanes):
        width = min(lanes, middles - tile)
        if bits <= _MAX_CUBE:
            cube[: 1 << bits] = infinity
            for o in range(values):
                place = cube[oldest[o, 0]]
                costs = metrics[o, tile : tile + width]
                for lane in range(width):
                    place[lane] = min(place[lane], costs[lane])
            _spread(cube, bits)
            for lane in range(width):
                m = tile + lane
                target = wanted[0] ^ middle[0, m]
                if high == 0:
                    for u in range(values):
                        following[u, 0] = cube[target ^ newest[u, 0], lane]
                else:
                    row = following[m % values]
                    rest = m // values
                    for u in range(values):
                        row[u * high + rest] = cube[target ^ newest[u, 0], lane]
        else:
            best = np.empty(width, np.uint32)
            distance = np.empty(width, np.uint32)
            for u in range(values):
                best[:] = np.uint32(1 << 30)
                for o in range(values):
                    costs = metrics[o, tile : tile + width]
                    for lane in range(width):
                        distance[lane] = costs[lane]
                    for w in range(words):
                        other = wanted[w] ^ newest[u, w] ^ oldest[o, w]
                        between = middle[w, tile : tile + width]
                        for lane in range(width):
                            distance[lane] += _weight(other ^ between[lane])
                    for lane in range(width):
                        best[lane] = min(best[lane], distance[lane])
                for lane in range(width):
                    m = tile + lane
                    if high == 0:
                        following[u, 0] = best[lane]
                    else:
                        following[m % values, u * high + m // values] = best[lane]
    least = following.min()
    for o in range(values):
        for m in range(middles):
            following[o, m] -= least
    return np.int64(least)


@njit(cache=True, nogil=True)
def _trellis(generator, n_in, n_s, care, target, stride, start_metric, infinity, symbols, cube):  # type: ignore[no-untyped-def]
    """Encode one plane of one segment exactly. Fills `symbols` (one value a block); returns the unmatched bits."""
    n_out = generator.shape[0]
    blocks = symbols.size
    values = 1 << n_in
    middles = 1 << (n_in * (n_s - 1))
    n_words = max(1, (n_out + 31) // 32)
    newest = np.zeros((values, n_words), np.uint32)
    oldest = np.zeros((values, n_words), np.uint32)
    middle = np.zeros((n_words, middles), np.uint32)
    wanted = np.zeros(n_words, np.uint32)
    states = values * middles
    high = middles // values

    kept = np.empty(((blocks + stride - 1) // stride, states), cube.dtype)
    metrics = np.empty(states, cube.dtype)
    following = np.empty(states, cube.dtype)
    metrics[:] = start_metric  # only the empty history is real; the others can never win (see encode_plane)
    metrics[0] = 0
    total = np.int64(0)
    for t in range(blocks):
        if t % stride == 0:
            kept[t // stride] = metrics
        first = t * n_out
        bits, words = _block_patterns(
            generator, care[first : first + n_out], target[first : first + n_out], n_in, n_s,
            newest, middle, oldest, wanted,
        )  # fmt: skip
        total += _advance(
            metrics.reshape(values, middles), following.reshape(values, middles),
            newest, middle, oldest, wanted, bits, words, cube, infinity,
        )  # fmt: skip
        metrics, following = following, metrics

    state = np.argmin(metrics)
    stretch = np.empty((stride, states), cube.dtype)
    for s in range(kept.shape[0] - 1, -1, -1):
        begin = s * stride
        end = min(begin + stride, blocks)
        stretch[0] = kept[s]
        for t in range(begin, end - 1):
            first = t * n_out
            bits, words = _block_patterns(
                generator, care[first : first + n_out], target[first : first + n_out], n_in, n_s,
                newest, middle, oldest, wanted,
            )  # fmt: skip
            _advance(
                stretch[t - begin].reshape(values, middles), stretch[t - begin + 1].reshape(values, middles),
                newest, middle, oldest, wanted, bits, words, cube, infinity,
            )  # fmt: skip
        for t in range(end - 1, begin - 1, -1):
            first = t * n_out
            _bits, words = _block_patterns(
                generator, care[first : first + n_out], target[first : first + n_out], n_in, n_s,
                newest, middle, oldest, wanted,
            )  # fmt: skip
            # the state after block t is stored at [o', m']: undo the step that `_advance` makes
            after_oldest = state // middles
            after_middle = state % middles
            if high == 0:
                u = after_oldest
                m = 0
            else:
                u = after_middle // high
                m = (after_middle % high) * values + after_oldest
            symbols[t] = u
            best = np.int64(1 << 30)
            choice = 0
            for o in range(values):
                distance = np.int64(stretch[t - begin, o * middles + m])
                for w in range(words):
                    distance += _weight(wanted[w] ^ middle[w, m] ^ newest[u, w] ^ oldest[o, w])
                if distance < best:
                    best = distance
                    choice = o
            state = choice * middles + m
    return total


@njit(cache=True, nogil=True)
def _memoryless(generator, n_in, care, target, symbols):  # type: ignore[no-untyped-def]
    """N_s = 0: every block is on its own, the best of 2^n_in symbols. Returns the unmatched bits."""
    n_out = generator.shape[0]
    n_words = max(1, (n_out + 31) // 32)
    newest = np.zeros((1 << n_in, n_words), np.uint32)
    wanted = np.zeros(n_words, np.uint32)
    total = np.int64(0)
    for t in range(symbols.size):
        first = t * n_out
        _bits, words = _block_patterns(
            generator, care[first : first + n_out], target[first : first + n_out], n_in, 0,
            newest, newest.T, newest, wanted,
        )  # fmt: skip
        best = np.int64(1 << 30)
        for u in range(1 << n_in):
            distance = np.int64(0)
            for w in range(words):
                distance += _weight(wanted[w] ^ newest[u, w])
            if distance < best:
                best = distance
                symbols[t] = u
        total += best
    return total


def encode_plane(
    code: Code, plane: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], int]:
    """Encode one bit-plane of one segment with the fewest unmatched bits possible (Algorithm 3's optimum).

    Parameters
    ----------
    code : Code
        With n_in * (n_s + 1) at most 24.
    plane : ndarray of uint8, 0 or 1, shape (n,), scan order
    mask : ndarray of bool, shape (n,), scan order

    Returns
    -------
    (ndarray of int64, int)
        The symbols as numbers (bit b of the number is bit b of x_t), shape (blocks,); the unmatched bits.

    Raises
    ------
    InputError
        The window is too long for dynamic programming.
    """
    window = code.constraint_length
    if window > MAX_WINDOW_BITS:
        raise InputError(
            f"the viterbi encoder takes n_in * (n_s + 1) up to {MAX_WINDOW_BITS}, not {window}; "
            "use --encoder elimination"
        )
    blocks = -(-plane.size // code.n_out)
    symbols = np.zeros(blocks, np.int64)
    if blocks == 0:
        return symbols, 0
    if code.n_s == 0:
        return symbols, int(_memoryless(code.generator, code.n_in, mask, plane, symbols))
    # From the best state every state is reached within N_s blocks, so two path metrics never differ by more than
    # the care bits of N_s blocks. A start that is not the empty history begins above what any real path can have
    # cost by the time it could meet one.
    care = np.zeros(blocks * code.n_out, np.int64)
    care[: mask.size] = mask
    in_block = care.reshape(blocks, code.n_out).sum(axis=1)
    reach = np.convolve(in_block, np.ones(code.n_s + 1, np.int64))
    start_metric = int(in_block[: code.n_s].sum()) + 1
    highest = start_metric + int(reach.max()) + 1
    dtype = np.uint8 if highest < 250 else np.uint16 if highest < 65000 else np.uint32
    infinity = dtype(np.iinfo(dtype).max - 1)
    states = 1 << (code.n_in * code.n_s)
    everything = blocks * states * np.dtype(dtype).itemsize
    stride = 1 if everything <= _METRICS_BYTES else math.isqrt(blocks)
    lanes = min(_LANES, 1 << (code.n_in * (code.n_s - 1)))
    cube = np.zeros((1 << min(_MAX_CUBE, code.n_out), lanes), dtype)
    total = _trellis(
        code.generator, code.n_in, code.n_s, mask, plane, stride, dtype(start_metric), infinity, symbols, cube
    )
    return symbols, int(total)


def encode_segment(code: Code, targets: Words, mask: NDArray[np.bool_], n_w: int) -> Words:
    """Encode every plane of one segment exactly. Same contract as ``elimination.encode_segment``.

    Parameters
    ----------
    n_w : int
        Bit-planes of the words in `targets`.
    """
    blocks = -(-targets.size // code.n_out)
    symbols = np.zeros((blocks, code.n_in), targets.dtype)
    word = targets.dtype.type
    for q in range(n_w):
        plane = ((targets >> word(q)) & word(1)).astype(np.uint8)
        values, _unmatched = encode_plane(code, plane, mask)
        for b in range(code.n_in):
            symbols[:, b] |= ((values >> b) & 1).astype(targets.dtype) << word(q)
    return symbols
