"""Random masks with a given number of kept weights in each layer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.network import Masks
from xorweave.golden.pruning.quotas import Shapes


def random_masks(shapes: Shapes, counts: Mapping[str, int], rng: np.random.Generator) -> Masks:
    """Keep `counts[name]` weights of each tensor, every choice equally likely."""
    return {
        name: _chosen(math.prod(shape), counts[name], rng).reshape(shape) for name, shape in shapes.items()
    }


def drop_at_random(
    low: NDArray[np.bool_], high: NDArray[np.bool_], kept: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Drop random weights of `low`, but none of its subset `high`, until `kept` are left."""
    candidates = np.flatnonzero(low & ~high)
    surplus = int(np.count_nonzero(low)) - kept
    mask = low.copy()
    mask.reshape(-1)[rng.choice(candidates, surplus, replace=False, shuffle=False)] = False
    return mask


def _chosen(size: int, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose `count` of `size`; the fewer are drawn, be it the kept ones or the dropped ones."""
    few = min(count, size - count)
    flat = np.full(size, count > few)
    flat[rng.choice(size, few, replace=False, shuffle=False)] = count == few
    return flat
