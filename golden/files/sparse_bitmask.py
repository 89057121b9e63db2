"""The forms ``sparse-bitmask`` and ``sparse-24-bitmask`` of compressed-tensors, as dense tensors.

Of a tensor such a checkpoint holds ``STEM.shape``, ``STEM.compressed`` (the kept values, row by row), ``STEM.bitmask``
(one bit a weight, each row filled up to whole bytes, the lowest bit first) and, but for 2:4, ``STEM.row_offsets``
(kept values before each row). Later writers leave ``.weight`` out of the stem, earlier ones kept the tensor's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.safetensors_file import Tensor

_PARTS = ("shape", "compressed", "bitmask", "row_offsets")
_WHOLE_NAMES = (".weight", ".bias")
# what quantised weights bring along; of rank 2 where there is one for each row, yet nothing that is pruned
_BESIDE = ("_scale", "_zero_point", "_g_idx")


def join_bitmasks(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Put tensors together that lie in parts; all others are handed on.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Everything a checkpoint holds, of all its files.

    Returns
    -------
    (dict of str to Tensor, dict of str to str)
        Dense tensors, each where its ``compressed`` stood, named ``STEM.weight``, or STEM where the checkpoint's stems
        are whole names. And what quantised weights bring along (scales, zero points), with the reason to carry it;
        empty where nothing lies in parts.

    Raises
    ------
    InputError
        Parts are missing or contradict each other, or two tensors come to one name.
    """
    stems = [
        stem
        for stem, dot, part in (name.rpartition(".") for name in tensors)
        if dot and part == "compressed" and f"{stem}.bitmask" in tensors
    ]
    if not stems:
        return dict(tensors), {}
    whole = any(stem.endswith(_WHOLE_NAMES) for stem in stems)
    parts = {f"{stem}.{part}" for stem in stems for part in _PARTS}
    dense: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        stem = name.removesuffix(".compressed")
        joined = name in parts and stem != name
        if name in parts and not joined:
            continue
        own = name if not joined else stem if whole else f"{stem}.weight"
        if own in dense or (joined and own in tensors and own not in parts):
            raise InputError(f"tensor {own} must be there once, whole or as {stem}.compressed")
        dense[own] = _join(stem, tensors) if joined else tensor
    return dense, {name: "beside quantised weights" for name in dense if name.endswith(_BESIDE)}


def _join(stem: str, tensors: Mapping[str, Tensor]) -> Tensor:
    """Make one tensor of its parts; the bitmask's bytes bound what is made."""
    values, bitmask = tensors[f"{stem}.compressed"], tensors[f"{stem}.bitmask"]
    shape = _shape(stem, tensors)
    rows, cols = shape[:-1], shape[-1]
    if bitmask.dtype != "U8" or bitmask.values.size != math.prod(rows) * -(-cols // 8):
        raise InputError(
            f"{stem}.bitmask must hold a bit for each weight of shape {shape}, rows filled up to whole bytes of U8, "
            f"not {bitmask.dtype} of shape {bitmask.values.shape}"
        )
    packed = bitmask.values.reshape(*rows, -1)
    if cols % 8 and (packed[..., -1] >> cols % 8).any():
        raise InputError(f"{stem}.bitmask must fill up its rows with zeros")
    counts = np.bitwise_count(packed).sum(axis=-1, dtype=np.int64)
    if values.values.size != int(counts.sum()):
        raise InputError(
            f"{stem}.compressed must hold a value for each of the {int(counts.sum())} bits of {stem}.bitmask, "
            f"not {values.values.size}"
        )
    _check_offsets(stem, tensors, counts)
    mask = np.unpackbits(packed, axis=-1, count=cols, bitorder="little").astype(bool)
    joined = np.zeros(shape, values.values.dtype)
    joined[mask] = values.values.reshape(-1)
    return Tensor(joined, values.dtype)


def _shape(stem: str, tensors: Mapping[str, Tensor]) -> tuple[int, ...]:
    found = tensors.get(f"{stem}.shape")
    if found is None:
        raise InputError(f"{stem}.shape must be beside {stem}.compressed and {stem}.bitmask")
    sides = found.values.reshape(-1)
    if sides.dtype.kind not in "iu" or not 1 <= sides.size <= 64 or sides.min() < 1 or sides.max() >= 1 << 48:
        raise InputError(
            f"{stem}.shape must hold the sides of a tensor, integers from 1 on, not {sides[:8].tolist()}"
        )
    return tuple(int(side) for side in sides)


def _check_offsets(stem: str, tensors: Mapping[str, Tensor], counts: NDArray[np.int64]) -> None:
    """Compare the offsets with the bitmask's own: they say nothing that it does not."""
    found = tensors.get(f"{stem}.row_offsets")
    if found is None:
        if tensors[f"{stem}.compressed"].values.ndim == 2 and np.unique(counts).size == 1:
            return  # as 2:4 is stored, the same number of values a row
        raise InputError(f"{stem}.row_offsets must be beside {stem}.compressed and {stem}.bitmask")
    rows = np.atleast_1d(counts)
    expected = (np.cumsum(rows, axis=0) - rows).reshape(-1)  # along the first side, as it is published
    given = found.values.reshape(-1)
    if given.dtype.kind not in "iu" or not np.array_equal(given, expected):
        raise InputError(
            f"{stem}.row_offsets must hold the values before each row, as {stem}.bitmask has them"
        )
