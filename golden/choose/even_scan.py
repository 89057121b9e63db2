"""The scan for a mask that is encoded with its values: that on which its ones demand encoded bits most evenly."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.price import CareBits
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.strides import candidate_strides
from xorweave.golden.tensor.corrections import expected_patch_bits

_STRIDES = 48
_FINALISTS = 3
_GLANCE = 1 << 16  # positions of each scan that are looked at
_PIECE = 64  # mask bits over which ones are counted
_BUFFER = 40  # encoded bits that window and beam smooth over
_WIDTH = 24  # encoded bits a block and plane of the values, about


def even_scan(
    kept: NDArray[np.bool_],
    n_w: int,
    *,
    max_k: int,
    seed: int,
    shaped: ShapedMaskCode | None = None,
    family: str = "graph",
) -> Interleaver:
    """Choose the scan for a mask, shape (n,), that is encoded with its values.

    The queue forecast says how many of the ones' equations find no room in the values' code. Of a shaped mask it says
    the same: every one takes A of a block's encoded bits, and every zero the information of not being a one. A pattern
    book takes more bits where there are more ones, as the values do.
    """
    n = kept.size
    if n < 2 or not kept.any():
        return Interleaver(n)
    density = float(kept.mean())
    n_out = max(_WIDTH, round(_WIDTH / (1.01 * density)))
    share = window_use(family)[0]

    def demand(stride: int, length: int) -> float:
        care = CareBits.along(kept, Interleaver(n, stride), length)
        start = care.lowest_surplus(_WIDTH, n_out) if care.length == n else 0
        unmatched = forecast(care.counts(n_out, start), _WIDTH, max_k // _WIDTH - 1, share).dependent
        patches = expected_patch_bits(unmatched, care.length, n_w, n_w)
        return patches + (_crowded(care, start, shaped, density) if shaped else 0)

    # a first part says little of a scan that goes row by row: the best by a glance are looked at in full
    glanced = sorted(candidate_strides(n, _STRIDES, seed), key=lambda stride: demand(stride, _GLANCE))
    stride = min(glanced[:_FINALISTS], key=lambda stride: demand(stride, n)) if n > _GLANCE else glanced[0]
    start = CareBits.along(kept, Interleaver(n, stride)).lowest_surplus(_WIDTH, n_out)
    return Interleaver(n, stride, start * stride % n)


def _crowded(care: CareBits, start: int, code: ShapedMaskCode, density: float) -> float:
    """Foretell the ones of a shaped mask that find no room."""
    # the mask's window spans a hundred mask bits or so, whatever the block: ones are counted over fewer
    room = max(1, round(_PIECE * (code.rate + (1 - density) * math.log2(1 - 2.0**-code.parities))))
    return forecast(care.counts(_PIECE, start) * code.parities, room, max(1, _BUFFER // room)).dependent
