"""The pruning methods by name: from a network and its tensors to masks of a given sparsity."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.pruning.quotas import named_quota
from xorweave.golden.pruning.random_masks import random_masks
from xorweave.golden.pruning.ranking import GlobalRanking, LayerRanking, Ranking
from xorweave.golden.pruning.scores import Scores, lamp, magnitude, snip
from xorweave.golden.pruning.search import kept_count, search_random, search_ranking
from xorweave.golden.pruning.synflow import synflow_ranking

METHODS = ("random", "magnitude", "lamp", "snip", "synflow")


def prune(
    network: Network,
    tensors: Mapping[str, NDArray] | None,
    *,
    method: str,
    sparsity: float,
    quota: str | None = None,
    effective: bool = False,
    seed: int = 0,
    gradients: Mapping[str, NDArray] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Masks:
    """Prune a network in one shot (SynFlow: in 100 rounds).

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray, optional
        The weights; random pruning needs none.
    method : {'random', 'magnitude', 'lamp', 'snip', 'synflow'}
    sparsity : float
        Share of weights to remove.
    quota : {'uniform', 'uniform+', 'erk', 'igq'}, optional
        Layer quotas. Random pruning takes uniform ones unless told otherwise; a score cuts all layers at
        one level.
    effective : bool
        Whether `sparsity` is the effective one, found by search, or the direct one.
    seed : int
        For random pruning.
    gradients : mapping of str to ndarray, optional
        Gradients of the loss, for SNIP.
    progress : callable, optional
        Called with each finished round of SynFlow.

    Returns
    -------
    dict of str to ndarray of bool
        The direct masks.

    Raises
    ------
    InputError
        An unknown method or quota, a sparsity out of range, or something the method needs is missing.
    """
    kept = kept_count(network, sparsity)
    if method == "random":
        layer_quota = named_quota(quota or "uniform")
        if effective:
            return search_random(network, layer_quota, sparsity, seed=seed)
        return random_masks(network.weights, layer_quota(network.weights, kept), np.random.default_rng(seed))
    ranking = _ranking(network, tensors, method, kept, quota, gradients, progress)
    return search_ranking(network, ranking, sparsity) if effective else ranking.masks(kept)


def _ranking(
    network: Network,
    tensors: Mapping[str, NDArray] | None,
    method: str,
    kept: int,
    quota: str | None,
    gradients: Mapping[str, NDArray] | None,
    progress: Callable[[int], None] | None,
) -> Ranking:
    if method not in METHODS:
        raise InputError(f"the pruning method must be one of {', '.join(METHODS)}, not {method!r}")
    if tensors is None:
        raise InputError(f"{method} pruning needs the weights")
    scores: Scores
    if method == "synflow":
        if quota is not None:
            raise InputError("SynFlow ranks all layers together and takes no quota")
        return synflow_ranking(network, tensors, max(1, kept), progress=progress)
    if method == "snip":
        if gradients is None:
            raise InputError("SNIP needs the gradients of the loss")
        scores = snip(tensors, gradients, network.weights)
    else:
        scores = (magnitude if method == "magnitude" else lamp)(tensors, network.weights)
    if quota is not None:
        return LayerRanking(network.weights, scores, named_quota(quota))
    return GlobalRanking.of(network.weights, scores)
