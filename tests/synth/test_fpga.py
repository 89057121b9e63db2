"""LUT counts: a parity of known width takes the one table that four inputs fill."""

import pytest

from xorweave.golden.errors import InputError
from xorweave.synth.fpga import count_luts


@pytest.mark.parametrize("family, luts", [("ice40", 1), ("ecp5", 1), ("xilinx", 1)])
def test_registered_parity_of_four_takes_one_lut(family, luts, tmp_path):
    source = tmp_path / "parity.v"
    source.write_text(
        "module top (input clk, input [3:0] x, output reg y); always @(posedge clk) y <= ^x; endmodule"
    )
    result = count_luts([source], "top", family)
    assert (result.luts, result.flip_flops) == (luts, 1)
    assert result.fmax_mhz is None and result.equivalence == "not run"


def test_unknown_family_is_refused(tmp_path):
    with pytest.raises(InputError, match="FPGA family must be one of"):
        count_luts([], "top", "max10")
