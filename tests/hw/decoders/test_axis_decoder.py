"""Every stored form through one decoder: what comes out of its pins is what the software decoder says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat, number_format
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.mask.coders import BookMask
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.tensor.stored import Patches
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.golden.values.transforms import inverse
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.decoder_words import decoder_words
from xorweave.hw.stages.patch_kinds import LanePatches

BOOK = PrefixCode(4, "inverted", np.array([1, 2, 4, 4]), np.array([2, -1, 1, 0]), np.array([1, 0, 1, 1]))
# the word 0 has the codeword of zeros: the mask can make it
ZERO = PrefixCode(4, "inverted", np.array([2, 2, 3, 4]), np.array([-1, 2, 1, 0]), np.array([0, 1, 1, 1]))
N_OUT, BLOCKS, SEGMENT = 8, 9, 4
# a pattern of no one or of one; an escape
PATTERNS = PatternBook(4, (1, 0, 3, 2))
SHAPED = ShapedMaskCode(n_in=4, n_out=N_OUT, parities=2, window=9, taps=4)


@dataclass
class Raw:
    """Raw planes, written out anew."""

    kind = "raw"
    n_w: int
    inversion: int = 0
    constant_planes: int = 0
    transform: str = "none"

    @property
    def planes(self) -> int:
        return self.n_w

    def words_of(self, planes: np.ndarray, word: np.dtype) -> np.ndarray:
        return inverse(self.transform, planes.astype(word) ^ word.type(self.inversion), self.n_w)


@dataclass
class Mask:
    kind: str
    kept: np.ndarray | None = None
    code: ShapedMaskCode | None = None
    symbols: np.ndarray | None = None

    def decode(self) -> np.ndarray:
        assert self.kept is not None
        return self.kept


@dataclass
class Group:
    first: int
    end: int
    code: Code
    symbols: np.ndarray


@dataclass
class Stored:
    """A stored tensor of random symbols: nobody's weights."""

    values: Any
    groups: list[Group]
    mask_coder: Mask | BookMask
    patches: Patches
    number_format: NumberFormat
    segment_blocks: int = SEGMENT
    correction_format: str = "joint:5"
    blocks: int = field(default=BLOCKS)
    n_out: int = N_OUT


def stored(values: Any, mask: str, *, most: int = 2, word: str = "int4", seed: int = 0) -> Stored:
    random = np.random.default_rng(seed)
    prefix = isinstance(values, PrefixCode)
    spans = [(0, 1), (1, 2), (2, 4), (4, 7)] if prefix else [(0, values.n_w)]
    sizes = [(5, 2), (3, 1), (2, 3), (1, 4)] if prefix else [(4, 2)]
    groups = []
    for index, ((first, end), (n_in, n_s)) in enumerate(zip(spans, sizes, strict=True)):
        code = Code.uniform(n_in=n_in, n_out=N_OUT, n_s=n_s, seed=index)
        symbols = random.integers(0, 1 << (end - first), (BLOCKS, n_in)).astype(np.uint8)
        if not prefix:
            symbols &= ~np.uint8(values.constant_planes)
        groups.append(Group(first, end, code, symbols))
    form = number_format(word)
    where = [
        block * N_OUT + np.sort(random.permutation(N_OUT)[: random.integers(0, most + 1)])
        for block in range(BLOCKS)
    ]
    positions = np.concatenate(where).astype(np.int64)
    differences = random.integers(1, 1 << form.n_w, positions.size).astype(form.word)
    kept = random.random(BLOCKS * N_OUT - 5) < 0.4
    coder: Mask | BookMask = Mask(mask, kept)
    if mask == "book":
        coder = book_mask(random)
    if mask == "shaped":
        coder = Mask(mask, None, SHAPED, random.integers(0, 2, (BLOCKS, SHAPED.n_in)).astype(np.uint8))
    return Stored(values, groups, coder, Patches(positions, differences), form)


