"""Tensors that are stored with the first outputs of a code, as the decoder of all its outputs sees them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import BitmapMask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.stored import EncodedTensor, Patches


def takes_first_outputs(tensor: EncodedTensor, code: Code) -> bool:
    """Whether a tensor's one group has the code of the first outputs of `code`, or of all of them."""
    return (
        len(tensor.groups) == 1
        and tensor.n_out <= code.n_out
        and tensor.groups[0].code == code.first_rows(tensor.n_out)
    )


def patches_in(tensor: EncodedTensor, n_out: int) -> Patches:
    """Return a tensor's patches, their positions counted in blocks of n_out words, of which it has the first."""
    positions, own = tensor.patches.positions, tensor.n_out
    return Patches(positions // own * n_out + positions % own, tensor.patches.differences)


def whole_blocks(tensor: EncodedTensor, code: Code, blocks: int | None = None) -> EncodedTensor:
    """Return a tensor in blocks of all outputs of a code, those that it does not use pruned.

    Parameters
    ----------
    tensor : EncodedTensor
        See `takes_first_outputs`.
    code : Code
    blocks : int, optional
        So many blocks at most.

    Returns
    -------
    EncodedTensor
        Of shape (blocks, code.n_out), row-major, with a bitmap. Its words are for a decoder, not for `decode`.
    """
    own, n_out = tensor.n_out, code.n_out
    blocks = tensor.blocks if blocks is None else min(blocks, tensor.blocks)
    (group,) = tensor.groups
    mask = np.zeros((blocks, n_out), bool)
    used = np.zeros(blocks * own, bool)
    stored = tensor.mask_coder.decode()[: used.size]
    used[: stored.size] = stored
    mask[:, :own] = used.reshape(blocks, own)
    inside = int(np.searchsorted(tensor.patches.positions, used.size))
    patches = patches_in(tensor, n_out)
    return replace(
        tensor,
        shape=(blocks, n_out),
        scan=Interleaver(blocks * n_out),
        mask_coder=BitmapMask(mask.reshape(-1)),
        groups=(PlaneGroup(group.first, group.end, code, group.symbols[:blocks]),),
        patches=Patches(patches.positions[:inside], patches.differences[:inside]),
        segment_blocks=min(tensor.segment_blocks, max(1, blocks)),
        checksum=None,
    )
