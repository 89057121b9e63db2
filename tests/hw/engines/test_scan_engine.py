"""What the scan engine is made of, and its Verilog behind a decoder; tests/sim/test_scan_run.py runs it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from amaranth.hdl import Fragment

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.engines.scan_engine import ScanEngine, ScanEngineConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.hw.package.decoded_product import decoded_product

# Widths of constants, carries that nobody asks for and initial values are written so by Amaranth's back end.
_STYLE = {"WIDTHEXPAND", "WIDTHTRUNC", "UNUSEDSIGNAL", "PROCASSINIT"}


def _config(**more: object) -> ScanEngineConfig:
    fields = {"scan": Interleaver(35, 8, 3), "shape": (5, 7), "n_out": 10, "lanes": 4, **more}
    return ScanEngineConfig(**fields)  # type: ignore[arg-type]


def test_ports_and_memories() -> None:
    config = _config(batch=3)
    engine = ScanEngine(config)
    Fragment.get(engine, None)
    assert not any(name.startswith("trace") for name in engine.signature.members)
    assert (len(engine.s_axis_tdata), len(engine.s_axis_x_tdata), len(engine.m_axis_tdata)) == (80, 24, 96)
    assert config.memory_bits == {"activations": 4 * 7 * 3 * 8, "accumulators": 4 * 5 * 3 * 32}
    assert (config.blocks, config.block_cycles, config.short) == (4, 3, 2)
    assert (_config(lanes=5).block_cycles, _config(lanes=5).short) == (2, 5)


def test_the_linter_finds_no_fault_behind_any_decoder(lint: Callable[[str, str], str]) -> None:
    scan = LaneLayout(rows=9, cols=7, lanes=3, interleave=2, start_column=1, lead=2)
    values = np.random.default_rng(0).integers(-128, 128, (9, 7)).astype(np.int8)
    tensor = encode_tensor(
        values, number_format("int8"), Code.uniform(n_in=3, n_out=10, n_s=1), mask=values > 60, scan=scan
    )
    decoder = config_for(tensor, patches="gap", gap_bits=4)
    config = _config(scan=scan, shape=(9, 7), lanes=3)
    for traced in (config, replace(config, trace=True)):
        text, _ = decoded_product(decoder, traced)
        said = lint(text, "top")
        assert set(re.findall(r"^%\w+-(\w+)", said, re.MULTILINE)) <= _STYLE, said
        # nothing at all is said of the decoder, nor of what joins it to the engine
        lines = [int(line) for line in re.findall(r"^%.*?lint\.v:(\d+):", said, re.MULTILINE)]
        first = decoder_verilog(decoder).count("\n")
        last = text[: text.index("module top (")].count("\n")
        assert all(first < line <= last for line in lines)