def book_mask(random: np.random.Generator) -> BookMask:
    codes = [Code.from_family("identity", n_in=2, n_out=2, n_s=0)]
    codes += [Code.uniform(n_in=n_in, n_out=2, n_s=n_s, seed=n_s) for n_in, n_s in ((2, 1), (1, 2), (1, 4))]
    groups = []
    for (first, end), code in zip(PATTERNS.spans, codes, strict=True):
        symbols = random.integers(0, 1 << (end - first), (BLOCKS, code.n_in)).astype(np.uint8)
        groups.append(PlaneGroup(first, end, code, symbols))
    return BookMask(PATTERNS, tuple(groups), BLOCKS * N_OUT - 5, SEGMENT)


def run(config: DecoderConfig, streams: dict[str, list[int]], *, stall: float, seed: int = 0) -> list[int]:
    """Feed every stream with random gaps, take weights with random gaps; return the words of m_axis."""
    dut = AxisDecoder(config)
    random = np.random.default_rng(seed)
    pins: dict[str, list[tuple[str, int]]] = {"s_axis": _marked("s_axis", config.symbol_bits)}
    if config.kind_of_mask is not None:
        pins["s_axis_mask"] = [("s_axis_mask_tdata", config.kind_of_mask.width(config.n_out))]
    if config.kind_of_patches is not None:
        pins |= {k: list(v) for k, v in config.kind_of_patches.streams(config.n_out, config.n_w).items()}
    got: list[int] = []
    wanted = len(streams["m_axis"])
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)

    async def source(ctx: Any, prefix: str) -> None:
        valid, ready = getattr(dut, f"{prefix}_tvalid"), getattr(dut, f"{prefix}_tready")
        for word in streams[prefix]:
            while random.random() < stall:
                await ctx.tick()
            for pin, width in pins[prefix]:
                ctx.set(getattr(dut, pin), word & ((1 << width) - 1))
                word >>= width
            ctx.set(valid, 1)
            await ctx.tick().until(ready)
            ctx.set(valid, 0)

    async def sink(ctx: Any) -> None:
        cycles = 0
        while len(got) < wanted:
            ctx.set(dut.m_axis_tready, int(random.random() >= stall))
            *_, valid, ready, data, first, last = await ctx.tick().sample(
                dut.m_axis_tvalid, dut.m_axis_tready, dut.m_axis_tdata, dut.m_axis_tuser, dut.m_axis_tlast
            )
            if valid and ready:
                width = config.n_out * config.n_w
                got.append(data | first << width | last << (width + 1))
            cycles += 1
            assert cycles < 40 * wanted + 100, "the decoder hangs"
        # with nothing in the way a block comes in every cycle
        assert stall or cycles <= wanted + config.latency + 3, f"{cycles} cycles for {wanted} blocks"

    for prefix in pins:

        async def feed(ctx: Any, prefix: str = prefix) -> None:
            await source(ctx, prefix)

        simulator.add_testbench(feed, background=True)
    simulator.add_testbench(sink)
    simulator.run()
    return got


def _marked(prefix: str, width: int) -> list[tuple[str, int]]:
    return [(f"{prefix}_tdata", width), (f"{prefix}_tuser", 1), (f"{prefix}_tlast", 1)]


VALUES = {
    "plain": Raw(4),
    "inverted": Raw(4, inversion=5),
    "constant": Raw(4, inversion=4, constant_planes=6),
    "difference": Raw(4, transform="difference"),
    "negated": Raw(4, inversion=3, transform="sign-magnitude"),
    "prefix": BOOK,
    "prefix, zero first": ZERO,
}


