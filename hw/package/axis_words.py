"""Words of the parallel decoder's streams: which pins they are made of, and what goes over them for a tensor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xorweave.golden.tensor.stream import EncodedTensor
from xorweave.hw.decoders.axis_decoder import DecoderConfig
from xorweave.hw.package.vectors import closed_records, golden_vectors
from xorweave.hw.rivals.baseline_vectors import beats
from xorweave.hw.stages.layouts import correction_bits, position_bits

Pins = tuple[tuple[str, int], ...]


def axis_pins(config: DecoderConfig) -> dict[str, tuple[str, Pins]]:
    """Return, for each stream by its prefix, what it carries and the pins of a word, lowest first; the output last."""
    code, n_w, lanes = config.code, config.n_w, config.patches_per_block

    def marked(prefix: str, width: int) -> Pins:
        return (f"{prefix}_tdata", width), (f"{prefix}_tuser", 1), (f"{prefix}_tlast", 1)

    def beat(prefix: str, width: int) -> Pins:
        return (
            (f"{prefix}_tdata", lanes * width),
            (f"{prefix}_tuser", lanes.bit_length()),
            (f"{prefix}_tlast", 1),
        )

    symbols = marked("s_axis", code.n_in * n_w)
    if config.rates:
        symbols += (("s_axis_rate", rate_bits(config)),)
        if config.inversion is None:
            symbols += (("s_axis_inversion", n_w),)
    found: dict[str, tuple[str, Pins]] = {"s_axis": ("symbols", symbols)}
    if config.gap_bits:
        found["s_axis_patch"] = "records of patches", beat("s_axis_patch", config.gap_bits + n_w)
    elif config.bounded:
        found["s_axis_patch"] = "entries of patches", beat("s_axis_patch", position_bits(code.n_out) + n_w)
        found["s_axis_count"] = "patches of a block", (("s_axis_count_tdata", lanes.bit_length()),)
    elif lanes:
        width = correction_bits(code.n_out, n_w, lanes)
        found["s_axis_patch"] = "lists of patches", (("s_axis_patch_tdata", width),)
    if config.mask:
        found["s_axis_mask"] = "mask words", (("s_axis_mask_tdata", code.n_out),)
    found["m_axis"] = "weights", marked("m_axis", code.n_out * n_w)
    return found


def rate_bits(config: DecoderConfig) -> int:
    """Width of `s_axis_rate`."""
    return max(1, (len(config.rates) - 1).bit_length())


def axis_words(
    config: DecoderConfig,
    tensors: Sequence[EncodedTensor],
    *,
    max_blocks: int | None = None,
    noise: bool = False,
) -> dict[str, list[int]]:
    """Return the words of every stream, by prefix, for tensors decoded one after the other.

    Parameters
    ----------
    config : DecoderConfig
    tensors : sequence of EncodedTensor
    max_blocks : int, optional
        So many blocks of each tensor at most.
    noise : bool
        Set the bits of symbols that the decoder must ignore (of planes that are not stored).
    """
    found: dict[str, list[int]] = {prefix: [] for prefix in axis_pins(config)}
    code, n_w, lanes = config.code, config.n_w, config.patches_per_block
    records: list[int] = []
    address = position_bits(code.n_out)
    idle = sum(
        1 << (b * n_w + q) for b in range(code.n_in) for q in range(n_w) if config.constant_planes >> q & 1
    )
    for tensor in tensors:
        vectors = golden_vectors(tensor, patches_per_block=lanes, mask=config.mask, max_blocks=max_blocks)
        symbols = vectors.symbols
        if config.rates:
            symbols = _at_a_rate(config, tensor, symbols)
        elif noise:
            symbols = [word | idle for word in symbols]
        found["s_axis"] += symbols
        found["m_axis"] += vectors.weights
        if config.mask:
            found["s_axis_mask"] += vectors.masks
        if config.gap_bits:
            gaps, changes = closed_records(tensor.patches, vectors.blocks * code.n_out, config.gap_bits)
            records += [int(g) | int(c) << config.gap_bits for g, c in zip(gaps, changes, strict=True)]
        elif config.bounded:
            inside = tensor.patches.positions < vectors.blocks * code.n_out
            positions, changes = tensor.patches.positions[inside], tensor.patches.differences[inside]
            counts = np.bincount(positions // code.n_out, minlength=vectors.blocks)
            found["s_axis_count"] += [int(count) for count in counts]
            records += [
                int(at % code.n_out) | int(c) << address for at, c in zip(positions, changes, strict=True)
            ]
        elif lanes:
            found["s_axis_patch"] += vectors.patches
    if config.gap_bits or config.bounded:
        width = (config.gap_bits or address) + n_w
        found["s_axis_patch"] = beats(records, width, lanes, ended=False)
    return found


def _at_a_rate(config: DecoderConfig, tensor: EncodedTensor, symbols: Sequence[int]) -> list[int]:
    """Put rate and inversion beside the symbols: only those with a stream's first symbol count."""
    n_w, n_in = config.n_w, tensor.code.n_in
    width, used, bits = config.code.n_in * n_w, n_in * n_w, rate_bits(config)
    above = ((1 << width) - 1) >> used << used  # what the rate does not use may be anything: here, ones
    inverted = config.inversion is None
    rate = config.rates.index(n_in)
    said = rate | tensor.inversion * inverted << bits
    other = (rate + 1) % len(config.rates) | (~tensor.inversion & ((1 << n_w) - 1)) * inverted << bits
    found = []
    for word in symbols:
        marks = word >> used
        side = said if marks & 1 else other
        found.append(word & ((1 << used) - 1) | above | marks << width | side << (width + 2))
    return found
