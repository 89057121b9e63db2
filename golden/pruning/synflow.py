"""SynFlow: pruning in rounds by synaptic flow, without data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from numpy.typing import NDArray

from xorweave.golden.network.linearised import linearised_gradient
from xorweave.golden.network.network import Masks, Network
from xorweave.golden.pruning.ranking import GlobalRanking
from xorweave.golden.pruning.rounds import rank_in_rounds


def synflow_ranking(
    network: Network,
    tensors: Mapping[str, NDArray],
    kept: int,
    *,
    rounds: int = 100,
    progress: Callable[[int], None] | None = None,
) -> GlobalRanking:
    """Rank weights in the reverse order in which SynFlow removes them on its way to `kept` weights.

    Tanaka, Kunin, Yamins, Ganguli (NeurIPS 2020), algorithm 1: the score is |w| dR/d|w|, R the sum of the outputs of
    the linearised network with |w| fed with ones.

    Parameters
    ----------
    network : Network
    tensors : mapping of str to ndarray
        The weights; their signs do not matter.
    kept, rounds, progress
        See `rank_in_rounds`.

    Raises
    ------
    InputError
        `kept` or `rounds` is out of range.
    """

    return rank_in_rounds(network, kept, synflow_score(network, tensors), rounds=rounds, progress=progress)


def synflow_score(
    network: Network, tensors: Mapping[str, NDArray]
) -> Callable[[Masks], Mapping[str, NDArray]]:
    """Return what scores the weights of a network under masks; see `synflow_ranking`."""
    return lambda masks: linearised_gradient(network, masks, tensors, mixing_norms=False)
