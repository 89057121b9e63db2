"""Pruning in rounds: what is left is scored anew before more of it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.pruning.ranking import GlobalRanking, highest, joined, split


def rank_in_rounds(
    network: Network,
    kept: int,
    score: Callable[[Masks], Mapping[str, NDArray]],
    *,
    rounds: int,
    progress: Callable[[int], None] | None = None,
) -> GlobalRanking:
    """Rank weights in the reverse order in which they go on the way to `kept` weights.

    Round i of n keeps the share (kept / total)^(i/n) with the highest scores of what is left (Tanaka, Kunin, Yamins,
    Ganguli, NeurIPS 2020, algorithm 1, for SynFlow; de Jorge et al., "Progressive skeletonization", ICLR 2021, for
    SNIP). The ranking's first `kept` weights are the survivors, ranked by their last score.

    Parameters
    ----------
    network : Network
    kept : int
        How many weights the schedule leads to.
    score : callable
        From masks to scores of all weights; those of pruned weights do not matter.
    rounds : int
    progress : callable, optional
        Called with the number of every finished round.

    Raises
    ------
    InputError
        `kept` or `rounds` is out of range, or a score is no number.
    """
    total = network.connections
    if not 1 <= kept <= total:
        raise InputError(f"the number of kept weights must lie in 1 .. {total}, not {kept}")
    if rounds < 1:
        raise InputError(f"pruning must take at least one round, not {rounds}")
    left = np.ones(total, np.bool_)
    places = np.arange(total)
    removed: list[tuple[NDArray[np.intp], NDArray]] = []

    def scored() -> NDArray:
        masks = split(network.weights, left)
        return joined(network.weights, score(masks), masks)

    for i in range(1, rounds + 1):
        scores = scored()
        stay = highest(scores, max(kept, round(total * (kept / total) ** (i / rounds))))
        gone = places[~stay]
        removed.append((gone, scores[~stay]))
        left[gone] = False
        places = places[stay]
        if progress:
            progress(i)
    return GlobalRanking(network.weights, [(places, scored()), *reversed(removed)])
