"""Scores against their definitions, written out weight by weight."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xorweave.golden.base.errors import InputError
from xorweave.golden.pruning.scores import lamp, magnitude, snip


@given(arrays(np.float64, (3, 4), elements=st.integers(-3, 3).map(float)))
def test_lamp_is_its_definition(w: np.ndarray) -> None:
    score = lamp({"w": w}, ["w"])["w"]
    for index, value in np.ndenumerate(w):
        sum_of_larger = (w[np.abs(w) >= abs(value)] ** 2).sum()
        assert score[index] == pytest.approx(value**2 / sum_of_larger if sum_of_larger else 0.0)


def test_magnitude_and_snip() -> None:
    w, g = np.array([[1.0, -2.0], [0.0, 3.0]]), np.array([[-5.0, 1.0], [7.0, 0.5]])
    assert magnitude({"w": w}, ["w"])["w"].tolist() == [[1, 2], [0, 3]]
    assert snip({"w": w}, {"w": g}, ["w"])["w"].tolist() == [[5, 2], [0, 1.5]]
    with pytest.raises(InputError, match="the tensor v must be given to be scored, but is missing"):
        magnitude({"w": w}, ["v"])


def test_integers_do_not_wrap() -> None:
    w = {"a": np.array([[-128, 127, 1]], np.int8), "b": np.array([[0, 255, 128]], np.uint8)}
    assert magnitude(w, ["a", "b"])["a"].tolist() == [[128, 127, 1]]
    assert magnitude(w, ["b"])["b"].tolist() == [[0, 255, 128]]
    assert snip(w, {"a": np.array([[100, 100, 100]], np.int8)}, ["a"])["a"].tolist() == [[12800, 12700, 100]]
    assert lamp(w, ["a"])["a"][0, 0] == 1.0


@pytest.mark.parametrize(("kind", "scale"), [(np.float16, 200.0), (np.float64, 1e200), (np.float64, 1e-200)])
def test_scores_hold_at_the_ends_of_the_range(kind: type, scale: float) -> None:
    w = (np.array([[1.0, 2.0, 4.0]]) * scale).astype(kind)
    assert lamp({"w": w}, ["w"])["w"] == pytest.approx(np.array([[1 / 21, 4 / 20, 1.0]]), rel=1e-3)
    if kind is np.float16:
        assert np.isfinite(snip({"w": w}, {"w": w * kind(50)}, ["w"])["w"]).all()


def test_complex_numbers_have_no_score() -> None:
    with pytest.raises(
        InputError, match="the tensor w must hold real numbers to be scored, but holds complex64"
    ):
        magnitude({"w": np.full((2, 2), 1j, np.complex64)}, ["w"])
