"""What pruning has arranged with the encoder: a mask as the search found it, and the grid of the values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.choose.mask_choice import ZERO_BITS
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import expected_patch_bits

# Times the entropy of a mask that is settled: what it takes by itself.
_WORTH = 1.03


@dataclass(frozen=True, eq=False)
class Arrangement:
    """What lies beside weights that were pruned for the code: ``NAME.encodable``.

    Nothing depends on it but how many bits are stored: where it does not fit the weights, it is not used.

    Attributes
    ----------
    scan : Interleaver
    mask : ShapedMask or None
        The encoded mask in scan order; its ones are the kept weights and others, which read as 0.
    dtype : str
        The integers for which values were rounded; empty where none were.
    scale : ndarray of float32, shape (1,) or (rows,), or None
        Their scales.
    """

    scan: Interleaver
    mask: ShapedMask | None = None
    dtype: str = ""
    scale: NDArray[np.float32] | None = None

    def pays(self, kept: NDArray[np.bool_], n_w: int) -> bool:
        """Whether the mask stores kept weights, shape (n,), in no more bits than they would take without it."""
        if self.mask is None or not kept.size:
            return False
        ones, wanted = self.mask.decode(), self.scan.to_scan(kept)
        patched = int(np.count_nonzero(wanted & ~ones))
        more = expected_patch_bits(patched, ones.size, n_w, n_w) + ZERO_BITS * np.count_nonzero(
            ones & ~wanted
        )
        return bool(self.mask.bits + more <= _WORTH * kept.size * binary_entropy(float(kept.mean())))
