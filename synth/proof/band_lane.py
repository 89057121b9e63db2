"""Proof that a mapped lane of a banded filter's decoder is the plain one, written from the filter's matrices.

The plain lane shares no code with the hardware description: sums are flat, a window is rotated by one wide shift, and a
cell is taken from the row of its column by a comparison. Registers are the same ones, so the proof is one step of
induction (``induction.py``), from every state that corresponds and under every input, directory and cells among them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import width_for
from xorweave.golden.weightless.banded import OFFSET_BITS, Banded
from xorweave.golden.weightless.key_hash import MIDDLE_BITS
from xorweave.synth.flow.yosys import run_yosys
from xorweave.synth.proof.aiger import read_aiger
from xorweave.synth.proof.correspondence import guess
from xorweave.synth.proof.induction import (
    FAILED,
    PROVED,
    Clock,
    Verdict,
    all_zero,
    from_all_states,
    graph_script,
    holds_after_reset,
    induction_step,
    register_faults,
)

_GROUP = 32  # outputs that decision diagrams take together


def band_lane_reference(table: Banded, clusters: int, name: str = "reference") -> str:
    """Write the plain lane in Verilog, with the ports of ``hw.rivals.band.BandLane``."""
    t, window, buckets = table.t, table.window, table.buckets
    row = 1 << (window - 1).bit_length()
    shift = row.bit_length() - 1
    start_bits, width_bits = width_for(int(table.starts[-1])), width_for(int(np.diff(table.starts).max()))
    depth = (max(table.cells - 1, int(table.starts[-1])) // row + 1) // 2 + 1
    address, field, last = width_for(depth - 1), table.bucket_bits, MIDDLE_BITS - 1
    number = width_for(buckets - 1)
    answers = [_answer(bit, row, t) for bit in range(t)]
    return f"""module {name} (
  input clk, input rst, input i__valid, output i__ready, input [{table.key_bits - 1}:0] i__payload,
  output o__valid, input o__ready, output reg [{t}:0] o__payload, output [{number - 1}:0] bucket, output read,
  input [{start_bits + width_bits - 1}:0] entry, output [{2 * address - 1}:0] addresses,
  input [{2 * row * t - 1}:0] cells
);
  reg [4:0] valid;
  assign read = !valid[4] | o__ready;
  assign i__ready = read;
  assign o__valid = valid[4];
  wire [{last}:0] linear;
{_sums("linear", "i__payload", table.hash.first)}
  reg [{last}:0] ring;
  wire [{table.hash.hash_bits - 1}:0] hashed;
{_sums("hashed", "ring", np.pad(table.hash.second, ((0, 0), (0, 1))))}
  wire [{field + number}:0] scaled = hashed[{field - 1}:0] * {buckets};
  assign bucket = scaled >> {field};
  reg [{OFFSET_BITS - 1}:0] place;
  wire [{OFFSET_BITS + width_bits - 1}:0] along = place * entry[{start_bits + width_bits - 1}:{start_bits}];
  reg [{start_bits - 1}:0] start;
  wire [{start_bits}:0] row = start >> {shift};
  wire [{address - 1}:0] even = (row + 1) >> 1, odd = row >> 1;
  assign addresses = {{odd, even}};
  reg [{last}:0] late0, late1;
  reg [{t - 1}:0] h_m;
  wire [{2 * row - 1}:0] wide = {{late1[{window - 2}:0], 1'b1}} << (start & {row - 1});
  reg [{row - 1}:0] turned;
  reg [{shift - 1}:0] before;
  reg from_odd;
  wire [{t - 1}:0] answer;
{chr(10).join(answers)}
  always @(posedge clk) begin
    if (rst) valid <= 0;
    else if (read) valid <= {{valid[3:0], i__valid}};
    if (read) begin
      ring <= linear ^ (~{{linear[0], linear[{last}:1]}} & {{linear[1:0], linear[{last}:2]}});
      place <= hashed[{field + OFFSET_BITS - 1}:{field}];
      late0 <= ring; late1 <= late0;
      h_m <= late1[{last}:{MIDDLE_BITS - t}];
      start <= entry[{start_bits - 1}:0] + (along >> {OFFSET_BITS});
      turned <= wide[{row - 1}:0] | wide[{2 * row - 1}:{row}];
      before <= start;
      from_odd <= start >> {shift};
    end
    if (rst) o__payload <= 0;
    else if (read) o__payload <= {{answer < {clusters}, answer}};
  end
endmodule
"""


def _sums(name: str, source: str, matrix: NDArray[np.uint8]) -> str:
    """Write one line a row: the sum of the bits that it has, and of the constant in its last column."""
    lines = []
    for index, line in enumerate(matrix.tolist()):
        terms = [f"{source}[{i}]" for i, bit in enumerate(line[:-1]) if bit] + ["1'b1"] * line[-1]
        lines.append(f"  assign {name}[{index}] = {' ^ '.join(terms or ['1' + chr(39) + 'b0'])};")
    return "\n".join(lines)


def _answer(bit: int, row: int, t: int) -> str:
    """Write one bit of the answer: of every column the cell of its row where the window word has a one, all added."""
    cells = []
    for column in range(row):
        even, odd = (f"cells[{(memory * row + column) * t + bit}]" for memory in range(2))
        cells.append(f"turned[{column}] & (({column} >= before) == from_odd ? {odd} : {even})")
    # one sum of a vector: Yosys makes the tree of it that a SAT sweep meets in the netlist, too
    return f"""  wire [{row - 1}:0] of{bit} = {{{", ".join(reversed(cells))}}};
  assign answer[{bit}] = h_m[{bit}] ^ (^of{bit});"""


def judge_band_lane(
    netlist: Path, top: str, table: Banded, clusters: int, *, liberty: Path | None, timeout_s: float = 300
) -> Verdict:
    """Prove that a netlist is the lane of this filter: its matrices, its sizes and its handshake.

    Parameters
    ----------
    netlist : Path
        Flat Verilog netlist of library cells (or any Verilog, without `liberty`).
    top : str
    table : Banded
    clusters : int
    liberty : Path or None
        Plain Liberty file whose cells the netlist uses.
    timeout_s : float

    Raises
    ------
    ToolError
        Yosys cannot read the netlist.
    """
    clock = Clock(timeout_s)
    with tempfile.TemporaryDirectory(prefix="xorweave-proof-") as folder:
        directory = Path(folder)
        (directory / "netlist.v").write_text(netlist.read_text())
        (directory / "reference.v").write_text(band_lane_reference(table, clusters))
        cells = ""
        if liberty is not None:
            (directory / "cells.lib").write_text(liberty.read_text())
            cells = "read_liberty -ignore_miss_func -ignore_miss_dir cells.lib"
        run_yosys(
            graph_script("netlist", top, cells, arithmetic=liberty is None)
            + graph_script("reference", "reference", "", arithmetic=True),
            directory,
        )
        faults = register_faults((directory / "netlist.registers").read_text())
        if faults:
            return Verdict(FAILED, "; ".join(faults))
        gate, gold = (read_aiger(directory / f"{name}.aig") for name in ("netlist", "reference"))
        found = guess(gold, gate)
        if holds_after_reset(gold, gate, found):
            graph, differences = induction_step(gold, gate, found)
            if all_zero(graph, [literal for _, literal in differences], _GROUP, directory, clock):
                return Verdict(PROVED)
        outcome = from_all_states(gold, gate, directory, clock)
    return Verdict(outcome, "" if outcome == PROVED else "the lane was not shown to be the plain one")
