"""Masks that lie beside their weights, as pruning tools write them, taken into the weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.scan.spec import matrix_shape

_ENDS = ("_mask", ".mask")


def join_masks(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Prune weights by the masks beside them.

    A mask is named ``NAME_mask`` or ``NAME.mask`` (of ``NAME.weight``, too), has the shape of the weights, or of their
    matrix, and holds nothing but 0 and 1. ``NAME_orig`` with ``NAME_mask``, which PyTorch's pruning writes, become
    NAME, what the network computes with.

    Returns
    -------
    (dict of str to Tensor, dict of str to str)
        The tensors, masks no longer among them; and the masks, with what became of each.

    Raises
    ------
    InputError
        NAME stands beside ``NAME_orig`` and its mask.
    """
    masks: dict[str, tuple[str, str]] = {}  # weights -> mask, name of what becomes of them
    for name in tensors:
        found = _weights_of(name, tensors)
        if found is not None and found[0] not in masks:
            masks[found[0]] = (name, found[1])
    taken = {mask for mask, _ in masks.values()}
    joined: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name in masks:
            mask, own = masks[name]
            if own != name and own in tensors:
                raise InputError(
                    f"tensor {own} must not be there beside {name} and {mask}, which it is made of"
                )
            kept = tensors[mask].values.reshape(tensor.values.shape) != 0
            joined[own] = Tensor(np.where(kept, tensor.values, tensor.values.dtype.type(0)), tensor.dtype)
        elif name not in taken:
            joined[name] = tensor
    return joined, {mask: f"the mask of {own}" for mask, own in masks.values()}


def _weights_of(mask: str, tensors: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """Return the weights whose mask this tensor is, and the name of the pruned ones; None if it is no mask."""
    end = next((end for end in _ENDS if mask.endswith(end)), None)
    if end is None:
        return None
    for own in _owners(mask, end):
        for weights in (f"{own}_orig", own):
            if weights in tensors and fits(tensors[mask].values, tensors[weights].values.shape):
                return (weights, own) if _is_mask(tensors[mask]) else None
    return None


def _owners(mask: str, end: str) -> list[str]:
    """Return the names that the weights of a mask may have, the likeliest first."""
    own = mask.removesuffix(end)
    return [own, f"{own}.weight"] if end == ".mask" else [own]


def fits(mask: NDArray, shape: tuple[int, ...]) -> bool:
    """Whether a mask is one of weights of this shape: of the same shape, or of that of their matrix (im2col)."""
    return mask.shape == shape or (len(shape) > 2 and mask.shape == matrix_shape(shape))


def named_masks(
    masks: Mapping[str, NDArray[np.bool_]], weights: Mapping[str, tuple[int, ...]]
) -> dict[str, NDArray[np.bool_]]:
    """Give every mask the name and the shape of its weights.

    Parameters
    ----------
    masks : mapping of str to ndarray of bool
        Named as their weights, or as `join_masks` knows them.
    weights : mapping of str to tuple of int
        Shapes of the weights that may have masks.

    Raises
    ------
    InputError
        A mask has no weights, or another shape, or two masks are of the same weights.
    """
    if len(masks) == 1 and len(weights) == 1:  # one mask for one tensor needs no name
        masks = {next(iter(weights)): next(iter(masks.values()))}
    found: dict[str, NDArray[np.bool_]] = {}
    for name, mask in masks.items():
        names = [name, *(own for end in _ENDS if name.endswith(end) for own in _owners(name, end))]
        own = next((own for own in names if own in weights), None)
        if own is None:
            known = ", ".join(sorted(weights)[:5])
            raise InputError(f"the mask {name} must be named as weights are, one of {known}")
        if own in found:
            raise InputError(f"tensor {own}: two masks are given")
        if not fits(mask, weights[own]):
            raise InputError(
                f"tensor {own}: the mask must have the weights' shape {weights[own]}, not {mask.shape}"
            )
        found[own] = mask.reshape(weights[own])
    return found


def _is_mask(tensor: Tensor) -> bool:
    values = tensor.values
    return tensor.dtype == "BOOL" or (
        tensor.dtype in ("U8", "I8", "I16", "I32", "I64", "F16", "F32", "F64")
        and bool(((values == 0) | (values == 1)).all())
    )
