"""What goes into a decoder and what must come out of it, block by block, for a stored tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.decoder import decode_words
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.stages.fields import packed


def decoder_words(
    config: DecoderConfig, tensor: Any, *, max_blocks: int | None = None, output: bool = True
) -> dict[str, list[int]]:
    """Make the words of every stream of a decoder by the software decoder.

    Parameters
    ----------
    config : DecoderConfig
        As `config_for` makes it for the tensor.
    tensor : EncodedTensor
    max_blocks : int, optional
        So many blocks at most.
    output : bool
        Whether ``m_axis`` is among them: it takes decoding.

    Returns
    -------
    dict of str to list of int
        By the prefix of the pins: ``s_axis``, ``s_axis_mask``, ``s_axis_patch``, ``s_axis_count`` (those that the
        decoder has) and ``m_axis``. Words of ``s_axis`` and ``m_axis`` have one bit "first of a stream" above the
        data and, above that, one bit "last".

    Raises
    ------
    InputError
        The decoder is not one for this tensor.
    """
    if [group.code for group in config.groups] != [group.code for group in tensor.groups]:
        raise InputError("the decoder must have the codes of the tensor's groups")
    n_out, n_w = config.n_out, config.n_w
    blocks = tensor.blocks if max_blocks is None else min(tensor.blocks, max_blocks)
    found: dict[str, list[int]] = {}
    mask = None
    if config.kind_of_mask is not None:
        found["s_axis_mask"], mask = config.kind_of_mask.words(
            tensor.mask_coder, n_out, blocks, tensor.segment_blocks
        )
    if config.kind_of_patches is not None:
        found |= config.kind_of_patches.words(tensor.patches, n_out, n_w, blocks)
    first = np.arange(blocks) % tensor.segment_blocks == 0
    last = np.roll(first, -1)
    if blocks:
        last[-1] = (
            blocks == tensor.blocks or tensor.segment_blocks == 1 or blocks % tensor.segment_blocks == 0
        )
    marks = [int(f) | int(l) << 1 for f, l in zip(first, last, strict=True)]
    found["s_axis"] = _marked(_symbols(config, tensor, blocks), config.symbol_bits, marks)
    if output:
        words = _weights(config, tensor, blocks, mask)
        found["m_axis"] = _marked(packed(words.reshape(blocks, n_out), n_w), n_out * n_w, marks)
    return found


def _weights(
    config: DecoderConfig, tensor: Any, blocks: int, mask: NDArray[np.bool_] | None
) -> NDArray[np.unsignedinteger]:
    """Decode the words of the first blocks, (blocks * n_out,)."""
    planes = np.zeros(blocks * config.n_out, np.uint64)
    total = tensor.values.planes
    for group in tensor.groups:
        decoded = decode_words(group.code, group.symbols[:blocks], tensor.segment_blocks).reshape(-1)
        planes |= decoded.astype(np.uint64) << np.uint64(total - group.end)
    words = tensor.values.words_of(planes, tensor.number_format.word)
    if mask is not None:
        words = np.where(mask, words, words.dtype.type(0))
    if config.kind_of_patches is not None:
        inside = tensor.patches.positions < words.size
        words[tensor.patches.positions[inside]] ^= tensor.patches.differences[inside]
    return words


def _symbols(config: DecoderConfig, tensor: Any, blocks: int) -> list[int]:
    """Join the symbols of all groups, the first lowest."""
    joined = [0] * blocks
    at = 0
    for group in tensor.groups:
        width = config.n_w if tensor.values.kind == "raw" else group.end - group.first
        for t, word in enumerate(packed(group.symbols[:blocks], width)):
            joined[t] |= word << at
        at += width * group.code.n_in
    return joined


def _marked(words: list[int], width: int, marks: list[int]) -> list[int]:
    return [word | mark << width for word, mark in zip(words, marks, strict=True)]
