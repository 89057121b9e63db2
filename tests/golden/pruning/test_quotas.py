"""Layer quotas against their defining equations, solved another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from xorweave.golden.base.errors import InputError
from xorweave.golden.network.catalogue import lenet_5, lenet_300_100, resnet_20
from xorweave.golden.pruning.quotas import QUOTAS, erk, igq, named_quota, uniform, uniform_plus

shapes_lists = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 30), st.integers(1, 30)),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=6,
)


@given(shapes_lists, st.floats(0, 1), st.sampled_from(sorted(QUOTAS)))
def test_quotas_add_up_and_fit(shapes_list: list[tuple[int, ...]], share: float, name: str) -> None:
    shapes = {f"w{i}": shape for i, shape in enumerate(shapes_list)}
    total = sum(math.prod(shape) for shape in shapes_list)
    kept = round(share * total)
    try:
        counts = QUOTAS[name](shapes, kept)
    except InputError as error:
        assert name == "uniform+" and "must keep at least" in str(error)
        return
    assert sum(counts.values()) == kept
    assert all(0 <= counts[key] <= math.prod(shape) for key, shape in shapes.items())


def test_uniform_gives_every_layer_the_same_density() -> None:
    counts = uniform(lenet_300_100().weights, 26620)
    assert counts == {"fc1.weight": 23520, "fc2.weight": 3000, "fc3.weight": 100}


@pytest.mark.parametrize("kept", [500, 5_000, 50_000, 400_000])
def test_igq_solves_its_equation(kept: int) -> None:
    shapes = lenet_5().weights
    sizes = np.array([math.prod(shape) for shape in shapes.values()], float)
    # the equation in the density of one layer instead of in F
    f = math.exp(
        brentq(lambda log_f: (sizes / (1 + np.exp(log_f) * sizes)).sum() - kept, -60, 60, xtol=1e-14)
    )
    assert np.allclose(list(igq(shapes, kept).values()), sizes / (1 + f * sizes), atol=1)


def test_erk_is_proportional_to_dimensions() -> None:
    shapes = lenet_300_100().weights
    counts = erk(shapes, 2662)
    sums = np.array([1084, 400, 110])
    assert np.allclose(list(counts.values()), 2662 * sums / sums.sum(), atol=1)


def test_erk_pushes_a_surplus_to_the_layer_before() -> None:
    shapes = {"a": (100, 100), "b": (50, 50), "c": (2, 2)}
    counts = erk(shapes, 1000)  # c would get 1000 * 4 / 304 = 13.2 of its 4
    assert counts["c"] == 4
    assert counts["a"] == pytest.approx(1000 * 200 / 304, abs=1)
    assert counts["b"] == pytest.approx(1000 * 100 / 304 + 1000 * 4 / 304 - 4, abs=1)


def test_erk_sends_what_the_first_layer_cannot_take_forward() -> None:
    assert erk({"a": (2, 2), "b": (40, 40)}, 200) == {"a": 4, "b": 196}


def test_uniform_plus_spares_the_first_convolution_and_the_last_layer() -> None:
    network = resnet_20()
    counts = uniform_plus(network.weights, 10_000)
    assert counts["conv1.weight"] == 16 * 3 * 3 * 3
    assert counts["linear.weight"] == math.ceil(0.2 * 640)
    rest = [
        counts[n] / math.prod(s)
        for n, s in network.weights.items()
        if n not in ("conv1.weight", "linear.weight")
    ]
    assert max(rest) - min(rest) < 0.001
    with pytest.raises(
        InputError, match=r"uniform\+ must keep at least 560 weights of this network, not 500"
    ):
        uniform_plus(network.weights, 500)


def test_wrong_input_is_named() -> None:
    with pytest.raises(
        InputError,
        match=r"the quota must be one of uniform, uniform\+, erk, igq, or a method .*, not 'equal'",
    ):
        named_quota("equal")
    with pytest.raises(InputError, match=r"the number of kept weights must lie in 0 .. 6, not 7"):
        uniform({"a": (2, 3)}, 7)
