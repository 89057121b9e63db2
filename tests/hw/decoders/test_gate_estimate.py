"""The estimate of gates against synthesis: figures of `synthesize` (Yosys 0.70, generic cells), one made anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hw.decoders.gate_cases import CASES
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.gate_estimate import decoder_gates
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.synth.flow.synthesis import synthesize

SYNTHESISED = {
    "paper, one plane, bitmap": 894.5,
    "paper, four planes, a patch": 4851.25,
    "chain, bitmap": 3090.25,
    "chain, no mask, pipeline": 6720.5,
    "chain, difference": 3474.25,
    "chain, negated, two patches": 7057.5,
    "chain, gaps": 5887.0,
    "chain, bounded, skids, guard": 5183.0,
    "chain, inversion port": 3318.25,
    "graph, bitmap": 1926.25,
    "graph, a constant plane, inversion": 2342.0,
    "prefix, bitmap": 5902.0,
    "prefix, shaped": 7871.25,
    "prefix, shaped, gaps": 14668.75,
    "prefix, pattern book": 7694.5,
    "prefix, book of long patterns": 7908.25,
    "prefix, book of all patterns": 11241.25,
    "prefix, no mask, bounded": 7792.25,
    "prefix, no mask, list": 7687.75,
    "prefix, mask in the codeword": 8740.0,
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_estimate_is_within_fifteen_percent(name: str) -> None:
    found = decoder_gates(CASES[name]())
    assert found.gate_equivalents == pytest.approx(SYNTHESISED[name], rel=0.15)
    assert found.per_weight == pytest.approx(sum(found.parts.values()) / found.n_out)


def test_a_figure_is_what_synthesis_says_today(tmp_path: Path) -> None:
    name = "chain, bitmap"
    source = tmp_path / "decoder.v"
    source.write_text(amaranth_verilog(AxisDecoder(CASES[name]()), "decoder"))
    made = synthesize([source], "decoder").gate_equivalents
    assert made is not None
    assert made == pytest.approx(SYNTHESISED[name], rel=0.02)
    assert decoder_gates(CASES[name]()).gate_equivalents == pytest.approx(made, rel=0.15)
