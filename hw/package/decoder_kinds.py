"""Which decoder ``generate --decoder`` makes for a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for, config_for_all
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.decoder_words import decoder_words
from xorweave.hw.package.axis_design import axis_design
from xorweave.hw.package.baseline_designs import BASELINES, baseline_design
from xorweave.hw.package.stream_design import StreamDesign
from xorweave.hw.package.vectors import required_patches
from xorweave.hw.package.xor_designs import plane_serial_design, segments_design

DECODERS = ("xor", "bounded", "plane-serial", "segments", *BASELINES)


def design_for(
    kind: str,
    tensor: EncodedTensor,
    options: Mapping[str, Any],
    *,
    name: str | None = None,
    seed: int | None = None,
    segments: int = 2,
    lanes: int | None = None,
    max_blocks: int | None = None,
) -> StreamDesign:
    """Make the decoder of a kind for a tensor.

    Parameters
    ----------
    kind : str
        One of `DECODERS`.
    tensor : EncodedTensor
        A baseline decoder gets the weights that it decodes to, in scan order.
    options : mapping
        Arguments of `config_for`; a baseline decoder has none.
    name : str, optional
        Of the tensor, for the manifest.
    seed : int, optional
        Of a random tensor, for the manifest.
    segments : int
        For ``segments``.
    lanes : int, optional
        For a baseline decoder.
    max_blocks : int, optional
        Vectors for so many blocks at most.

    Raises
    ------
    InputError
        The tensor, the options and the kind do not go together.
    """
    if kind not in DECODERS:
        raise InputError(f"the kind of decoder must be one of {', '.join(DECODERS)}, not {kind!r}")
    said: dict[str, Any] = {"seed": seed, "max_blocks": max_blocks}
    if kind in BASELINES:
        return _baseline(kind, tensor, lanes, max_blocks)
    if kind == "xor":
        return axis_design(config_for(tensor, **options), [tensor], names=[name], **said)
    if kind == "bounded":
        needed = max(1, options.get("patches_per_block") or required_patches(tensor))
        config = config_for(tensor, **{**options, "patches": "bounded", "patches_per_block": needed})
        return axis_design(config, [tensor], names=[name], **said)
    if kind == "plane-serial":
        # a network of one plane serves all planes, constant ones too
        whole = replace(tensor, values=replace(tensor.raw, constant_planes=0))
        config = config_for(whole, **{"patches": "list", **options})
        return plane_serial_design(config, whole, name=name, **said)
    return segments_design(config_for(tensor, **options), tensor, segments, name=name, **said)


def design_for_all(
    tensors: Mapping[str, EncodedTensor], options: Mapping[str, Any], *, max_blocks: int
) -> StreamDesign:
    """Make the one decoder of several tensors; its golden words are equally many blocks of each, one after another.

    Parameters
    ----------
    tensors : mapping of str to EncodedTensor
    options : mapping
        Arguments of `config_for_all`.
    max_blocks : int
        Of all tensors together, though one of each at least.

    Raises
    ------
    InputError
        No one decoder serves all of them.
    """
    config = config_for_all(tensors, **options)
    most = max(1, max_blocks // len(tensors))
    return axis_design(config, list(tensors.values()), names=list(tensors), max_blocks=most)


def _baseline(kind: str, tensor: EncodedTensor, lanes: int | None, max_blocks: int | None) -> StreamDesign:
    n_out, n_w = tensor.code.n_out, tensor.number_format.n_w
    config = DecoderConfig.raw(
        code=tensor.code,
        n_w=n_w,
        inversion=tensor.raw.inversion,
        transform=tensor.raw.transform,
        patches_per_block=required_patches(tensor),
    )
    made = decoder_words(config, tensor, max_blocks=max_blocks)
    mask = np.array([word >> r & 1 for word in made["s_axis_mask"] for r in range(n_out)], bool)
    limit = (1 << n_w) - 1
    words = np.array(
        [word >> (r * n_w) & limit for word in made["m_axis"] for r in range(n_out)],
        tensor.number_format.word,
    )
    return baseline_design(kind, words, mask, n_out=n_out, n_w=n_w, lanes=lanes)
