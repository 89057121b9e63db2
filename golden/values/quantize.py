"""Symmetric quantising to INT8 and INT4, per tensor or per row."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

_HIGHEST = {"int8": 127, "int4": 7}


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
    if not np.isfinite(values).all():
        raise InputError("weights must be finite to be quantised, but there is a NaN or an infinity")
    highest = _HIGHEST[dtype]
    wide = values.astype(np.float64)
    if axis == "tensor" or values.ndim == 0:
        peak = np.abs(wide).max(initial=0.0).reshape(1)
        spread = peak.reshape((1,) * values.ndim)
    else:
        peak = np.abs(wide).max(axis=tuple(range(1, values.ndim)), initial=0.0)
        spread = peak.reshape((-1,) + (1,) * (values.ndim - 1))
    if peak.max(initial=0.0) / highest > np.finfo(np.float32).max:
        raise InputError(
            f"weights must have a scale within float32 to be quantised, but the largest is {peak.max()}"
        )
    exact = np.where(spread > 0, spread / highest, 1.0)
    scale = np.maximum(exact, np.finfo(np.float32).smallest_subnormal).astype(np.float32)
    # near zero float32 is coarse: a scale rounded down there would clip the largest weight
    scale = np.where(scale * (1 + 1e-6) < exact, np.nextafter(scale, np.float32(np.inf)), scale)
    # and at the other end one rounded up would give the largest weight back as infinity
    beyond = scale.astype(np.float64) * highest > np.finfo(np.float32).max
    scale = np.where(beyond, np.nextafter(scale, np.float32(0)), scale)
    integers = np.clip(np.rint(wide / scale), -highest, highest).astype(np.int8)
    return integers, scale.reshape(-1)


def dequantize(integers: NDArray[np.int8], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return integer * scale as float32; `scale` has shape (1,) or (rows,)."""
    return integers.astype(np.float32) * scale.reshape((-1,) + (1,) * (integers.ndim - 1))
