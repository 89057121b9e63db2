"""The shaped code for a mask, its blocks those of the values, and the mask encoded by it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import encode_mask

ZERO_BITS = 2.0  # of the zero's codeword, before it is known how many false ones there are
# Densities, and the false ones that a search of 1,024 paths leaves in random masks, as shares of all positions; from
# 256 to 455 mask bits a block they move by 3 % (benchmarks/shaped_mask_search.py --false-ones).
_DENSITIES = (0.0, 0.03, 0.05, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.35)
_FALSE_ONES = (0.008, 0.0136, 0.0162, 0.0272, 0.0307, 0.0392, 0.0415, 0.0425, 0.0450, 0.0656, 0.0627)
_SEGMENT = 1 << 24  # scan positions of a segment


def shaped_code(
    density: float, n_out: int, *, zero_bits: float = ZERO_BITS, margin: float = -0.09, seed: int = 0
) -> ShapedMaskCode:
    """Return a shaped code for a mask of this density whose blocks are those of the values.

    Parameters
    ----------
    density : float
        Share of ones, above 0 and at most 0.5.
    n_out : int
        Mask bits of a block.
    zero_bits : float
        What a false one costs: the codeword of the word 0.
    margin : float
        How far the rate lies above what an ideal code of the shape needs.
    """
    return ShapedMaskCode.for_zero_codeword(
        density, zero_bits, n_out=n_out, margin=margin, seed=seed, shared=True
    )


def false_ones(density: float) -> float:
    """Foretell the share of all positions that comes out as false ones of a mask of this density."""
    return float(np.interp(density, _DENSITIES, _FALSE_ONES))


def encode_shaped(
    kept: NDArray[np.bool_],
    code: ShapedMaskCode,
    *,
    beam: int,
    zero_bits: float = ZERO_BITS,
    fees: NDArray[np.int8] | None = None,
    segment_blocks: int | None = None,
    jobs: int = 1,
) -> ShapedMask:
    """Encode a mask, shape (length,), in scan order, segment by segment, `jobs` of them at once.

    With `fees`, as `encode_mask` takes them, `zero_bits` is what a fee of 1 stands for.
    """
    blocks = code.blocks(kept.size)
    period = segment_blocks or max(1, -(-blocks // max(1, -(-kept.size // _SEGMENT))))

    def encode(first: int) -> NDArray[np.uint8]:
        own = slice(first * code.n_out, (first + period) * code.n_out)
        return encode_mask(
            kept[own],
            code,
            cost_of_false_one=1.01 * zero_bits,
            beam=beam,
            fees=None if fees is None else fees[own],
        ).symbols

    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(encode, range(0, blocks, period)))
    return ShapedMask(code, np.concatenate(parts), kept.size, period)
