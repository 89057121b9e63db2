"""Choosing how a mask is stored: the shaped code for a density, and the scan that suits it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.choose.plan import candidate_strides, correction_cost
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import encode_mask
from xorweave.golden.scan.interleaver import Interleaver

ZERO_BITS = 2.0  # of the zero's codeword, before it is known how many false ones there are
_STRIDES = 48
_BUFFER = 40  # encoded bits that window and beam smooth over
_PIECE = 64  # mask bits over which ones are counted
_SEGMENT = 1 << 24  # scan positions of a segment
_MOST_OUTPUTS = 10  # mask bits an encoded bit may give


def shaped_code(density: float, n_out: int, *, zero_bits: float = ZERO_BITS, seed: int = 0) -> ShapedMaskCode:
    """Return a shaped code for a mask of this density whose blocks are those of the values.

    Parameters
    ----------
    density : float
        Share of ones, above 0 and at most 0.5.
    n_out : int
        Mask bits of a block.
    zero_bits : float
        What a false one costs: the codeword of the word 0.
    """
    ideal = ShapedMaskCode.for_zero_codeword(density, zero_bits, seed=seed)
    n_in = max(math.ceil(ideal.rate * n_out), -(-n_out // _MOST_OUTPUTS))
    return ShapedMaskCode(
        n_in=n_in, n_out=n_out, parities=ideal.parities, window=ideal.window, taps=ideal.taps, seed=seed
    )


def encode_shaped(
    kept: NDArray[np.bool_], code: ShapedMaskCode, *, beam: int, zero_bits: float = ZERO_BITS
) -> ShapedMask:
    """Encode a mask, shape (length,), in scan order, segment by segment."""
    blocks = code.blocks(kept.size)
    segments = max(1, -(-kept.size // _SEGMENT))
    period = max(1, -(-blocks // segments))
    parts = [
        encode_mask(
            kept[first * code.n_out : (first + period) * code.n_out],
            code,
            cost_of_false_one=1.01 * zero_bits,
            beam=beam,
        ).symbols
        for first in range(0, blocks, period)
    ]
    return ShapedMask(code, np.concatenate(parts), kept.size, period)


def shaped_scan(
    kept: NDArray[np.bool_], code: ShapedMaskCode, n_w: int, *, max_k: int, seed: int
) -> Interleaver:
    """Choose the scan on which the ones' demand for encoded bits fluctuates least.

    Every one takes A of a block's encoded bits, and every zero the information of not being a one; the queue
    forecast says how many of the ones' equations find no room. The values' code, on the same blocks, is judged too.
    """
    n = kept.size
    if n < 2:
        return Interleaver(n)
    density, n_out = float(kept.mean()), code.n_out
    # the mask's window spans a hundred mask bits or so, whatever the block: ones are counted over fewer
    left = code.rate + (1 - density) * math.log2(1 - 2.0**-code.parities)
    room = max(1, round(left * _PIECE))
    width = max(1, round(1.015 * density * n_out))

    def judged(stride: int) -> tuple[float, Interleaver]:
        scanned = Interleaver(n, stride).to_scan(kept)
        # the scan is a circle: from where encoded bits are scarcest against ones they stay ahead (cyclic lemma)
        surplus = np.arange(1, n + 1) * density - np.cumsum(scanned)
        start = (int(np.argmin(surplus)) + 1) % n
        scanned = np.roll(scanned, -start).astype(np.int64)
        ones = np.add.reduceat(scanned, np.arange(0, n, _PIECE)) * code.parities
        crowded = forecast(ones, room, max(1, _BUFFER // room)).dependent
        counts = np.add.reduceat(scanned, np.arange(0, n, n_out))
        unmatched = forecast(counts, width, max(1, max_k // width - 1)).dependent
        cost = crowded + correction_cost(unmatched, n, n_w)
        return cost, Interleaver(n, stride, start * stride % n)

    return min((judged(stride) for stride in candidate_strides(n, _STRIDES, seed)), key=lambda pair: pair[0])[
        1
    ]
