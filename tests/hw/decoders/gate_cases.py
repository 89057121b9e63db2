"""Configurations that the estimate of gates is held against, small enough to be synthesised in seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xorweave.golden.code.code import Code
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.stages.mask_kinds import BitmapWords, BookWords, ShapedWords
from xorweave.hw.stages.patch_kinds import BoundedPatches, GapPatches, ListPatches
from xorweave.hw.stages.word_kinds import PrefixWords
from xorweave.hw.xor.group import XorGroup
from xorweave.hw.xor.paired import shared_network
from xorweave.hw.xor.pairs import greedy_pairs

CHAIN = Code.from_family("chain", n_in=6, n_out=60, n_s=7, taps=2)
GRAPH = Code.from_family("graph", n_in=16, n_out=150, n_s=3)
PAPER = Code.uniform(n_in=8, n_out=80, n_s=2)
SHAPED = ShapedMaskCode(n_in=20, n_out=60, parities=3)


def _raw(code: Code, n_w: int, **options: Any) -> DecoderConfig:
    return DecoderConfig.raw(code=code, n_w=n_w, network=shared_network(code), **options)


def _book(zeros: int) -> PrefixCode:
    drawn = np.clip(np.round(np.random.default_rng(1).standard_normal(6000) * 20), -127, 127)
    words = np.concatenate([drawn, np.zeros(zeros)]).astype(np.int8).view(np.uint8)
    return make_prefix_codes(words, 8, magnitude="inverted", patch_bits=20)[6 if zeros else 4]


def _prefix(zeros: int = 0, **options: Any) -> DecoderConfig:
    book = _book(zeros)
    groups = []
    for index, (first, end, _) in enumerate(book.care_groups(np.zeros(0, np.int64))):
        code = Code.from_family("chain", n_in=6 - min(index, 4), n_out=60, n_s=5 + index, taps=2, seed=index)
        groups.append(XorGroup(end - first, code, shared_network(code)))
    return DecoderConfig(groups=tuple(groups), kind_of_words=PrefixWords(book), **options)


def _shaped() -> ShapedWords:
    return ShapedWords(SHAPED, greedy_pairs(SHAPED.generator.reshape(SHAPED.n_out * SHAPED.parities, -1)))


def _book_mask(book: PatternBook) -> BookWords:
    patterns = 60 // book.m
    groups = []
    for index, (first, end) in enumerate(book.spans):
        if index:
            code = usual_graph(max(1, patterns // 2 - 2 * index), patterns, 1 + 2 * index)
            groups.append(XorGroup(end - first, code, shared_network(code)))
        else:
            code = Code.from_family("identity", n_in=patterns, n_out=patterns, n_s=0)
            groups.append(XorGroup(end - first, code))
    return BookWords(book, tuple(groups))


CASES: dict[str, Callable[[], DecoderConfig]] = {
    "paper, one plane, bitmap": lambda: _raw(PAPER, 1, input_register=False),
    "paper, four planes, a patch": lambda: _raw(PAPER, 4, patches_per_block=1),
    "chain, bitmap": lambda: _raw(CHAIN, 4),
    "chain, no mask, pipeline": lambda: _raw(CHAIN, 4, mask=False, max_depth=4),
    "chain, difference": lambda: _raw(CHAIN, 4, transform="difference"),
    "chain, negated, two patches": lambda: _raw(
        CHAIN, 4, transform="sign-magnitude", patches_per_block=2, output_register=True
    ),
    "chain, gaps": lambda: _raw(CHAIN, 4, patches_per_block=2, gap_bits=6),
    "chain, bounded, skids, guard": lambda: _raw(
        CHAIN, 4, patches_per_block=1, bounded=True, skid_buffers=True, length_bits=8
    ),
    "graph, bitmap": lambda: _raw(GRAPH, 2, input_register=False),
    "graph, a constant plane, inversion": lambda: _raw(GRAPH, 3, constant_planes=2, inversion=5),
    "chain, inversion port": lambda: _raw(CHAIN, 4, inversion=None),
    "prefix, bitmap": lambda: _prefix(kind_of_mask=BitmapWords()),
    "prefix, shaped": lambda: _prefix(kind_of_mask=_shaped(), input_register=False),
    "prefix, shaped, gaps": lambda: _prefix(
        kind_of_mask=_shaped(), kind_of_patches=GapPatches(1, 8), output_register=True
    ),
    "prefix, pattern book": lambda: _prefix(
        kind_of_mask=_book_mask(PatternBook(6, (1, 0, 0, 6, 0, 0, 16))), input_register=False
    ),
    "prefix, book of long patterns": lambda: _prefix(
        kind_of_mask=_book_mask(PatternBook(10, (0, 1, 0, 2, 8, 2, 44))), input_register=False
    ),
    "prefix, book of all patterns": lambda: _prefix(
        kind_of_mask=_book_mask(PatternBook(3, (1, 0, 3, 0, 4))), output_register=True
    ),
    "prefix, no mask, bounded": lambda: _prefix(kind_of_patches=BoundedPatches(1)),
    "prefix, no mask, list": lambda: _prefix(kind_of_patches=ListPatches(1), skid_buffers=True),
    "prefix, mask in the codeword": lambda: _prefix(3000, kind_of_mask=_shaped(), input_register=False),
}
