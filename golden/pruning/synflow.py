"""SynFlow: iterative pruning by synaptic flow, without data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.linearised import linearised_gradient
from xorweave.golden.network.network import Network
from xorweave.golden.pruning.ranking import GlobalRanking, split


def synflow_ranking(
    network: Network,
    tensors: Mapping[str, NDArray],
    kept: int,
    *,
    rounds: int = 100,
    progress: Callable[[int], None] | None = None,
) -> GlobalRanking:
    """Rank weights in the reverse order in which SynFlow removes them on its way to `kept` weights.

    Tanaka, Kunin, Yamins, Ganguli (NeurIPS 2020), algorithm 1: round i of n keeps the share (kept /
    total)^(i/n) with the highest |w| dR/d|w| of what is left, R the sum of the outputs of the linearised
    network with |w| fed with ones. The ranking's first `kept` weights are the survivors, ranked by their
    last score.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray
        The weights; their signs do not matter.
    kept : int
        How many weights the schedule leads to.
    rounds : int
    progress : callable, optional
        Called with the number of every finished round.

    Raises
    ------
    InputError
        `kept` or `rounds` is out of range.
    """
    total = network.connections
    if not 1 <= kept <= total:
        raise InputError(f"the number of kept weights must lie in 1 .. {total}, not {kept}")
    if rounds < 1:
        raise InputError(f"SynFlow needs at least one round, not {rounds}")
    flat = np.ones(total, np.bool_)
    removed: list[NDArray[np.intp]] = []
    for i in range(1, rounds + 1):
        left = np.flatnonzero(flat)
        ranked = left[np.argsort(-_flow(network, tensors, flat)[left], kind="stable")]
        stay = max(kept, round(total * (kept / total) ** (i / rounds)))
        removed.append(ranked[stay:])
        flat[ranked[stay:]] = False
        if progress:
            progress(i)
    left = np.flatnonzero(flat)
    survivors = left[np.argsort(-_flow(network, tensors, flat)[left], kind="stable")]
    return GlobalRanking(network.weights, np.concatenate([survivors, *reversed(removed)]))


def _flow(network: Network, tensors: Mapping[str, NDArray], flat: NDArray[np.bool_]) -> NDArray[np.float64]:
    scores = linearised_gradient(network, split(network.weights, flat), tensors, mixing_norms=False)
    return np.concatenate([scores[name].reshape(-1) for name in network.weights])
