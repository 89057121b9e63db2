"""What a decoder costs in gates, told from its parts without synthesis.

The unit is the two-input NAND of the project's generic library. What is counted exactly - exclusive-ors, flip-flops -
costs what its cells cost there; what a logic optimiser makes of the rest was measured once, and stands here as so much
a bit. ``tests/hw/decoders/test_gate_estimate.py`` holds the estimate against what `synth` counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.stages.fields import dense_corrections, position_bits
from xorweave.hw.stages.mask_kinds import BookWords, MaskKind, ShapedWords
from xorweave.hw.stages.patch_kinds import GapPatches, ListPatches, PatchKind
from xorweave.hw.stages.word_kinds import XOR2, PrefixWords
from xorweave.hw.xor.group import XorGroup
from xorweave.hw.xor.paired import STRUCTURES
from xorweave.hw.xor.pipeline import pipeline_cut

AND2 = 1.5
REGISTER = 8.5  # flip-flop and the multiplexer that holds it
HISTORY = 9.2  # and what clears it at the start of a stream
SKID = 8.6
LENGTH = 3.0  # whether a word is within the block length, and the gate on its mask bit
_FOLDED = 0.5  # what a mask adds to the exclusive-or that makes a bit
_GATED = 0.65  # the same where a gate only gets one input more
_SHUT = 1.0  # the same where it is a gate of its own, part of what follows
# a table of codewords: so much a codeword and bit of its number; and the OR with an escaped pattern's bit
_CODEWORD, _ESCAPED = 0.36, 1.6
_CHANGE = 3.0  # a patch's difference, gated, on one bit
_CONTROL = 40.0


@dataclass(frozen=True)
class DecoderGates:
    """Gates of a decoder by part.

    Attributes
    ----------
    n_out : int
        Weights a cycle.
    parts : dict of str to float
        Gate equivalents of each part.
    """

    n_out: int
    parts: dict[str, float]

    @property
    def gate_equivalents(self) -> float:
        """All parts."""
        return sum(self.parts.values())

    @property
    def per_weight(self) -> float:
        """Gate equivalents for one weight a cycle."""
        return self.gate_equivalents / self.n_out


def decoder_gates(config: DecoderConfig) -> DecoderGates:
    """Estimate the gates of a decoder.

    Parameters
    ----------
    config : DecoderConfig
        With the networks it is to be built with: balanced trees are counted where there are none.

    Returns
    -------
    DecoderGates
        With ports ``registers``, ``networks``, ``words``, ``mask``, ``patches``, ``buffers`` (those that it has).
    """
    n_out, n_w = config.n_out, config.n_w
    parts = {
        "registers": sum(_registers(group, input_register=config.input_register) for group in config.groups),
        "networks": sum(_network(group, config.max_depth) for group in config.groups),
        "words": n_out * (config.kind_of_words.gates + _shut_off(config)),
        "mask": _mask(config),
        "patches": patch_gates(config.kind_of_patches, n_out, n_w),
        "buffers": _CONTROL,
    }
    if config.output_register:
        parts["buffers"] += REGISTER * (n_out * n_w + 3)
    symbols = sum(group.symbol_bits for group in config.groups)
    if config.skid_buffers:
        words = config.kind_of_mask.width(n_out) if config.kind_of_mask is not None else 0
        if config.kind_of_patches is not None:
            pins = config.kind_of_patches.streams(n_out, n_w)
            if not config.kind_of_patches.lists:
                words += sum(width for stream in pins.values() for _, width in stream)
        parts["buffers"] += SKID * (symbols + 2 + words)
    if config.length_bits:
        parts["buffers"] += 54 + 16 * config.length_bits
    if config.rates:
        parts["buffers"] += AND2 * (symbols - config.groups[0].planes * config.rates[0])
    if config.block_lengths:
        stages = config.latency - config.output_register
        parts["buffers"] += LENGTH * n_out + REGISTER * stages * sum(config.said_by_stream.values())
    return DecoderGates(n_out, {name: gates for name, gates in parts.items() if gates})


def _registers(group: XorGroup, *, input_register: bool) -> float:
    """Shift registers of a group; a bit is held as long as some output reads it."""
    code = group.code
    read = code.generator.any(axis=0).reshape(code.n_s + 1, code.n_in)
    held = sum(max((age for age in range(code.n_s + 1) if read[age, b]), default=0) for b in range(code.n_in))
    newest = code.n_in * REGISTER if input_register else 0.0
    return group.planes * (held * HISTORY + newest)


def _network(group: XorGroup, max_depth: int | None) -> float:
    """Exclusive-ors of a group, and the registers between its pipeline stages."""
    if max_depth is None:
        return group.planes * group.gates.pruned().xor2 * XOR2
    cut = pipeline_cut(group.gates, max_depth=max_depth)
    return group.planes * (cut.network.xor2 * XOR2 + cut.registers * REGISTER)


def _shut_off(config: DecoderConfig) -> float:
    """What shuts sign and tail of a weight off where its class has none."""
    words = config.kind_of_words
    if not isinstance(words, PrefixWords):
        return 0.0
    if not config.gated_groups:
        return _SHUT * (words.planes - words.book.depth)
    return _shut(config.groups[-config.gated_groups :])


def _shut(groups: Sequence[XorGroup]) -> float:
    """What shuts the planes of groups off in their networks, for one word."""
    # a gate that other outputs read too cannot be made together with its mask
    return sum(group.planes * (_FOLDED if group.code.family in STRUCTURES else _SHUT) for group in groups)


def _mask(config: DecoderConfig) -> float:
    """What makes the mask bits, and what applies them."""
    kind = config.kind_of_mask
    if kind is None:
        return 0.0
    folded = sum(group.planes for group in config.groups[: config.masked_groups])
    # what a plane of no payload gives is the mask bit itself, or 0
    constant = config.constant_planes.bit_count() if config.inversion is not None else 0
    bits = config.n_w - (constant if config.transform == "none" else 0)
    if config.mask_in_words and config.book is not None:
        book = config.book
        zero = [int(n) for n, t in zip(book.lengths, book.tails, strict=True) if t < 0]
        if zero or not config.gated_groups:
            bits = min(zero or [bits])
        else:
            # what tells of sign and tail is gated, and what is fixed by the class, in gates that are there anyway
            always = max(0, int(book.tails.min()))
            return config.n_out * _GATED * (config.gated_groups + config.n_w - 1 - always) + _mask_bits(kind)
    gates = config.n_out * (folded * _FOLDED if folded else bits * AND2)
    return gates + _mask_bits(kind)


def _mask_bits(kind: MaskKind) -> float:
    """What makes the mask bits."""
    gates = 0.0
    if isinstance(kind, ShapedWords):
        code = kind.code
        gates += XOR2 * kind.gates.pruned().xor2 + HISTORY * (code.window - 1)
        gates += 1.2 * (code.parities - 1) * code.n_out
    if isinstance(kind, BookWords):
        gates += _book_mask(kind)
    return gates


def _book_mask(kind: BookWords) -> float:
    """Registers and networks of a pattern book's planes, what shuts planes off in them, and the tables."""
    gates = sum(_registers(group, input_register=False) + _network(group, None) for group in kind.groups)
    patterns = kind.groups[0].code.n_out
    return gates + patterns * (_shut(kind.groups[1:]) + pattern_gates(kind.book))


def pattern_gates(book: PatternBook) -> float:
    """Estimate the table of one pattern (see `PatternTable`), for its m mask bits together."""
    return _CODEWORD * book.codewords * math.log2(book.codewords) + _ESCAPED * book.raw_planes


def patch_gates(kind: PatchKind | None, n_out: int, n_w: int) -> float:
    """Estimate the correction stage of a block of n_out words of n_w bits, and what stands before it."""
    if kind is None:
        return 0.0
    if dense_corrections(n_out, n_w, kind.limit) and not kind.lists and not kind.lanes:
        return XOR2 * n_out * n_w
    gates = n_out * (1 if kind.lanes else kind.limit) * (_CHANGE * n_w + 1.5)
    if isinstance(kind, ListPatches):
        return gates
    gap = isinstance(kind, GapPatches)
    record = n_w + (kind.gap_bits if isinstance(kind, GapPatches) else position_bits(n_out))
    # a buffer of three beats, with shifters for what is taken and for what comes
    slot = 10.6 + 5.7 * (math.log2(kind.limit + 1) - 1)
    return gates + 60 + 3 * kind.limit * record * slot + gap * (120 + 100 * kind.limit)
