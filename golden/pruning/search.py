"""Pruning to an effective target: how far to prune directly so that so much is left alive."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.network.reachability import effective_masks
from xorweave.golden.pruning.quotas import Quota
from xorweave.golden.pruning.random_masks import drop_at_random
from xorweave.golden.pruning.ranking import Ranking


def alive_count(network: Network, masks: Mapping[str, np.ndarray]) -> int:
    """Return how many kept weights lie on a live path."""
    return sum(int(np.count_nonzero(mask)) for mask in effective_masks(network, masks).values())


def kept_count(network: Network, sparsity: float) -> int:
    """Return how many weights a sparsity leaves, rounded to a whole number.

    Raises
    ------
    InputError
        The sparsity is not in 0 .. 1.
    """
    if not 0 <= sparsity <= 1:
        raise InputError(f"sparsity must lie between 0 and 1, not {sparsity}")
    return round((1 - sparsity) * network.connections)


def least_alive(network: Network, sparsity: float) -> int:
    """Return how many weights must be alive so that the effective sparsity is at most this: rounded up.

    Raises
    ------
    InputError
        The sparsity is not in 0 .. 1.
    """
    rounded = kept_count(network, sparsity)
    # (1 - s) * n that is a whole number but for the last digits of a double is that number
    exact = (1 - sparsity) * network.connections
    return rounded if abs(exact - rounded) <= 1e-9 * network.connections else math.ceil(exact)


def search_ranking(network: Network, ranking: Ranking, sparsity: float) -> Masks:
    """Cut one fixed ranking where the effective sparsity comes closest to a target from below, by bisection.

    Vysogorets and Kempe (JMLR 2023), section 4.2. Masks of one ranking are nested, hence so are their
    effective masks: what is alive grows with what is kept.

    Returns
    -------
    dict of str to ndarray of bool
        The direct masks. Their effective sparsity is at most `sparsity`, and one weight fewer would exceed
        it.
    """
    wanted = least_alive(network, sparsity)
    enough, too_few = ranking.total, -1
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if alive_count(network, ranking.masks(middle)) >= wanted:
            enough = middle
        else:
            too_few = middle
    return ranking.masks(enough)


def search_random(network: Network, quota: Quota, sparsity: float, *, seed: int) -> Masks:
    """Approximate effective random pruning: random masks whose effective sparsity meets a target from below.

    Vysogorets and Kempe (JMLR 2023), algorithm 1. The direct budget is bisected; the masks in the middle
    start from the low masks (those that keep more) and drop random weights, only among those kept by the
    low and gone in the high masks, until each layer meets its quota. Thus all masks of a search are nested.

    Parameters
    ----------
    network : Network
    quota : callable
        Layer quotas, see `quotas`.
    sparsity : float
        Effective sparsity wanted.
    seed : int

    Returns
    -------
    dict of str to ndarray of bool
        The low masks: effective sparsity at most `sparsity`.
    """
    rng = np.random.default_rng(seed)
    wanted = least_alive(network, sparsity)
    low, low_kept = network.dense_masks(), network.connections
    high, high_kept = {name: np.zeros_like(mask) for name, mask in low.items()}, 0
    if wanted <= 0:
        return high
    while low_kept - high_kept > 1:
        kept = (low_kept + high_kept) // 2
        counts = quota(network.weights, kept)
        middle = {}
        for name, count in counts.items():
            least, most = int(np.count_nonzero(high[name])), int(np.count_nonzero(low[name]))
            # rounding may move a quota against the trend by one weight: the masks stay nested all the same
            middle[name] = drop_at_random(low[name], high[name], min(max(count, least), most), rng)
        if alive_count(network, middle) >= wanted:
            low, low_kept = middle, kept
        else:
            high, high_kept = middle, kept
    return low
