"""Words of the parallel decoder's streams: which pins they are made of, and what goes over them for a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.decoder_words import decoder_words
from xorweave.hw.decoders.first_outputs import whole_blocks
from xorweave.hw.xor.group import XorGroup

Pins = tuple[tuple[str, int], ...]


def axis_pins(config: DecoderConfig) -> dict[str, tuple[str, Pins]]:
    """Return, for each stream by its prefix, what it carries and the pins of a word, lowest first; the output last."""
    n_out, n_w = config.n_out, config.n_w

    def marked(prefix: str, width: int) -> Pins:
        return (f"{prefix}_tdata", width), (f"{prefix}_tuser", 1), (f"{prefix}_tlast", 1)

    symbols = marked("s_axis", config.symbol_bits) + tuple(config.said_by_stream.items())
    found: dict[str, tuple[str, Pins]] = {"s_axis": ("symbols", symbols)}
    if config.kind_of_patches is not None:
        what = {
            "list": "lists of patches",
            "lanes": "patches by lane",
            "gap": "records of patches",
            "bounded": "entries of patches",
        }
        for prefix, pins in config.kind_of_patches.streams(n_out, n_w).items():
            said = what[config.kind_of_patches.name] if prefix == "s_axis_patch" else "patches of a block"
            found[prefix] = said, pins
    if config.kind_of_mask is not None:
        pins = (("s_axis_mask_tdata", config.kind_of_mask.width(n_out)),)
        found["s_axis_mask"] = "mask words", pins
    found["m_axis"] = "weights", marked("m_axis", n_out * n_w)
    return found


def axis_words(
    config: DecoderConfig,
    tensors: Sequence[EncodedTensor],
    *,
    max_blocks: int | None = None,
    noise: bool = False,
    stored: bool = False,
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
    stored : bool
        The words as a memory holds them: nothing that the decoder must ignore is set, and nothing comes out.
    """
    found: dict[str, list[int]] = {prefix: [] for prefix in axis_pins(config)}
    idle = 0
    if config.constant_planes:
        n_in, n_w = config.code.n_in, config.n_w
        idle = sum(
            1 << (b * n_w + q) for b in range(n_in) for q in range(n_w) if q not in config.stored_planes
        )
    for stream in tensors:
        fixed = config
        if config.rates:
            group = XorGroup(config.groups[0].planes, stream.groups[0].code)
            fixed = replace(config, groups=(group,), rates=())
        given = whole_blocks(stream, config.code, max_blocks) if config.block_lengths else stream
        words = decoder_words(fixed, given, max_blocks=max_blocks, output=not stored)
        if noise and not config.rates:
            words["s_axis"] = [word | idle for word in words["s_axis"]]
        if config.said_by_stream:
            words["s_axis"] = _said(config, stream, words["s_axis"])
        if config.block_lengths and not stored:
            # what lies beyond the block length may be anything: here, ones
            beyond = (1 << config.n_out) - (1 << stream.n_out)
            words["s_axis_mask"] = [word | beyond for word in words["s_axis_mask"]]
        for prefix, some in words.items():
            found[prefix] += some
    return found


def _said(config: DecoderConfig, stream: EncodedTensor, symbols: Sequence[int]) -> list[int]:
    """Put beside the symbols what is said of the whole stream: only that with a stream's first symbol counts."""
    n_in = stream.groups[0].code.n_in
    width, used = config.symbol_bits, n_in * config.n_w
    above = ((1 << width) - 1) >> used << used  # what a rate does not use may be anything: here, ones
    values = {"s_axis_inversion": stream.raw.inversion, "s_axis_block_length": stream.n_out}
    others = {"s_axis_inversion": -1 - stream.raw.inversion, "s_axis_block_length": -1 - stream.n_out}
    if config.rates:
        rate = config.rates.index(n_in)
        values["s_axis_rate"], others["s_axis_rate"] = rate, (rate + 1) % len(config.rates)
    said = other = low = 0
    for pin, bits in config.said_by_stream.items():
        said |= (values[pin] & ((1 << bits) - 1)) << low
        other |= (others[pin] & ((1 << bits) - 1)) << low
        low += bits
    found = []
    for word in symbols:
        marks = word >> used
        side = said if marks & 1 else other
        found.append(word & ((1 << used) - 1) | above | marks << width | side << (width + 2))
    return found
