from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.hw.equivalence import proved_equal
from tests.hw.stages.mask_bench import blocks_of
from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.stages.shaped_mask import ShapedMaskDecoder
from xorweave.hw.xor.network import balanced_trees
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.hw.xor.shared_sums import shared_sums

CODES = [
    ShapedMaskCode(n_in=6, n_out=13, parities=3, window=20, taps=4),
    ShapedMaskCode(n_in=31, n_out=64, parities=3),
    ShapedMaskCode(n_in=8, n_out=8, parities=2, window=8, taps=2),
    ShapedMaskCode(n_in=12, n_out=29, parities=3, window=24, taps=6, sums=3),
    ShapedMaskCode(n_in=5, n_out=20, parities=2, window=20, taps=4, sums=2),
]


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{code.n_in}to{code.n_out}")
def test_two_streams_without_a_bubble_equal_the_golden_decoder(code: ShapedMaskCode) -> None:
    dut = ShapedMaskDecoder(code)
    random = np.random.default_rng(0)
    streams = [random.integers(0, 2, (blocks, code.n_in)).astype(np.uint8) for blocks in (9, 5)]
    got = blocks_of(dut, [[int("".join(map(str, row[::-1])), 2) for row in stream] for stream in streams])
    wanted = np.concatenate(
        [code.decode(s, s.shape[0] * code.n_out).reshape(-1, code.n_out) for s in streams]
    )
    assert got == [sum(int(bit) << r for r, bit in enumerate(block)) for block in wanted]


def reference(code: ShapedMaskCode, swap: bool = False) -> str:
    """The decoder as plain Verilog, written from the lags: a bit-serial history instead of symbol registers."""
    past = code.window - 1
    lines = []
    for r in range(code.n_out):
        newest = int(code.bit_of_output[r])
        parities = [
            "(" + " ^ ".join(f"all_bits[{past + newest - int(lag)}]" for lag in lags) + ")"
            for lags in code.lags[r]
        ]
        if swap and r == code.n_out // 2:
            parities[0] = "~" + parities[0]
        lines.append(f"  assign o__payload[{r}] = {' & '.join(parities)};")
    total = past + code.n_in
    keep = f"all_bits[{total - 1}:{total - past}]"
    return f"""
module top(input clk, input rst, input [{code.n_in}:0] i__payload, input i__valid, output i__ready,
           output [{code.n_out - 1}:0] o__payload, output o__valid, input o__ready);
  reg [{past - 1}:0] history = 0;
  wire [{total - 1}:0] all_bits = {{i__payload[{code.n_in - 1}:0],
    i__payload[{code.n_in}] ? {past}'d0 : history}};
  assign o__valid = i__valid;
  assign i__ready = o__ready;
  always @(posedge clk) if (i__valid & o__ready) history <= {keep};
{chr(10).join(lines)}
endmodule
"""


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{code.n_in}to{code.n_out}")
def test_the_decoder_is_proved_equal_to_its_lags(code: ShapedMaskCode, tmp_path: Path) -> None:
    assert proved_equal(reference(code), amaranth_verilog(ShapedMaskDecoder(code), "top"), tmp_path)


def test_the_proof_finds_one_inverted_parity(tmp_path: Path) -> None:
    code = CODES[0]
    assert not proved_equal(
        reference(code, swap=True), amaranth_verilog(ShapedMaskDecoder(code), "top"), tmp_path
    )


def test_a_sum_is_made_once_and_a_parity_of_two_by_one_gate() -> None:
    code = ShapedMaskCode.for_zero_codeword(0.1, 2, n_out=128, shared=True)
    network = shared_sums(code)
    assert np.array_equal(network.matrix(), code.generator.reshape(code.n_out * code.parities, -1))
    parities, sums = code.n_out * code.parities, code.sums * (code.n_in + code.reach)
    assert network.xor2 <= parities + sums * (code.taps // 2 - 1)
    # against taps of its own for every parity
    free = ShapedMaskCode.for_zero_codeword(0.1, 2, n_out=128)
    assert network.xor2 < 0.55 * greedy_pairs(free.generator.reshape(parities, -1)).xor2


def test_only_the_bits_of_the_window_are_held() -> None:
    code = CODES[1]
    used = code.generator.any(axis=(0, 1))[code.n_in :]
    assert used.sum() <= code.window - 1


def test_the_network_must_compute_the_parities() -> None:
    code = CODES[0]
    matrix = code.generator.reshape(code.n_out * code.parities, -1).copy()
    matrix[0, 0] ^= 1
    with pytest.raises(InputError, match="the XOR network must compute the parities of the shaped code"):
        ShapedMaskDecoder(code, balanced_trees(matrix))
