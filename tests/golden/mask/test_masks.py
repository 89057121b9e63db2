from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.masks import magnitude_mask, random_mask

shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=9)


@given(hnp.arrays(np.float32, shapes, elements=st.floats(width=32, allow_nan=False)), st.floats(0.0, 1.0))
def test_magnitude_keeps_the_largest(values: np.ndarray, sparsity: float) -> None:
    mask = magnitude_mask(values, sparsity)
    assert mask.shape == values.shape and mask.dtype == bool
    assert int(mask.sum()) == values.size - round(values.size * sparsity)
    kept, pruned = np.abs(values[mask]), np.abs(values[~mask])
    if kept.size and pruned.size:
        assert kept.min() >= pruned.max()


def test_among_equals_the_first_stay() -> None:
    values = np.array([[1, -1, 1], [2, -1, 1]], np.float32)
    assert magnitude_mask(values, 0.5).tolist() == [[True, True, False], [True, False, False]]


def sorted_mask(values: np.ndarray, sparsity: float) -> np.ndarray:
    """Sort all magnitudes, the first of equals first, and keep from the top."""
    magnitudes = np.abs(values.astype(np.float64)).tolist()
    order = sorted(range(values.size), key=lambda i: -magnitudes[i])
    kept = set(order[: values.size - round(values.size * sparsity)])
    return np.array([i in kept for i in range(values.size)], bool)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "u2", "i8", "?"])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_selection_keeps_what_sorting_keeps(dtype: str, sparsity: float) -> None:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.standard_normal(300) * 9, rng.integers(-3, 4, 300), [-0.0, 0.0, 1e-7]])
    assert np.array_equal(
        magnitude_mask(values.astype(dtype), sparsity), sorted_mask(values.astype(dtype), sparsity)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_infinities_subnormals_and_neighbours_are_told_apart(dtype: type) -> None:
    one = dtype(1)
    values = np.array(
        [one, np.nextafter(one, dtype(2)), -np.inf, np.finfo(dtype).smallest_subnormal, 0], dtype
    )
    for kept, expected in ((1, [2]), (2, [1, 2]), (3, [0, 1, 2]), (4, [0, 1, 2, 3])):
        assert np.flatnonzero(magnitude_mask(values, 1 - kept / 5)).tolist() == expected


def test_integers_are_pruned_by_magnitude_too() -> None:
    values = np.array([-128, 127, 3, -4], np.int8)  # |-128| does not fit in int8
    assert magnitude_mask(values, 0.75).tolist() == [True, False, False, False]


def test_magnitude_refuses_nan() -> None:
    with pytest.raises(InputError) as caught:
        magnitude_mask(np.array([1.0, np.nan]), 0.5)
    assert str(caught.value) == "weights must be numbers to be pruned by magnitude, but there is a NaN"


@pytest.mark.parametrize("sparsity", [-0.1, 1.01, float("nan"), float("inf")])
def test_sparsity_out_of_range_is_refused(sparsity: float) -> None:
    message = f"sparsity must be between 0 and 1, not {sparsity}"
    for make in (lambda: magnitude_mask(np.zeros(4), sparsity), lambda: random_mask((4,), sparsity)):
        with pytest.raises(InputError) as caught:
            make()
        assert str(caught.value) == message


@given(st.tuples(st.integers(0, 12), st.integers(0, 12)), st.floats(0.0, 1.0), st.integers(0, 2**32))
def test_random_keeps_the_exact_number(shape: tuple[int, int], sparsity: float, seed: int) -> None:
    mask = random_mask(shape, sparsity, seed)
    size = shape[0] * shape[1]
    assert mask.shape == shape and int(mask.sum()) == size - round(size * sparsity)
    assert np.array_equal(mask, random_mask(shape, sparsity, seed))


def test_random_masks_are_uniform_over_positions() -> None:
    counts = sum(random_mask((40,), 0.9, seed).astype(int) for seed in range(1000))
    # 4000 marks over 40 places; without replacement the variance is a little smaller than multinomial
    statistic = ((counts - 100) ** 2 / (1000 * 0.1 * 0.9)).sum() * 39 / 40
    assert 1e-4 < stats.chi2.sf(statistic, 39) < 1 - 1e-4
