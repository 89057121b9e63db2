"""SynFlow against the product of matrices it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import lenet_300_100, perceptron
from xorweave.golden.network.linearised import linearised_gradient
from xorweave.golden.pruning.sparsity import measure_sparsity
from xorweave.golden.pruning.synflow import synflow_ranking


def weights(network: object, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape) for name, shape in network.weights.items()}  # type: ignore[attr-defined]


def test_scores_are_flows_through_the_product_of_matrices() -> None:
    network = perceptron((4, 5, 3, 2))
    w = weights(network)
    a, b, c = (np.abs(w[f"fc{i}.weight"]) for i in (1, 2, 3))
    scores = linearised_gradient(network, network.dense_masks(), w)
    ones = np.ones
    assert np.allclose(scores["fc1.weight"], a * (ones(2) @ c @ b)[:, None])
    assert np.allclose(scores["fc2.weight"], b * np.outer(ones(2) @ c, a @ ones(4)))
    assert np.allclose(scores["fc3.weight"], c * (b @ a @ ones(4))[None, :])
    # what flows is conserved from layer to layer (theorem 1 of the SynFlow paper)
    assert len({round(float(score.sum()), 9) for score in scores.values()}) == 1


def test_one_round_is_the_plain_score_and_more_rounds_close_the_gap() -> None:
    network = lenet_300_100()
    w = weights(network)
    alive_share = {}
    for rounds in (1, 100):
        masks = synflow_ranking(network, w, 842, rounds=rounds).masks(842)
        total = measure_sparsity(network, masks)[1]
        assert total.kept == 842
        alive_share[rounds] = total.alive / total.kept
    assert alive_share[100] > 0.985
    assert alive_share[1] < alive_share[100]


def test_the_ranking_holds_every_weight() -> None:
    network = perceptron((4, 5, 2))
    rounds: list[int] = []
    ranking = synflow_ranking(network, weights(network), 3, rounds=7, progress=rounds.append)
    assert ranking.total == network.connections == sum(m.sum() for m in ranking.masks(30).values())
    assert rounds == list(range(1, 8))
    with pytest.raises(InputError, match=r"the number of kept weights must lie in 1 .. 30, not 0"):
        synflow_ranking(network, weights(network), 0)
