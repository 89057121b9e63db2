"""Random masks with a given number of kept weights in each layer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.network.network import Masks
from xorweave.golden.pruning.quotas import Shapes

_BLOCK = 1 << 22  # positions drawn from at once


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
    """Choose `count` of `size`, every choice equally likely, in memory that hardly exceeds the result's."""
    flat = np.empty(size, np.bool_)
    left = count
    for start in range(0, size, _BLOCK):
        block = flat[start : start + _BLOCK]
        # how many of the chosen fall into this block, given how many are left for it and all blocks after it
        after = size - start - block.size
        here = int(rng.hypergeometric(block.size, after, left)) if after and left else left
        few = min(here, block.size - here)  # the fewer are drawn, be it the kept ones or the dropped ones
        block[:] = here > few
        block[rng.choice(block.size, few, replace=False, shuffle=False)] = here == few
        left -= here
    return flat
