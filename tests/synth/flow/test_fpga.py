"""FPGA netlists: a parity takes the one table four inputs fill, and what is counted is proved to be the decoder."""

import re

import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import decoder_verilog
from xorweave.synth.flow.fpga import FAMILIES, count_luts, count_memories, map_to_fpga
from xorweave.synth.proof.proof import prove_equivalent
from xorweave.synth.proof.shape import DecoderShape


@pytest.mark.parametrize("family", FAMILIES)
def test_registered_parity_of_four_takes_one_lut(family, tmp_path):
    source = tmp_path / "parity.v"
    source.write_text(
        "module top (input clk, input [3:0] x, output reg y); always @(posedge clk) y <= ^x; endmodule"
    )
    result = count_luts([source], "top", family)
    assert (result.luts, result.flip_flops) == (1, 1)
    assert result.fmax_mhz is None and result.equivalence == "not run"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_table_read_at_the_clock_takes_a_block_memory(family, tmp_path):
    rows = "".join(f"rows[{k}] = 16'd{k * 40503 % 65536}; " for k in range(1024))
    source = tmp_path / "table.v"
    source.write_text(
        f"module top (input clk, input [9:0] a, output reg [15:0] y); reg [15:0] rows [0:1023];"
        f" initial begin {rows} end always @(posedge clk) y <= rows[a]; endmodule"
    )
    result = count_luts([source], "top", family)
    assert 1 <= count_memories(result) <= 4 and result.luts < 40


@pytest.mark.parametrize("family", FAMILIES)
def test_netlist_is_proved_and_one_flipped_lut_bit_is_caught(family, tmp_path):
    code = Code.uniform(n_in=3, n_out=9, n_s=1, seed=3)
    options = {"n_w": 2, "patches_per_block": 1, "mask": True, "input_register": True}
    source = tmp_path / "decoder.v"
    source.write_text(decoder_verilog(DecoderConfig.raw(code=code, **options), "top"))
    map_to_fpga([source], "top", family, tmp_path)
    shape, netlist = DecoderShape(code=code, **options), tmp_path / "netlist.v"
    models = FAMILIES[family].models
    assert prove_equivalent(netlist, "top", shape, models=models) == "proved"
    text = netlist.read_text()
    # the table of the last LUT: every function of its inputs that the decoder can see matters
    table = list(re.finditer(r"\.(?:LUT_)?INIT\((\d+)'h([0-9a-f]+)\)", text))[-1]
    bits, value = int(table[1]), int(table[2], 16)
    wrong = f"{bits}'h{value ^ ((1 << bits) - 1):x}"
    netlist.write_text(
        text[: table.start()] + table[0].replace(f"{table[1]}'h{table[2]}", wrong) + text[table.end() :]
    )
    assert prove_equivalent(netlist, "top", shape, models=models) == "failed"


def test_unknown_family_is_refused(tmp_path):
    with pytest.raises(InputError, match="FPGA family must be one of"):
        count_luts([], "top", "max10")
