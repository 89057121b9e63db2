"""Every form that generate writes equals its reference, and every part of the reference is needed for that.

Netlists are the generated Verilog itself here, not mapped: mapping is what the tests of the proof have.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.parallel_segments import ParallelSegments
from xorweave.hw.decoders.plane_serial_stages import PlaneSerialStages
from xorweave.hw.package.verilog import structured_verilog
from xorweave.hw.stages.mask_kinds import BitmapWords, BookWords, ShapedWords
from xorweave.hw.stages.patch_kinds import ListPatches
from xorweave.hw.stages.word_kinds import PrefixWords
from xorweave.hw.xor.group import XorGroup
from xorweave.synth.proof.proof import judge_equivalence, prove_contract
from xorweave.synth.proof.reference import reference_verilog
from xorweave.synth.proof.shape import DecoderShape, MaskBook, MaskParities, WordBook, code_from_rows

CODE = Code.uniform(n_in=4, n_out=12, n_s=2, seed=3)
TAIL = Code.uniform(n_in=3, n_out=12, n_s=1, seed=5)
SHAPED = ShapedMaskCode(n_in=4, n_out=12, parities=2, window=9, taps=4)
BOOK = PrefixCode(4, "negated", np.array([2, 2, 3, 4]), np.array([-1, 2, 1, 0]), np.array([0, 1, 1, 1]))
PLAIN_BOOK = WordBook("negated", (2, 2, 3, 4), (-1, 2, 1, 0), (0, 1, 1, 1))

PATTERNS = PatternBook(4, (1, 0, 3, 2))
MASK_GROUPS = (
    (1, Code.from_family("identity", n_in=3, n_out=3, n_s=0)),
    (2, Code.uniform(n_in=2, n_out=3, n_s=1, seed=1)),
    (1, Code.uniform(n_in=1, n_out=3, n_s=4, seed=2)),
    (4, Code.uniform(n_in=1, n_out=3, n_s=2, seed=3)),
)
PLAIN_PATTERNS = MaskBook(4, (1, 0, 3, 2), False, MASK_GROUPS)


def raw(kind: type = AxisDecoder, *more: int, **options: object) -> str:
    config = DecoderConfig.raw(code=CODE, **{"n_w": 2, **options})
    return structured_verilog(kind(config, *more), "top", header="x")


def shape(**options: object) -> DecoderShape:
    return DecoderShape(**{"code": CODE, "n_w": 2, "mask": True, "input_register": True, **options})


def compressed(*, mask: str, input_register: bool, max_depth: int | None = None) -> str:
    masks = {
        "bitmap": BitmapWords(),
        "shaped": ShapedWords(SHAPED),
        "book": BookWords(PATTERNS, tuple(XorGroup(planes, code) for planes, code in MASK_GROUPS)),
        "inverted": BookWords(
            PatternBook(2, (1, 1, 2), inverted=True),
            (
                XorGroup(1, Code.from_family("identity", n_in=6, n_out=6, n_s=0)),
                XorGroup(1, Code.uniform(n_in=2, n_out=6, n_s=2, seed=4)),
                XorGroup(1, Code.uniform(n_in=1, n_out=6, n_s=3, seed=5)),
            ),
        ),
    }
    config = DecoderConfig(
        groups=(XorGroup(BOOK.planes - 2, CODE, None), XorGroup(2, TAIL, None)),
        kind_of_words=PrefixWords(BOOK),
        kind_of_mask=masks[mask],
        kind_of_patches=ListPatches(1),
        input_register=input_register,
        max_depth=max_depth,
    )
    return structured_verilog(AxisDecoder(config), "top", header="x")


PREFIX = {
    "n_w": 4,
    "groups": ((BOOK.planes - 2, CODE), (2, TAIL)),
    "book": PLAIN_BOOK,
    "patches_per_block": 1,
}
PARITIES = MaskParities(4, SHAPED.generator)

FORMS = {
    "lists": (
        lambda: raw(n_w=3, patches_per_block=2, transform="difference", inversion=5),
        shape(n_w=3, patches_per_block=2, transform="difference", inversion=5),
    ),
    "pipeline": (lambda: raw(max_depth=2), shape(stages=2)),
    "long pipeline": (
        lambda: raw(max_depth=1, output_register=True),
        shape(stages=4, output_register=True),
    ),
    "rates": (lambda: raw(rates=(2, 3, 4), inversion=None), shape(rates=(2, 3, 4), inversion=None)),
    "rates, no register": (
        lambda: raw(rates=(2, 4), input_register=False),
        shape(rates=(2, 4), input_register=False),
    ),
    "block lengths": (
        lambda: raw(block_lengths=True, mask=True, inversion=None, patches_per_block=1),
        shape(block_lengths=True, mask=True, inversion=None, patches_per_block=1),
    ),
    "block lengths, buffered pipeline": (
        lambda: raw(block_lengths=True, mask=True, max_depth=2, skid_buffers=True, length_bits=4),
        shape(block_lengths=True, mask=True, stages=2, skid_buffers=True, length_bits=4),
    ),
    "guard": (lambda: raw(length_bits=6), shape(length_bits=6)),
    "wide guard": (
        lambda: raw(length_bits=20, skid_buffers=True, output_register=True),
        shape(length_bits=20, skid_buffers=True, output_register=True),
    ),
    "gaps": (lambda: raw(patches_per_block=2, gap_bits=4), shape(patches_per_block=2, gap_bits=4)),
    "gaps, buffered": (
        lambda: raw(patches_per_block=3, gap_bits=2, skid_buffers=True),
        shape(patches_per_block=3, gap_bits=2, skid_buffers=True),
    ),
    "bounded": (lambda: raw(patches_per_block=2, bounded=True), shape(patches_per_block=2, bounded=True)),
    "segments": (
        lambda: raw(ParallelSegments, 3, patches_per_block=1),
        shape(segments=3, patches_per_block=1),
    ),
    "plane-serial": (
        lambda: raw(PlaneSerialStages, n_w=3, patches_per_block=2, inversion=5),
        shape(n_w=3, patches_per_block=2, inversion=5, plane_serial=True),
    ),
    "prefix": (
        lambda: compressed(mask="bitmap", input_register=False),
        shape(**PREFIX, input_register=False),
    ),
    "prefix and shaped": (
        lambda: compressed(mask="shaped", input_register=True),
        shape(**PREFIX, mask_code=PARITIES),
    ),
    "prefix and shaped, pipelined": (
        lambda: compressed(mask="shaped", input_register=True, max_depth=2),
        shape(**PREFIX, mask_code=PARITIES, stages=2),
    ),
    "prefix and pattern book": (
        lambda: compressed(mask="book", input_register=False),
        shape(**PREFIX, mask_code=PLAIN_PATTERNS, input_register=False),
    ),
    "prefix and pattern book, registered": (
        lambda: compressed(mask="book", input_register=True, max_depth=2),
        shape(**PREFIX, mask_code=PLAIN_PATTERNS, stages=2),
    ),
    "prefix and book of inverted patterns": (
        lambda: compressed(mask="inverted", input_register=True),
        shape(
            **PREFIX,
            mask_code=MaskBook(
                2,
                (1, 1, 2),
                True,
                (
                    (1, Code.from_family("identity", n_in=6, n_out=6, n_s=0)),
                    (1, Code.uniform(n_in=2, n_out=6, n_s=2, seed=4)),
                    (1, Code.uniform(n_in=1, n_out=6, n_s=3, seed=5)),
                ),
            ),
        ),
    ),
}


def verdict(text: str, wanted: DecoderShape, folder: Path, timeout_s: float = 60) -> str:
    (folder / "netlist.v").write_text(text)
    return judge_equivalence(folder / "netlist.v", "top", wanted, timeout_s=timeout_s).outcome


@pytest.mark.parametrize("form", FORMS)
def test_form_equals_its_reference(form: str, tmp_path: Path) -> None:
    make, wanted = FORMS[form]
    assert verdict(make(), wanted, tmp_path) == "proved"


# A fault in the reference of a form (played as the netlist): each must be refuted.
MUTANTS = [
    ("pipeline", "full1 <= full", "full1 <= full | full1"),
    ("pipeline", "last1 <= x_last", "last1 <= x_first"),
    ("rates", "symbol = given & 8'd15", "symbol = given & 8'd31"),
    ("rates", "start ? s_axis_rate : rate_kept", "s_axis_rate"),
    ("rates", "if (take & start) inversion_kept", "if (take) inversion_kept"),
    ("block lengths", "block_length > 2", "block_length > 1"),
    ("block lengths", "if (take & start) block_length_kept0", "if (take) block_length_kept0"),
    (
        "block lengths, buffered pipeline",
        "block_length = block_length_kept1",
        "block_length = block_length_kept0",
    ),
    ("guard", "given = filling ? 0 :", "given ="),
    ("guard", "too_many <= whole & !filling & !end_mark", "too_many <= 0"),
    ("guard", "under_way <= !whole", "under_way <= !whole & !end_mark"),
    ("guard", "long_seen <= 1", "long_seen <= 0"),
    ("guard", "short_seen <= 1", "short_seen <= 0"),
    ("guard", "if (stream_clear)", "if (0)"),
    ("gaps", "origin <= 0; overflow <= 0;", "overflow <= 0;"),
    ("gaps", "if (late) overflow <= 1", "if (0) overflow <= 1"),
    ("gaps", "origin <= moved - 12", "origin <= moved - 11"),
    ("gaps", "if (place == 11) whole = 1;", ""),
    ("gaps", "ended <= s_axis_patch_tlast", "ended <= 0"),
    ("bounded", "list[k * 7 +: 7]", "list[0 * 7 +: 7]"),
    ("bounded", "level >= s_axis_count_d", "level + 1 >= s_axis_count_d"),
    ("segments", "s_axis_tdata[8 +: 8]", "s_axis_tdata[0 +: 8]"),
    (
        "segments",
        "m_axis_tdata[48 +: 24]), .m_axis_tready(m_axis_tready)",
        "m_axis_tdata[48 +: 24]), .m_axis_tready(1'b1)",
    ),
    ("plane-serial", "x_first ? 0 : turn", "turn"),
    ("plane-serial", "fresh_planes <= start ? 2", "fresh_planes <= start ? 1"),
    ("plane-serial", "& m_axis_tready & final", "& m_axis_tready"),
    ("plane-serial", "if (plane == 2) planes = ~planes", "if (plane == 1) planes = ~planes"),
    ("prefix", "? -size : size", "? ~size : size"),
    ("prefix", "4'b1010", "4'b1011"),
    ("prefix", "start ? {6{1'b0}} : x1", "x1"),
    ("prefix and shaped", "block_first ? {8{1'b0}} : mask_x", "mask_x"),
    ("prefix and shaped", "assign keep[3] = (", "assign keep[3] = ~("),
    ("prefix and shaped", "repaired = masked;", "repaired = words;"),
    # a row of a group's matrix, a wrong pattern, a codeword of another length, an escape that is none, a history
    ("prefix and pattern book", "assign mask_planes[12] = ", "assign mask_planes[12] = mask_seen2[0] ^ "),
    ("prefix and pattern book", "kept = 4'd2;", "kept = 4'd1;"),
    ("prefix and pattern book", "if (bits[7:5] == 3'b101)", "if (bits[7:6] == 2'b10)"),
    ("prefix and pattern book", "kept = bits[3:0];", "kept = 0;"),
    ("prefix and pattern book", "block_first ? 4'd0 : mask_x1", "mask_x1"),
    ("prefix and pattern book", "if (s_axis_mask_v & s_axis_mask_r) mask_x2", "mask_x2"),
    ("prefix and book of inverted patterns", "kept = 2'd3;", "kept = 2'd0;"),
]


# Those that take a minute each to refute.
LONG = {
    "if (place == 11) whole = 1;", "block_first ? {8{1'b0}} : mask_x", "repaired = masked;", "? -size : size",
    "level >= s_axis_count_d", "assign keep[3] = (", "origin <= moved - 12", "assign mask_planes[12] = ",
    "kept = 4'd2;", "if (bits[7:5] == 3'b101)", "kept = bits[3:0];",
    "if (s_axis_mask_v & s_axis_mask_r) mask_x2", "kept = 2'd3;",
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        pytest.param(
            *mutant,
            marks=pytest.mark.skipif(
                mutant[1] in LONG and "XORWEAVE_SLOW" not in os.environ,
                reason="takes a minute to refute: make test-slow runs it (XORWEAVE_SLOW=1)",
            ),
        )
        for mutant in MUTANTS
    ],
)
def test_faults_are_refuted(form: str, right: str, wrong: str, tmp_path: Path) -> None:
    _, wanted = FORMS[form]
    text = reference_verilog(wanted, "top")
    assert right in text
    assert verdict(text.replace(right, wrong), wanted, tmp_path) == "failed"


@pytest.mark.parametrize(
    "form", ["long pipeline", "plane-serial", "prefix and shaped, pipelined", "segments"]
)
def test_the_contract_holds_for_what_is_behind_the_streams(form: str) -> None:
    assert prove_contract(FORMS[form][1]) == "proved"


def test_codewords_are_those_of_the_book() -> None:
    bits = [
        format(int(code), "04b")[:length] for code, length in zip(BOOK.first_codes, BOOK.lengths, strict=True)
    ]
    assert PLAIN_BOOK.codewords == bits
    assert PLAIN_BOOK.planes == BOOK.planes


def test_patterns_are_those_of_the_book() -> None:
    for book in (PATTERNS, PatternBook(4, (1, 0, 3, 2), inverted=True), PatternBook(3, (1, 0, 3, 0, 4))):
        entries = MaskBook(book.m, book.counts, book.inverted, ()).entries
        bits = [
            format(int(code), f"0{book.depth}b")[:length]
            for code, length in zip(book.first_codes, book.lengths, strict=True)
        ]
        assert [codeword for codeword, _ in entries] == bits
        named = [pattern for _, pattern in entries]
        assert named == [*book.patterns.tolist(), *[None] * book.escapes]


def test_code_of_rows_is_the_code() -> None:
    rows = [sum(int(bit) << c for c, bit in enumerate(row)) for row in CODE.generator]
    assert code_from_rows(rows, n_in=4, n_s=2).check_value == CODE.check_value


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(InputError, match="n_w must be at least 1"):
        reference_verilog(replace(shape(), n_w=0))
    with pytest.raises(InputError, match="the transform must be one of"):
        reference_verilog(replace(shape(), transform="other"))