@pytest.mark.parametrize(
    ("values", "mask", "stall"),
    [
        *((values, mask, 0.4) for values in VALUES for mask in ("shaped", "book")),
        *((values, mask, 0.0) for values in ("plain", "negated", "prefix") for mask in ("none", "bitmap")),
        ("prefix", "shaped", 0.0),
        ("prefix", "book", 0.0),
    ],
)
def test_every_word_kind_with_every_mask(values: str, mask: str, stall: float) -> None:
    tensor = stored(VALUES[values], mask)
    config = config_for(tensor)
    streams = decoder_words(config, tensor)
    assert run(config, streams, stall=stall) == streams["m_axis"]


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("patches", ["list", "lanes", "gap", "bounded"])
@pytest.mark.parametrize("values", ["plain", "prefix"])
def test_every_patch_kind(values: str, patches: str, stall: float) -> None:
    tensor = stored(VALUES[values], "shaped", most=2 if patches == "lanes" else 1)
    config = config_for(tensor, patches=patches)
    streams = decoder_words(config, tensor)
    assert run(config, streams, stall=stall) == streams["m_axis"]


@pytest.mark.parametrize(
    "options",
    [
        {"input_register": False},
        {"output_register": True},
        {"skid_buffers": True},
        {"max_depth": 1},
        {"max_depth": 2, "output_register": True, "skid_buffers": True},
        {"patches_per_block": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize(("values", "mask"), [("plain", "shaped"), ("prefix", "shaped"), ("prefix", "book")])
def test_registers_anywhere(values: str, mask: str, options: dict[str, Any]) -> None:
    tensor = stored(VALUES[values], mask)
    config = config_for(tensor, **options)
    streams = decoder_words(config, tensor)
    for stall in (0.0, 0.3):
        assert run(config, streams, stall=stall) == streams["m_axis"]


def test_the_words_are_those_of_a_decoder_written_out() -> None:
    """The words that the other tests compare with, against loops over bits."""
    tensor = stored(BOOK, "shaped")
    config = config_for(tensor)
    streams = decoder_words(config, tensor)
    mask = SHAPED
    for t in range(BLOCKS):
        start = t // SEGMENT * SEGMENT
        planes = [0] * N_OUT
        for group in tensor.groups:
            code = group.code
            for q in range(group.end - group.first):
                window = [
                    int(group.symbols[t - age, b]) >> q & 1 if t - age >= start else 0
                    for age in range(code.n_s + 1)
                    for b in range(code.n_in)
                ]
                for r in range(N_OUT):
                    bit = sum(g & x for g, x in zip(code.generator[r].tolist(), window, strict=True)) & 1
                    planes[r] |= bit << (BOOK.planes - group.end + q)
        assert tensor.mask_coder.symbols is not None
        window = [
            int(tensor.mask_coder.symbols[t - age, b]) if t - age >= start else 0
            for age in range(mask.n_s + 1)
            for b in range(mask.n_in)
        ]
        weights = 0
        for r in range(N_OUT):
            kept = all(
                sum(g & x for g, x in zip(row.tolist(), window, strict=True)) & 1 for row in mask.generator[r]
            )
            word = int(BOOK.words_of(np.array([planes[r]], np.uint64), np.dtype(np.uint8))[0]) if kept else 0
            for position, difference in zip(
                tensor.patches.positions, tensor.patches.differences, strict=True
            ):
                if position == t * N_OUT + r:
                    word ^= int(difference)
            weights |= word << (4 * r)
        assert streams["m_axis"][t] & ((1 << 4 * N_OUT) - 1) == weights
        assert (
            streams["m_axis"][t] >> 4 * N_OUT
            == int(t % SEGMENT == 0) | int(t % SEGMENT == SEGMENT - 1 or t == BLOCKS - 1) << 1
        )


def test_the_mask_of_prefix_coded_words_is_folded_where_the_codeword_of_zeros_is_the_word_0() -> None:
    assert config_for(stored(ZERO, "shaped")).masked_groups == 2
    assert config_for(stored(ZERO, "book")).masked_groups == 2
    assert config_for(stored(ZERO, "none")).masked_groups == 0
    assert config_for(stored(BOOK, "shaped")).masked_groups == 0
    assert config_for(stored(ZERO, "bitmap"), max_depth=2).masked_groups == 0


def test_the_mask_of_a_book_is_that_of_a_decoder_written_out() -> None:
    """The mask that words are compared under, against loops over bits."""
    tensor = stored(BOOK, "book")
    coder = tensor.mask_coder
    assert isinstance(coder, BookMask)
    config = config_for(tensor)
    assert config.kind_of_mask is not None
    words, mask = config.kind_of_mask.words(coder, N_OUT, BLOCKS, SEGMENT)
    for t in range(BLOCKS):
        start = t // SEGMENT * SEGMENT
        planes, at = ["", ""], 0
        for group in coder.groups:
            code, width = group.code, group.end - group.first
            for b in range(code.n_in):
                assert words[t] >> (at + b * width) & ((1 << width) - 1) == int(group.symbols[t, b])
            at += width * code.n_in
            for q in reversed(range(width)):
                window = [
                    int(group.symbols[t - age, b]) >> q & 1 if t - age >= start else 0
                    for age in range(code.n_s + 1)
                    for b in range(code.n_in)
                ]
                for p in range(2):
                    taps = code.generator[p].tolist()
                    planes[p] += str(sum(g & x for g, x in zip(taps, window, strict=True)) & 1)
        names = {"0": 0, "100": 1, "101": 2, "110": 4, "1110": 8}
        for p in range(2):
            read = [pattern for codeword, pattern in names.items() if planes[p].startswith(codeword)]
            pattern = read[0] if read else int(planes[p][4:], 2)
            got = mask[t * N_OUT + 4 * p : t * N_OUT + 4 * p + 4].tolist()
            assert got == [bool(pattern >> i & 1) for i in range(4)]


@pytest.mark.parametrize("kind", ["shaped", "book"])
def test_a_false_word_is_seen(kind: str) -> None:
    tensor = stored(BOOK, kind)
    config = config_for(tensor)
    streams = decoder_words(config, tensor)
    assert config.kind_of_mask is not None
    streams["s_axis_mask"][3] ^= (1 << config.kind_of_mask.width(N_OUT)) - 1
    assert run(config, streams, stall=0.0) != streams["m_axis"]


def test_two_patches_in_a_lane_are_refused() -> None:
    patches = Patches(np.array([1, 5, 10]), np.array([1, 2, 3], np.uint8))
    assert LanePatches(4).needed(patches, 8, 2) == 8
    with pytest.raises(InputError, match="at most one patch in each of 4 lanes"):
        LanePatches(4).words(patches, 8, 4, 2)
    assert LanePatches(4).needed(Patches(np.array([1, 6, 9]), patches.differences), 8, 2) == 2


def test_what_does_not_go_together_is_refused() -> None:
    tensor = stored(BOOK, "shaped")
    whole = config_for(tensor)
    with pytest.raises(InputError, match="the groups must have 7 planes together, not 4"):
        DecoderConfig(groups=whole.groups[:3], kind_of_words=whole.kind_of_words)
    with pytest.raises(InputError, match="a decoder must have at least one group"):
        DecoderConfig(groups=(), kind_of_words=whole.kind_of_words)
    tensor.mask_coder.code = ShapedMaskCode(n_in=4, n_out=7, parities=2, window=9, taps=4)
    with pytest.raises(InputError, match="n_out of the mask's code must be that of the values, 8, not 7"):
        config_for(tensor)
    with pytest.raises(InputError, match="patches_per_block must be at least 2 for this tensor, not 1"):
        config_for(stored(BOOK, "none"), patches_per_block=1)
    with pytest.raises(
        InputError, match="the kind of patches must be one of auto, list, lanes, gap, bounded, not 'all'"
    ):
        config_for(tensor, patches="all")
    with pytest.raises(InputError, match="must have one group of planes for this, not 4"):
        _ = whole.code
