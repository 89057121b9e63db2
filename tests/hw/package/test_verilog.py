"""The Verilog for people says what Amaranth's back end says: proved, not looked at."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tests.hw.package.plain import Plain
from xorweave.golden.code.code import Code
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.walk import walk_of
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.decoders.plane_serial import PlaneSerialDecoder
from xorweave.hw.decoders.rate_programmable import RateProgrammableDecoder
from xorweave.hw.engines.address_generator import AddressGenerator
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.package.verilog import amaranth_verilog, structured_verilog
from xorweave.hw.rivals.bitmap_expander import BitmapExpander
from xorweave.hw.rivals.huffman import HuffmanLane
from xorweave.hw.rivals.relative_index import RelativeIndexDecoder
from xorweave.hw.stages.gap_correction import BoundedUnpacker, GapUnpacker
from xorweave.hw.stages.mask_kinds import BookWords
from xorweave.hw.stages.stream_guard import StreamGuard
from xorweave.hw.xor.group import XorGroup

CODES = {
    "n_s=0": Code.uniform(n_in=4, n_out=9, n_s=0, seed=1),
    "n_s=2": Code.uniform(n_in=3, n_out=7, n_s=2, seed=2),
    "chain": Code.from_family("chain", n_in=2, n_out=11, n_s=3, taps=1, run=4, seed=0),
    "one": Code.uniform(n_in=1, n_out=1, n_s=1, seed=3),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "patches_per_block": 1,
        "inversion": None,
        "output_register": True,
        "skid_buffers": True,
    },
    "dense corrections": {"patches_per_block": 7},
    "difference": {"transform": "difference", "mask": False},
    "sign-magnitude": {"transform": "sign-magnitude"},
    "gaps and guard": {"patches_per_block": 1, "gap_bits": 3, "length_bits": 3},
    "pipeline": {"max_depth": 1},
    "no registers": {"input_register": False, "inversion": 5, "mask": False},
}


def _config(code: Code, options: dict[str, Any]) -> DecoderConfig:
    patches = min(code.n_out, options.get("patches_per_block", 0))
    return DecoderConfig.raw(code=code, n_w=3, **{**options, "patches_per_block": patches})


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize(
    "code", [CODES["n_s=0"], CODES["n_s=2"], CODES["chain"]], ids=["n_s=0", "n_s=2", "chain"]
)
def test_structured_verilog_equals_amaranth_back_end(
    equivalent: Callable[[str, str, str], bool], code: Code, options: dict[str, Any]
) -> None:
    config = _config(code, options)
    ours = decoder_verilog(config, "dec")
    reference = amaranth_verilog(AxisDecoder(config), "dec")
    assert equivalent(reference, ours, "dec")


def test_one_flipped_tap_is_refuted(equivalent: Callable[[str, str, str], bool]) -> None:
    code = CODES["n_s=2"]
    flipped = code.generator.copy()
    flipped[3, 5] ^= 1
    other = Code(n_in=code.n_in, n_out=code.n_out, n_s=code.n_s, generator=flipped)
    ours = decoder_verilog(DecoderConfig.raw(code=other, n_w=2), "dec")
    reference = amaranth_verilog(AxisDecoder(DecoderConfig.raw(code=code, n_w=2)), "dec")
    assert not equivalent(reference, ours, "dec")


class _Everything(wiring.Component):
    """A little of every construct the writer knows, with the widths that Verilog would get wrong by itself."""

    a: In(4)
    b: In(3)
    y: Out(8)
    z: Out(8)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(4, init=5)
        total = Signal(5)
        m.d.sync += count.eq(count + 1)
        m.d.comb += total.eq(self.a + self.b)
        with m.If((self.a + self.b) == 17):  # the carry must not be lost in the comparison
            m.d.sync += count.eq(self.b)
        with m.Elif(~self.b == 0):
            m.d.sync += count.eq(count - self.b)
        with m.Switch(self.b):
            with m.Case(0, 3):
                m.d.comb += self.y.eq(Cat(self.a, ~self.a))
            with m.Case("1-0"):
                m.d.comb += self.y.eq(Mux(self.a[0], total, count)[1:4])
            with m.Default():
                m.d.comb += self.y[2:5].eq((self.a ^ self.b)[1:])
        m.d.comb += self.z.eq(Cat(self.a >> self.b[:2], self.a.any(), self.a < Const(9), total[0], total[4]))
        return m


def test_writer_keeps_amaranth_widths(
    equivalent: Callable[[str, str, str], bool], lint: Callable[[str, str], str]
) -> None:
    text = structured_verilog(_Everything(), "all_of_it")
    assert equivalent(amaranth_verilog(_Everything(), "all_of_it"), text, "all_of_it")
    assert lint(text, "all_of_it") == ""


class _Signed(wiring.Component):
    a: In(4)
    y: Out(8)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.y.eq(self.a.as_signed() < Const(-3, 4))
        return m


def test_what_the_writer_does_not_know_is_refused() -> None:
    with pytest.raises(NotImplementedError):
        structured_verilog(_Signed(), "signed")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
@pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())
def test_verilator_has_nothing_to_say(
    lint: Callable[[str, str], str], code: Code, options: dict[str, Any]
) -> None:
    assert lint(decoder_verilog(_config(code, options), "dec"), "dec") == ""


PIECES: dict[str, Callable[[], wiring.Component]] = {
    "guard": lambda: StreamGuard(3, 2, 4),
    "addresses": lambda: AddressGenerator(walk_of(Interleaver(7 * 13, 37, 5), (7, 13)), 4, short=3),
    "addresses of lanes": lambda: AddressGenerator(
        walk_of(LaneLayout(rows=17, cols=7, lanes=3, interleave=2, start_column=4, lead=5), (17, 7)), 2
    ),
    "plane-serial": lambda: PlaneSerialDecoder(CODES["n_s=2"], 3),
    "gaps": lambda: GapUnpacker(7, 3, 4, 2),
    "bounded": lambda: BoundedUnpacker(7, 3, 2),
    "rates": lambda: RateProgrammableDecoder(CODES["n_s=2"], (1, 3), 2),
    "bitmap": lambda: BitmapExpander(7, 3, 2),
    "relative index": lambda: RelativeIndexDecoder(7, 3, 2),
    "huffman": lambda: HuffmanLane({0: 1, 1: 2, 2: 3, 3: 3}, 4),
}


@pytest.mark.parametrize("make", PIECES.values(), ids=PIECES.keys())
def test_every_component_is_written_right_and_clean(
    equivalent: Callable[[str, str, str], bool],
    lint: Callable[[str, str], str],
    make: Callable[[], wiring.Component],
) -> None:
    text = structured_verilog(Plain(make()), "piece")
    assert lint(text, "piece") == ""
    assert equivalent(amaranth_verilog(Plain(make()), "piece"), text, "piece")


def test_a_pattern_book_is_written_right_and_clean(
    equivalent: Callable[[str, str, str], bool], lint: Callable[[str, str], str]
) -> None:
    groups = (
        XorGroup(1, Code.from_family("identity", n_in=3, n_out=3, n_s=0)),
        *(XorGroup(planes, Code.uniform(n_in=2, n_out=3, n_s=2, seed=planes)) for planes in (2, 1, 4)),
    )
    config = replace(
        _config(Code.uniform(n_in=3, n_out=12, n_s=2, seed=2), {}),
        kind_of_mask=BookWords(PatternBook(4, (1, 0, 3, 2)), groups),
    )
    text = decoder_verilog(config, "dec")
    assert lint(text, "dec") == ""
    assert equivalent(amaranth_verilog(AxisDecoder(config), "dec"), text, "dec")
    assert "Codewords of 1, 2, ... bits: 1, 0, 3, 2." in text


def test_unused_columns_and_empty_rows(lint: Callable[[str, str], str]) -> None:
    generator = np.zeros((3, 4), np.uint8)
    generator[0, 1] = generator[2, 1] = generator[2, 2] = 1
    code = Code(n_in=2, n_out=3, n_s=1, generator=generator)
    assert lint(decoder_verilog(DecoderConfig.raw(code=code, n_w=2), "dec"), "dec") == ""


def test_same_bytes_every_time_and_plain_verilog_2001() -> None:
    config = DecoderConfig.raw(code=CODES["n_s=2"], n_w=4, patches_per_block=2, inversion=None)
    text = decoder_verilog(config)
    assert text == decoder_verilog(config)
    assert not re.search(r"\\|\(\*|\blogic\b|\balways_|\bsrc\b", text)
    assert config.code.check_value in text.split("module")[0]
    assert config.code.spec in text.split("module")[0]
