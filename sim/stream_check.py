"""Run a component with one input and one output stream in Verilator and compare every word it gives out.

For components outside the weight decoder's package. The test bench is plain Verilog, so a hundred thousand words
take seconds.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.sim.simulators import require, search_path
from xorweave.sim.verilator_build import MAKE_VARIABLES

_BENCH = """
module bench(input clk, input rst);
  localparam COUNT = {count};
  reg [{i_top}:0] stimulus [0:COUNT-1];
  reg [{o_top}:0] expected [0:COUNT-1];
  reg i_valid = 0, o_ready = 0;
  wire i_ready, o_valid;
  wire [{o_top}:0] o_payload;
  integer sent = 0, received = 0, mismatches = 0, cycles = 0, changed = 0;
  reg [31:0] noise = 32'd{seed};
  reg waiting = 0;
  reg [{o_top}:0] seen;
  {top} dut (
    .clk(clk), .rst(rst),
    .i__payload(stimulus[sent < COUNT ? sent : 0]), .i__valid(i_valid), .i__ready(i_ready),
    .o__payload(o_payload), .o__valid(o_valid), .o__ready(o_ready));
  initial begin
    $readmemh("stimulus.hex", stimulus);
    $readmemh("expected.hex", expected);
  end
  always @(posedge clk) if (!rst) begin
    cycles <= cycles + 1;
    noise <= {{noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]}};
    // once valid stays valid until taken; ready comes and goes as it likes
    if (i_valid && i_ready) sent <= sent + 1;
    if (!i_valid || i_ready)
      i_valid <= (sent + (i_valid && i_ready ? 1 : 0) < COUNT) && ({free} || noise[2:0] != 0);
    o_ready <= {free} || noise[5:4] != 0;
    if (waiting && (!o_valid || o_payload != seen)) changed <= changed + 1;
    waiting <= o_valid && !o_ready;
    seen <= o_payload;
    if (o_valid && o_ready) begin
      if (o_payload != expected[received]) mismatches <= mismatches + 1;
      received <= received + 1;
      if (received + 1 == COUNT) begin
        $display("RESULT %0d %0d %0d", cycles, mismatches + (o_payload != expected[received] ? 1 : 0), changed);
        $finish;
      end
    end
    if (cycles > 20 * COUNT + 1000) begin
      $display("RESULT %0d %0d %0d", cycles, mismatches + COUNT - received, changed);
      $finish;
    end
  end
endmodule
"""

_MAIN = """
#include "Vbench.h"
#include "verilated.h"
int main(int argc, char** argv) {
  VerilatedContext context;
  context.commandArgs(argc, argv);
  Vbench bench{&context};
  for (int edge = 0; !context.gotFinish(); ++edge) {
    bench.rst = edge < 6;
    bench.clk = edge & 1;
    bench.eval();
    context.timeInc(1);
    if (edge >= 6) edge = 6 + ((edge - 6) & 1);
  }
  bench.final();
}
"""


@dataclass(frozen=True)
class StreamCheck:
    """What a run showed.

    Attributes
    ----------
    words : int
    cycles : int
        From the end of reset to the last word.
    mismatches : int
        Words that differ from the golden model's, or never came.
    changed : int
        Words that changed or went away while they waited to be taken.
    """

    words: int
    cycles: int
    mismatches: int
    changed: int


def check_stream(
    verilog: str,
    top: str,
    stimulus: Sequence[int],
    expected: Sequence[int],
    *,
    i_bits: int,
    o_bits: int,
    stalls: bool = False,
    seed: int = 1,
) -> StreamCheck:
    """Feed words to ports ``i__payload/valid/ready`` and compare ``o__payload`` word by word.

    Parameters
    ----------
    verilog, top : str
        Text and top module, with ports as Amaranth names them.
    stimulus, expected : sequence of int
        Equally many words.
    i_bits, o_bits : int
        Widths of the two payloads.
    stalls : bool
        Whether both sides hesitate at random.
    seed : int
        Of the hesitation.

    Raises
    ------
    InputError
        Verilator cannot be run here.
    ToolError
        It could not compile the text, or the simulation did not end with a result.
    """
    require("verilator")
    with tempfile.TemporaryDirectory(prefix="xorweave-") as name:
        folder = Path(name)
        bench = _BENCH.format(
            count=len(stimulus),
            i_top=i_bits - 1,
            o_top=o_bits - 1,
            top=top,
            seed=seed or 1,
            free=int(not stalls),
        )
        (folder / "dut.v").write_text(verilog)
        (folder / "bench.v").write_text(bench)
        for file, words in (("stimulus", stimulus), ("expected", expected)):
            (folder / f"{file}.hex").write_text("".join(f"{word:x}\n" for word in words))
        (folder / "main.cpp").write_text(_MAIN)
        verilate = ["verilator", "--cc", "--exe", "-Wno-fatal", "-Wno-lint", "--top-module", "bench"]
        verilate += ["--output-split", "0", "-Mdir", "obj", "-o", "bench", "dut.v", "bench.v", "../main.cpp"]
        make = ["make", "-C", "obj", "-f", "Vbench.mk", *MAKE_VARIABLES]
        environment = {**os.environ, "PATH": search_path()}
        for command in (verilate, make):
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                said = (done.stdout + done.stderr)[-600:]
                raise ToolError(f"{command[0]} could not compile {top}: {said}")
        ran = subprocess.run(
            [str(folder / "obj" / "bench")], cwd=folder, capture_output=True, text=True, check=False
        )
        for line in ran.stdout.splitlines():
            if line.startswith("RESULT "):
                cycles, mismatches, changed = map(int, line.split()[1:])
                return StreamCheck(len(stimulus), cycles, mismatches, changed)
        raise ToolError(f"the simulation of {top} ended without a result: {(ran.stdout + ran.stderr)[-600:]}")
