"""Gates of the engines: memories out and counted, all else in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.engines.csr_engine import CsrConfig
from xorweave.hw.engines.scan_engine import ScanEngineConfig
from xorweave.sim.spmv_run import engine_config
from xorweave.synth.engine import synthesize_engine
from xorweave.synth.flow.memory_ports import take_out_memories
from xorweave.synth.flow.yosys import run_yosys

_DESIGN = """
module top(input clk, input [2:0] at, input [4:0] d, input we, input re, output [4:0] q);
  reg [4:0] kept [0:7];
  reg [4:0] seen;
  always @(posedge clk) begin
    if (we) kept[at ^ 3'd5] <= d ^ {5{at[0]}};
    if (re) seen <= kept[at];
  end
  assign q = ~seen;
endmodule
"""

_AROUND = """
module around(input clk, input [2:0] at, input [4:0] d, input we, input re, output [4:0] q);
  reg [4:0] kept [0:7];
  reg [4:0] seen;
  wire [2:0] raddr, waddr;
  wire [4:0] wdata, wen;
  wire ren;
  always @(posedge clk) begin : ports
    integer k;
    for (k = 0; k < 5; k = k + 1) if (wen[k]) kept[waddr][k] <= wdata[k];
    if (ren) seen <= kept[raddr];
  end
  top rest(.clk(clk), .at(at), .d(d), .we(we), .re(re), .q(q), .memory0_rd_data(seen),
    .memory0_rd_addr(raddr), .memory0_rd_en(ren), .memory0_wr_addr(waddr), .memory0_wr_data(wdata),
    .memory0_wr_en(wen));
endmodule
"""


def test_a_design_with_its_memory_put_back_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "design.v").write_text(_DESIGN)
    logic, memories = take_out_memories([tmp_path / "design.v"], "top", tmp_path)
    assert [(m.words, m.width, m.read_ports, m.write_ports, m.bits) for m in memories] == [(8, 5, 1, 1, 40)]
    assert "reg" not in logic.read_text().split()
    (tmp_path / "around.v").write_text(_AROUND)
    # induction would need to know that both memories hold the same: ten cycles from a common start must do
    run_yosys(
        """
read_verilog design.v
rename top gold
read_verilog logic.v
read_verilog around.v
proc
flatten around
rename around gate
memory
opt
setundef -undriven -init -zero gold gate
miter -equiv -flatten -make_assert gold gate miter
sat -verify -prove-asserts -seq 1 -set-init-zero -tempinduct-baseonly -maxsteps 10 miter
""",
        tmp_path,
    )


def test_engines() -> None:
    rng = np.random.default_rng(0)
    weights = rng.integers(-8, 8, (8, 6)).astype(np.int8)
    mask = rng.random(weights.shape) < 0.4
    layout = LaneLayout.fitting(8, 6, 2, interleave=2)
    matrix = encode_on_lanes(weights, number_format("int4"), mask, layout, max_k=4)
    config = engine_config(matrix)
    ours = synthesize_engine(config)
    assert ours.memory_bits == sum(config.memory_bits.values())
    gates, flip_flops = ours.logic.gate_equivalents, ours.logic.flip_flops
    assert gates is not None and flip_flops is not None
    # two 4 x 8 multipliers and two 32-bit adders are in, no memory is
    assert gates > 2 * (4 * 8 + 32) * 2
    assert flip_flops < ours.memory_bits
    scan = ScanEngineConfig(scan=Interleaver(48, 29, 5), shape=(8, 6), n_out=5, n_w=4, lanes=2, trace=True)
    behind = synthesize_engine(scan)
    # every lane has its own accumulators, and no trace port is counted
    assert behind.memory_bits == sum(scan.memory_bits.values()) == 2 * (6 * 8 + 8 * 32)
    assert behind.logic.gate_equivalents is not None and behind.logic.flip_flops < behind.memory_bits
    assert behind.logic.gate_equivalents > 2 * (4 * 8 + 32) * 2
    rival = CsrConfig(cols=6, lanes=2, banks=2, n_w=4)
    assert synthesize_engine(rival).memory_bits == sum(rival.memory_bits.values()) == 6 * 8
