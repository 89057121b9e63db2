from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.quantize import dequantize, quantize, quantize_to

HIGHEST = {"int8": 127, "int4": 7}
matrices = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.floats(-(2.0**100), 2.0**100, width=32),
)


@given(matrices, st.sampled_from(["int8", "int4"]), st.sampled_from(["tensor", "row"]))
def test_integers_are_the_nearest_multiples_of_the_scale(values: np.ndarray, dtype: str, axis: str) -> None:
    integers, scale = quantize(values, dtype, axis)  # type: ignore[arg-type]
    highest = HIGHEST[dtype]
    assert integers.dtype == np.int8 and integers.shape == values.shape
    assert scale.dtype == np.float32 and scale.shape == ((values.shape[0],) if axis == "row" else (1,))
    for row in range(values.shape[0]):
        step = Fraction(float(scale[row if axis == "row" else 0]))
        assert step > 0
        for value, integer in zip(values[row].flat, integers[row].flat, strict=True):
            assert -highest <= integer <= highest
            # half a step, and what rounding the scale to float32 moves the largest weight by
            error = abs(Fraction(float(value)) - int(integer) * step)
            assert error <= step * (Fraction(1, 2) + Fraction(highest, 1 << 23))


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_the_largest_weight_gets_the_largest_integer(dtype: str) -> None:
    values = np.array([[0.25, -1.0, 0.5], [3.0, 0.0, -6.0]], np.float32)
    integers, scale = quantize(values, dtype, "row")
    highest = HIGHEST[dtype]
    assert scale.tolist() == [np.float32(1 / highest), np.float32(6 / highest)]
    assert integers[0, 1] == -highest and integers[1, 2] == -highest
    integers, scale = quantize(values, dtype)
    assert scale.tolist() == [np.float32(6 / highest)] and integers.min() == -highest


def test_zeros_have_scale_one() -> None:
    integers, scale = quantize(np.zeros((2, 3), np.float32), "int8", "row")
    assert not integers.any() and scale.tolist() == [1.0, 1.0]
    assert quantize(np.zeros((2, 3)), "int8")[1].tolist() == [1.0]


@pytest.mark.parametrize("steps", [1, 3, 126, 127, 128, 190, 255, 300, 12700, 12800])
@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_subnormal_weights_keep_the_precision_there_is(steps: int, dtype: str) -> None:
    least = np.finfo(np.float32).smallest_subnormal
    tiny = np.array([[steps * least, -(steps // 2) * least, 0]], np.float32)
    integers, scale = quantize(tiny, dtype)
    assert np.isfinite(scale).all() and scale[0] > 0
    assert np.abs(integers).max() <= HIGHEST[dtype] and integers[0, 0] > 0
    apart = np.abs(integers.astype(np.float64) * np.float64(scale[0]) - tiny.astype(np.float64))
    assert apart.max() <= np.float64(scale[0]) / 2


def test_the_largest_floats_are_quantised() -> None:
    most = np.finfo(np.float32).max
    integers, scale = quantize(np.array([[most, -most, most / 4]], np.float32), "int8")
    assert integers.tolist() == [[127, -127, 32]] and np.isfinite(dequantize(integers, scale)).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
@pytest.mark.parametrize("axis", ["tensor", "row"])
def test_empty_tensors_are_quantised_to_empty_ones(shape: tuple[int, ...], axis: str) -> None:
    integers, scale = quantize(np.zeros(shape, np.float32), "int8", axis)  # type: ignore[arg-type]
    assert integers.shape == shape and (scale == 1.0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(InputError) as caught:
        quantize(np.array([[1.0, bad]]), "int8")
    assert str(caught.value) == "weights must be finite to be quantised, but there is a NaN or an infinity"


def test_weights_whose_scale_is_no_float32_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        quantize(np.array([[1.0, 1e300]]), "int8")
    assert (
        str(caught.value)
        == "weights must have a scale within float32 to be quantised, but the largest is 1e+300"
    )


def test_another_dtype_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        quantize(np.zeros((2, 2)), "int2")
    assert str(caught.value) == "the dtype to quantise to must be int8 or int4, not 'int2'"


def test_given_scales_are_kept_and_weights_more_than_half_a_step_beyond_them_are_not_taken() -> None:
    values, scale = np.array([[63.75, 0.7, -1.2], [-255.0, 2.9, 0.0]]), np.array([0.5, 2.0], np.float32)
    integers = quantize_to(values, "int8", scale)
    assert integers is not None and integers.tolist() == [[127, 1, -2], [-127, 1, 0]]
    for row, beyond in ((0, 63.76), (1, -255.01)):
        further = values.copy()
        further[row, 0] = beyond
        assert quantize_to(further, "int8", scale) is None
    assert quantize_to(values, "int4", scale) is None
    small = quantize_to(np.array([[-3.75, 1.3]]), "int4", np.array([0.5], np.float32))
    assert small is not None and small.tolist() == [[-7, 3]]


@given(matrices, st.sampled_from(["tensor", "row"]))
def test_dequantize_multiplies_by_the_scale_of_the_row(values: np.ndarray, axis: str) -> None:
    integers, scale = quantize(values, "int8", axis)  # type: ignore[arg-type]
    back = dequantize(integers, scale)
    assert back.dtype == np.float32 and back.shape == values.shape
    for row in range(values.shape[0]):
        step = scale[row if axis == "row" else 0]
        assert np.array_equal(back[row], integers[row].astype(np.float32) * step)
