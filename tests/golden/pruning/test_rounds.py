"""Pruning in rounds against the schedule in plain words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import perceptron
from xorweave.golden.network.network import Masks
from xorweave.golden.pruning.pruners import prune
from xorweave.golden.pruning.rounds import rank_in_rounds
from xorweave.golden.pruning.scores import grasp, snip

NETWORK = perceptron((7, 5, 3))
SHAPES = NETWORK.weights
TENSORS = {name: np.random.default_rng(3).normal(size=shape) for name, shape in SHAPES.items()}


def gradients(masks: Masks) -> dict[str, np.ndarray]:
    """Gradients that change with what is left, so that the order of rounds matters."""
    left = sum(int(mask.sum()) for mask in masks.values())
    rng = np.random.default_rng(left)
    return {name: rng.normal(size=mask.shape) * (1 + mask) for name, mask in masks.items()}


@settings(deadline=None)
@given(st.integers(1, 49), st.integers(1, 12))
def test_rounds_are_those_of_the_schedule(kept: int, rounds: int) -> None:
    told: list[float] = []
    masks = prune(
        NETWORK,
        TENSORS,
        method=f"snip:{rounds}",
        sparsity=1 - kept / 50,
        gradients=gradients,
        progress=told.append,
    )
    # slowly: a dictionary of what is left, sorted anew each round
    left = [(name, index) for name, shape in SHAPES.items() for index in np.ndindex(*shape)]
    assert len(left) == 50
    for number in range(1, rounds + 1):
        now = {name: np.zeros(shape, bool) for name, shape in SHAPES.items()}
        for name, index in left:
            now[name][index] = True
        found = gradients(now)
        left.sort(key=lambda place: -abs(TENSORS[place[0]][place[1]] * found[place[0]][place[1]]))
        left = left[: max(kept, round(50 * (kept / 50) ** (number / rounds)))]
    assert {(name, index) for name, index in left} == {
        (name, tuple(map(int, index))) for name, mask in masks.items() for index in np.argwhere(mask)
    }
    if rounds > 1:
        assert told == [number / rounds for number in range(1, rounds + 1)]


def test_grasp_keeps_what_adds_to_the_flow() -> None:
    products = gradients(NETWORK.dense_masks())
    masks = prune(NETWORK, TENSORS, method="grasp", sparsity=0.5, gradients=products)
    flow = {name: TENSORS[name] * products[name] for name in SHAPES}
    inside = np.concatenate([flow[name][masks[name]] for name in SHAPES])
    outside = np.concatenate([flow[name][~masks[name]] for name in SHAPES])
    assert inside.size == outside.size == 25
    assert inside.min() >= outside.max()
    assert (outside < 0).any()  # a sign that matters, unlike SNIP's
    for name, score in snip(TENSORS, products, SHAPES).items():
        assert np.allclose(score, np.abs(grasp(TENSORS, products, SHAPES)[name]))


def test_masks_of_one_ranking_are_nested_and_hold_as_many_weights_as_asked_for() -> None:
    ranking = rank_in_rounds(NETWORK, 9, gradients, rounds=4)
    before = {name: np.zeros(shape, bool) for name, shape in SHAPES.items()}
    assert ranking.total == 50
    for kept in range(51):
        masks = ranking.masks(kept)
        assert sum(int(mask.sum()) for mask in masks.values()) == kept
        assert all((before[name] <= mask).all() for name, mask in masks.items())
        before = masks


def test_one_round_is_the_order_of_the_scores() -> None:
    scores = np.concatenate([gradients(NETWORK.dense_masks())[name].reshape(-1) for name in SHAPES])
    ranking = rank_in_rounds(NETWORK, 9, gradients, rounds=1)
    wanted = np.argsort(-scores, kind="stable")
    for kept in range(scores.size + 1):
        masks = ranking.masks(kept)
        flat = np.concatenate([masks[name].reshape(-1) for name in SHAPES])
        if kept >= 9:
            assert {*np.flatnonzero(flat)} == {*wanted[:kept]}
    with pytest.raises(InputError, match="pruning must take at least one round, not 0"):
        rank_in_rounds(NETWORK, 9, gradients, rounds=0)


def test_what_cannot_be_done_in_rounds_is_refused() -> None:
    given_once = gradients(NETWORK.dense_masks())
    for words, message in (
        ({"method": "magnitude:2"}, "magnitude pruning scores once and takes no rounds"),
        ({"method": "snip:2", "gradients": given_once}, "several rounds need the gradients of what is left"),
        (
            {"method": "grasp:0", "gradients": gradients},
            "the rounds of grasp must be between 1 and 100000, not '0'",
        ),
        ({"method": "snip:", "gradients": gradients}, "the rounds of snip must be between"),
        ({"method": "snip:3", "gradients": gradients, "quota": "erk"}, "takes no quota"),
        ({"method": "grasp"}, "grasp needs gradients of the loss"),
    ):
        with pytest.raises(InputError, match=message):
            prune(NETWORK, TENSORS, sparsity=0.5, **words)
