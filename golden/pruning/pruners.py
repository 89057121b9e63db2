"""The pruning methods by name: from a network and its tensors to masks of a given sparsity."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.pruning.quotas import QUOTAS, Quota, named_quota
from xorweave.golden.pruning.random_masks import random_masks
from xorweave.golden.pruning.ranking import GlobalRanking, LayerRanking, Ranking
from xorweave.golden.pruning.rounds import rank_in_rounds
from xorweave.golden.pruning.scores import Scores, grasp, lamp, magnitude, snip
from xorweave.golden.pruning.search import kept_count, search_random, search_ranking
from xorweave.golden.pruning.synflow import synflow_ranking

METHODS = ("random", "magnitude", "lamp", "snip", "grasp", "synflow")
_BY_GRADIENTS = {"snip": snip, "grasp": grasp}
_MOST_ROUNDS = 100_000
#: Gradients by weight, or what finds them for a pruned network.
Gradients = Mapping[str, NDArray] | Callable[[Masks], Mapping[str, NDArray]]


def prune(
    network: Network,
    tensors: Mapping[str, NDArray] | None,
    *,
    method: str,
    sparsity: float,
    quota: str | None = None,
    effective: bool = False,
    seed: int = 0,
    gradients: Gradients | None = None,
    progress: Callable[[float], None] | None = None,
) -> Masks:
    """Prune a network, in one shot or in rounds.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray, optional
        The weights; random pruning needs none.
    method : str
        random, magnitude, lamp, snip, grasp or synflow; with ``snip:100`` what is left is scored in 100 rounds, as by
        SynFlow, whose 100 rounds ``synflow:ROUNDS`` changes, and by ``grasp:ROUNDS``.
    sparsity : float
        Share of weights to remove.
    quota : str, optional
        Layer quotas: uniform, uniform+, erk, igq; or a method that scores, whose layer counts are taken: with
        ``synflow``, random pruning is SynFlow's with the weights of each layer reshuffled. Random pruning takes
        uniform ones unless told otherwise; a score cuts all layers at one level.
    effective : bool
        Whether `sparsity` is the effective one, found by search, or the direct one.
    seed : int
        For random pruning.
    gradients : mapping of str to ndarray, or callable, optional
        For SNIP `loss_gradients`, for GraSP `flow_gradients` of the network; or a function that finds them under masks,
        as several rounds need.
    progress : callable, optional
        Called with the share of the rounds that are done.

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
    method, rounds = split_method(method)
    if method == "random":
        layer_quota = _quota(network, tensors, quota or "uniform", kept, gradients, progress)
        if effective:
            return search_random(network, layer_quota, sparsity, seed=seed)
        return random_masks(network.weights, layer_quota(network.weights, kept), np.random.default_rng(seed))
    ranking = _ranking(network, tensors, method, kept, quota, gradients, rounds, progress)
    return search_ranking(network, ranking, sparsity) if effective else ranking.masks(kept)


def _quota(
    network: Network,
    tensors: Mapping[str, NDArray] | None,
    name: str,
    kept: int,
    gradients: Gradients | None,
    progress: Callable[[float], None] | None,
) -> Quota:
    """Return quotas by name, or those of another method: what its ranking keeps of each layer."""
    scored = name not in QUOTAS and name.partition(":")[0] in METHODS[1:]
    if not scored:
        return named_quota(name)
    method, rounds = split_method(name)
    ranking = _ranking(network, tensors, method, kept, None, gradients, rounds, progress)
    return lambda _shapes, count: {
        weight: int(np.count_nonzero(mask)) for weight, mask in ranking.masks(count).items()
    }


def split_method(method: str) -> tuple[str, int | None]:
    """Split ``snip:100`` into a method and its rounds, None where they are not given.

    Raises
    ------
    InputError
        There is no such method, or it takes no rounds or so many.
    """
    name, colon, number = method.partition(":")
    if name not in METHODS:
        raise InputError(f"the pruning method must be one of {', '.join(METHODS)}, not {name!r}")
    if not colon:
        return name, None
    if name not in ("synflow", *_BY_GRADIENTS):
        raise InputError(f"{name} pruning scores once and takes no rounds")
    if not number.isdecimal() or not 1 <= int(number) <= _MOST_ROUNDS:
        raise InputError(f"the rounds of {name} must be between 1 and {_MOST_ROUNDS}, not {number!r:.40}")
    return name, int(number)


def _ranking(
    network: Network,
    tensors: Mapping[str, NDArray] | None,
    method: str,
    kept: int,
    quota: str | None,
    gradients: Gradients | None,
    rounds: int | None,
    progress: Callable[[float], None] | None,
) -> Ranking:
    if tensors is None:
        raise InputError(f"{method} pruning needs the weights")
    many = rounds or (100 if method == "synflow" else 1)
    if quota is not None and (many > 1 or method == "synflow"):
        raise InputError("pruning in rounds ranks all layers together and takes no quota")
    told = (lambda done: progress(done / many)) if progress else None
    if method == "synflow":
        return synflow_ranking(network, tensors, max(1, kept), rounds=many, progress=told)
    if method in _BY_GRADIENTS:
        score = _score_by_gradients(network, tensors, method, gradients, many)
        if many != 1:
            return rank_in_rounds(network, max(1, kept), score, rounds=many, progress=told)
        scores = score(network.dense_masks())
    else:
        scores = (magnitude if method == "magnitude" else lamp)(tensors, network.weights)
    if quota is not None:
        counts = _quota(network, tensors, quota, kept, gradients, progress)
        return LayerRanking(network.weights, scores, counts)
    return GlobalRanking.of(network.weights, scores)


def _score_by_gradients(
    network: Network, tensors: Mapping[str, NDArray], method: str, gradients: Gradients | None, rounds: int
) -> Callable[[Masks], Scores]:
    """Return what scores the weights of a network under masks."""
    by = _BY_GRADIENTS[method]
    if gradients is None:
        raise InputError(f"{method} needs gradients of the loss, or images to find them with")
    if not isinstance(gradients, Mapping):
        return lambda masks: by(tensors, gradients(masks), network.weights)
    if rounds != 1:
        raise InputError(
            "several rounds need the gradients of what is left: give images instead of gradients"
        )
    return lambda masks: by(tensors, gradients, network.weights)
