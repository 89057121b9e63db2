"""Symmetric quantising to INT8 and INT4, per tensor or per row."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

_HIGHEST = {"int8": 127, "int4": 7}


# The bits of a float without its sign, read as an integer, rise with its magnitude; infinities and NaN are the highest.
@njit(cache=True, nogil=True)
def _largest(bits, magnitude, largest):  # type: ignore[no-untyped-def]
    for r in range(bits.shape[0]):
        most = bits.dtype.type(0)
        for word in bits[r]:
            most = max(most, word & magnitude)
        largest[r] = most


@njit(cache=True, nogil=True, error_model="numpy")
def _round(rows, scale, highest, integers):  # type: ignore[no-untyped-def]
    for r in range(rows.shape[0]):
        step = np.float64(scale[r])
        for i in range(rows.shape[1]):
            integers[r, i] = np.int8(min(max(np.rint(np.float64(rows[r, i]) / step), -highest), highest))


def quantize(
    values: NDArray[np.floating], dtype: str, axis: Literal["tensor", "row"] = "tensor"
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise to q = round(w / scale), scale = max |w| / 127 (INT8) or / 7 (INT4).

    Parameters
    ----------
    values : ndarray of float, shape (rows, ...)
    dtype : {"int8", "int4"}
    axis : {"tensor", "row"}
        One scale for the tensor, or one for each index of the first dimension.

    Returns
    -------
    (ndarray of int8, ndarray of float32)
        The integers, same shape; the scales, shape (1,) or (rows,). A tensor or row of zeros has scale 1.

    Raises
    ------
    InputError
        A weight is NaN or infinite or needs a scale beyond float32, or the dtype cannot be quantised to.
    """
    if dtype not in _HIGHEST:
        raise InputError(f"the dtype to quantise to must be int8 or int4, not {dtype!r}")
    single = values.dtype.itemsize <= 4
    wide = np.ascontiguousarray(values, np.float32 if single else np.float64)
    count = 1 if axis == "tensor" or values.ndim == 0 else values.shape[0]
    rows = wide.reshape(count, values.size // max(1, count))
    bits = rows.view(f"u{rows.itemsize}")
    largest = np.zeros(count, bits.dtype)
    _largest(bits, bits.dtype.type((1 << (8 * rows.itemsize - 1)) - 1), largest)
    peak = largest.view(rows.dtype).astype(np.float64)
    if not np.isfinite(peak).all():
        raise InputError("weights must be finite to be quantised, but there is a NaN or an infinity")
    highest = _HIGHEST[dtype]
    if peak.max(initial=0.0) / highest > np.finfo(np.float32).max:
        raise InputError(
            f"weights must have a scale within float32 to be quantised, but the largest is {peak.max()}"
        )
    exact = np.where(peak > 0, peak / highest, 1.0)
    scale = np.maximum(exact, np.finfo(np.float32).smallest_subnormal).astype(np.float32)
    # near zero float32 is coarse: a scale rounded down there would clip the largest weight
    scale = np.where(scale * (1 + 1e-6) < exact, np.nextafter(scale, np.float32(np.inf)), scale)
    # and at the other end one rounded up would give the largest weight back as infinity
    beyond = scale.astype(np.float64) * highest > np.finfo(np.float32).max
    scale = np.where(beyond, np.nextafter(scale, np.float32(0)), scale)
    integers = np.empty(rows.shape, np.int8)
    _round(rows, scale, float(highest), integers)
    return integers.reshape(values.shape), scale


def quantize_to(
    values: NDArray[np.floating], dtype: str, scale: NDArray[np.float32]
) -> NDArray[np.int8] | None:
    """Quantise to q = round(w / scale) with scales that are given; None where a weight is beyond them.

    Parameters
    ----------
    values : ndarray of float, shape (rows, ...)
    dtype : {"int8", "int4"}
    scale : ndarray of float32, shape (1,) or (rows,)

    Raises
    ------
    InputError
        The dtype cannot be quantised to.
    """
    if dtype not in _HIGHEST:
        raise InputError(f"the dtype to quantise to must be int8 or int4, not {dtype!r}")
    wide = np.ascontiguousarray(values, np.float32 if values.dtype.itemsize <= 4 else np.float64)
    rows = wide.reshape(scale.size, -1)
    largest = np.abs(rows).max(axis=1, initial=0.0).astype(np.float64)
    if not (largest <= (_HIGHEST[dtype] + 0.5) * scale.astype(np.float64)).all():
        return None
    integers = np.empty(rows.shape, np.int8)
    _round(rows, scale, float(_HIGHEST[dtype]), integers)
    return integers.reshape(values.shape)


def highest_word(dtype: str) -> int:
    """Return the largest magnitude that weights are quantised to."""
    return _HIGHEST[dtype]


def dequantize(integers: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return integer * scale as float32; `scale` has shape (1,) or (rows,)."""
    return integers.astype(np.float32) * scale.reshape((-1,) + (1,) * (integers.ndim - 1))
