"""What no lossless code of the kind can go below: entropies of the mask and of the kept words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.codecs.codec import PrunedTensor


def binary_entropy(p: float) -> float:
    """Entropy in bits of a bit that is 1 with probability p."""
    if p <= 0.0 or p >= 1.0:
        return 0.0
    return float(-p * np.log2(p) - (1 - p) * np.log2(1 - p))


def mask_entropy_bits(mask: NDArray[np.bool_]) -> float:
    """Bits of a memoryless mask of this density, n * h(S).

    It bounds codes that treat positions alike; a mask with structure (empty rows, blocks) can cost less.
    """
    return mask.size * binary_entropy(float(mask.mean())) if mask.size else 0.0


def value_entropy_bits(tensor: PrunedTensor) -> float:
    """Bits of the kept words by their own relative frequencies (order 0), without the table of frequencies.

    Where almost every word occurs once (FP32) this is log2 of their number, which no code reaches: the words
    themselves would have to be in its table.
    """
    counts = np.unique(tensor.words[tensor.mask], return_counts=True)[1]
    total = counts.sum()
    return float((counts * np.log2(total / counts)).sum()) if total else 0.0
