"""Place and route: the decoder that was counted is what is placed, and its clock is read from nextpnr's report."""

import json
from collections import Counter

import pytest

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import random_tensor
from xorweave.synth.decoder_package import synthesize_decoder
from xorweave.synth.flow import place_route
from xorweave.synth.flow.fpga import map_to_fpga
from xorweave.synth.flow.place_route import Device, available, harness_verilog, place_and_route, read_fmax
from xorweave.synth.flow.yosys import run_yosys


@pytest.fixture
def decoder(tmp_path):
    tensor = random_tensor(Code.uniform(n_in=3, n_out=8, n_s=1, seed=3), number_format("int4"), blocks=4)
    write_package(tmp_path / "decoder", config_for(tensor), tensor)
    return tmp_path / "decoder"


def test_harness_lets_every_port_through(tmp_path):
    """Bit-wise NOT between the registers: what is scanned in comes out as the parity of its complement, in time."""
    ports = [("input", "a", 2), ("input", "b", 1), ("output", "y", 3)]
    text = harness_verilog(ports, "flip")
    text += "module flip (input clk, input [1:0] a, input b, output [2:0] y); assign y = ~{b, a}; endmodule\n"
    text += """
module check (input clk, input scan, output bad);
  wire seen; harness dut (clk, scan, seen);
  reg [4:0] past = 0; reg [2:0] age = 0;
  always @(posedge clk) begin past <= {past[3:0], scan}; if (age != 7) age <= age + 1; end
  assign bad = age == 7 && seen !== ~(past[2] ^ past[3] ^ past[4]);
endmodule
"""
    (tmp_path / "check.v").write_text(text)
    log = run_yosys(
        "read_verilog check.v\nprep -flatten -top check\nasync2sync\n"
        "sat -tempinduct -set-init-undef -set-def-inputs -prove bad 0 -verify\n",
        tmp_path,
    )
    assert "proof finished - success" in log.lower() or "induction step proven" in log.lower()


def test_report_is_read_and_one_without_a_clock_refused():
    report = {"fmax": {"clk": {"achieved": 101.5, "constraint": 12.0}, "other": {"achieved": 99.0}}}
    assert read_fmax(json.dumps(report)) == 99.0
    with pytest.raises(ToolError, match="nextpnr reported no clock"):
        read_fmax("{}")


def test_without_the_extra_luts_stay_and_the_note_names_it(decoder, monkeypatch):
    monkeypatch.setattr(place_route, "available", lambda family: False)
    result = synthesize_decoder(decoder, target="ice40", prove=False)
    assert result.luts and result.flip_flops
    assert result.fmax_mhz is result.fmax_mhz_by_seed is result.device is None
    (note,) = result.notes
    assert "pip install '.[pnr]'" in note and "\n" not in note


def test_other_families_and_numbers_of_seeds_are_refused(decoder, tmp_path):
    with pytest.raises(InputError, match="must be one of ice40, ecp5, gowin, not 'xilinx'"):
        place_and_route(tmp_path, "top", "xilinx", seeds=[1])
    with pytest.raises(InputError, match="between 0 and 99, not -1"):
        synthesize_decoder(decoder, target="ice40", seeds=-1)


@pytest.mark.parametrize("family", ["ice40", "ecp5", "gowin"])
def test_what_was_counted_is_placed_as_it_is(decoder, tmp_path, family):
    if not available(family):
        pytest.skip(f"nextpnr for {family} is not installed: pip install '.[pnr]'")
    (source,) = (decoder / "rtl").glob("*.v")
    counted = map_to_fpga([source], "xorweave_decoder", family, tmp_path)
    seeds = {"ice40": [1, 2]}.get(family, [1])
    placement = place_and_route(tmp_path, "xorweave_decoder", family, seeds=seeds)
    assert len(placement.fmax_mhz) == len(seeds)
    assert min(placement.fmax_mhz) <= placement.median_mhz <= max(placement.fmax_mhz)
    # with the harness' own registers and XORs, all that is placed is what was counted
    ports = [p for name, p in _ports(tmp_path, "xorweave_decoder").items() if name != "clk"]
    n_in, n_out = (sum(len(p["bits"]) for p in ports if p["direction"] == way) for way in ("input", "output"))
    tree = [n_out]
    while tree[-1] > 1:
        tree.append(-(-tree[-1] // 4))
    cells = json.loads((tmp_path / "placed.json").read_text())["modules"]["harness"]["cells"].values()
    placed = Counter(cell["type"] for cell in cells)
    lut, flip_flop = {
        "ice40": ("SB_LUT4", "SB_DFF"), "ecp5": ("LUT4", "TRELLIS_FF"), "gowin": ("LUT", "DFF"),
    }[family]  # fmt: skip
    luts, flip_flops = (
        sum(number for kind, number in placed.items() if kind.startswith(begin)) for begin in (lut, flip_flop)
    )
    assert flip_flops == counted.flip_flops + n_in + sum(tree)
    alone = sum(below % 4 == 1 for below in tree[:-1])  # an XOR of one needs no table
    assert luts == counted.luts + sum(tree[1:]) - alone


def _ports(folder, top):
    return json.loads((folder / "netlist.json").read_text())["modules"][top]["ports"]


def test_too_small_a_device_is_said(decoder, monkeypatch):
    if not available("ice40"):
        pytest.skip("nextpnr for ice40 is not installed: pip install '.[pnr]'")
    monkeypatch.setitem(place_route.DEVICES, "ice40", (Device("tiny", 10, ()),))
    result = synthesize_decoder(decoder, target="ice40", prove=False)
    assert result.luts and result.fmax_mhz is None
    assert "must fit tiny (10 logic cells)" in result.notes[0]
