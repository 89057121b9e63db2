"""The decoder of prefix-coded words proved equal to plain Verilog that knows nothing of its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.hw.equivalence import proved_equal
from xorweave.golden.code.code import Code
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.decoders.axis_decoder import AxisDecoder
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.verilog import amaranth_verilog
from xorweave.hw.stages.mask_kinds import BitmapWords
from xorweave.hw.stages.word_kinds import PrefixWords
from xorweave.hw.xor.group import XorGroup

# classes of magnitudes 4 to 7, the word 0, 2 and 3, 1; one codeword stands for nothing
SMALL = PrefixCode(4, "inverted", np.array([1, 2, 4, 4]), np.array([2, -1, 1, 0]), np.array([1, 0, 1, 1]))
# the word 0 has the codeword of zeros
ZERO_FIRST = PrefixCode(
    4, "inverted", np.array([1, 2, 4, 4]), np.array([-1, 2, 1, 0]), np.array([0, 1, 1, 1])
)
# the same, but for tails that follow as they are
TAIL_FIRST = PrefixCode(
    4, "prefix-inverted", np.array([1, 2, 4, 4]), np.array([-1, 2, 1, 0]), np.array([0, 1, 1, 1])
)


def reference(book: PrefixCode, groups: list[tuple[int, Code]], flip: bool = False) -> str:
    """The decoder as plain Verilog: a history of whole symbols, parities written out, codewords compared in turn."""
    n_out = groups[0][1].n_out
    total = sum(planes * code.n_in for planes, code in groups)
    lines, declarations, updates, at = [], [], [], 0
    for g, (planes, code) in enumerate(groups):
        width = planes * code.n_in
        past = width * code.n_s
        lines.append(f"wire [{width - 1}:0] new{g} = s_axis_tdata[{at + width - 1}:{at}];")
        if past:
            declarations.append(f"reg [{past - 1}:0] old{g} = 0;")
            lines.append(f"wire [{width + past - 1}:0] all{g} = {{start ? {past}'d0 : old{g}, new{g}}};")
            updates.append(f"old{g} <= all{g}[{past - 1}:0];")
        else:
            lines.append(f"wire [{width - 1}:0] all{g} = new{g};")
        for r in range(n_out):
            for q in range(planes):
                taps = [f"all{g}[{int(c) * planes + q}]" for c in np.flatnonzero(code.generator[r])]
                text = " ^ ".join(taps) or "1'b0"
                if flip and (g, r, q) == (len(groups) - 1, n_out - 1, 0):
                    text = f"~({text})"
                lines.append(f"wire p{g}_{r}_{q} = {text};")
        at += width
    for r in range(n_out):
        bits = [f"p{g}_{r}_{q}" for g, (planes, _) in enumerate(groups) for q in reversed(range(planes))]
        lines.append(f"wire [{book.planes - 1}:0] c{r} = {{{', '.join(bits)}}};")
        text = f"{book.n_w}'d0"
        low = book.tail_planes
        for length, tail, prefix, code in zip(
            book.lengths, book.tails, book.prefixes, book.first_codes, strict=True
        ):
            high = book.planes - 1
            value = int(code) >> (book.depth - int(length))
            same = f"c{r}[{high}:{high - int(length) + 1}] == {int(length)}'d{value}"
            word = f"{book.n_w}'d0"
            if tail >= 0:
                magnitude = f"{book.n_w - 1 - int(tail)}'d{int(prefix)}"
                if tail:
                    magnitude += f", c{r}[{int(tail) - 1}:0]"
                ones = {
                    "plain": f"{book.n_w - 1}'d0",
                    "inverted": f"{{{book.n_w - 1}{{c{r}[{low}]}}}}",
                    "prefix-inverted": f"{{{{{book.n_w - 1 - int(tail)}{{c{r}[{low}]}}}}, {int(tail)}'d0}}"
                    if tail
                    else f"{{{book.n_w - 1}{{c{r}[{low}]}}}}",
                }[book.magnitude]
                word = f"{{c{r}[{low}], {{{magnitude}}} ^ {ones}}}"
            text = f"({same}) ? {word} : {text}"
        lines.append(
            f"assign m_axis_tdata[{(r + 1) * book.n_w - 1}:{r * book.n_w}] = "
            f"s_axis_mask_tdata[{r}] ? ({text}) : {book.n_w}'d0;"
        )
    body = "\n  ".join([*declarations, "reg running = 0;", *lines])
    n = n_out * book.n_w
    return f"""
module top(input clk, input rst, input [{total - 1}:0] s_axis_tdata, input s_axis_tuser, input s_axis_tlast,
           input s_axis_tvalid, output s_axis_tready,
           input [{n_out - 1}:0] s_axis_mask_tdata, input s_axis_mask_tvalid, output s_axis_mask_tready,
           output [{n - 1}:0] m_axis_tdata, output m_axis_tuser, output m_axis_tlast,
           output m_axis_tvalid, input m_axis_tready);
  wire start = s_axis_tuser | ~running;
  {body}
  assign m_axis_tuser = start;
  assign m_axis_tlast = s_axis_tlast;
  assign m_axis_tvalid = s_axis_tvalid & s_axis_mask_tvalid;
  assign s_axis_tready = m_axis_tready & s_axis_mask_tvalid;
  assign s_axis_mask_tready = m_axis_tready & s_axis_tvalid;
  always @(posedge clk) begin
    if (s_axis_tvalid & s_axis_mask_tvalid & m_axis_tready) begin
      running <= ~s_axis_tlast;
      {" ".join(updates)}
    end
    if (rst) running <= 0;
  end
endmodule
"""


GROUPS = [
    (1, Code.uniform(n_in=3, n_out=6, n_s=2)),
    (1, Code.uniform(n_in=2, n_out=6, n_s=3, seed=1)),
    (2, Code.uniform(n_in=1, n_out=6, n_s=4, seed=2)),
    (1, Code.uniform(n_in=2, n_out=6, n_s=0, seed=3)),
    (2, Code.uniform(n_in=1, n_out=6, n_s=1, seed=4)),
]


# the planes as the book's classes divide them
OWN_GROUPS = [*GROUPS[:4], (1, GROUPS[4][1]), (1, Code.from_family("graph", n_in=2, n_out=6, n_s=2))]


def decoder(book: PrefixCode, of: list[tuple[int, Code]] = GROUPS) -> AxisDecoder:
    groups = tuple(XorGroup(planes, code) for planes, code in of)
    return AxisDecoder(
        DecoderConfig(
            groups=groups, kind_of_words=PrefixWords(book), kind_of_mask=BitmapWords(), input_register=False
        )
    )


@pytest.mark.parametrize("groups", [GROUPS, OWN_GROUPS], ids=["groups", "own groups"])
@pytest.mark.parametrize(
    "book",
    [SMALL, ZERO_FIRST, TAIL_FIRST],
    ids=["mask in the tables", "mask in the network", "tails as they are"],
)
def test_the_decoder_is_proved_equal_to_plain_verilog(
    book: PrefixCode, groups: list[tuple[int, Code]], tmp_path: Path
) -> None:
    dut = decoder(book, groups)
    assert dut.config.mask_in_network == (book is not SMALL)
    # sign and tail are shut off in the networks of their groups
    assert dut.config.gated_groups == (3 if groups is OWN_GROUPS else 0)
    assert proved_equal(reference(book, groups), amaranth_verilog(dut, "top"), tmp_path)


def test_the_proof_finds_one_inverted_plane(tmp_path: Path) -> None:
    assert not proved_equal(
        reference(SMALL, GROUPS, flip=True), amaranth_verilog(decoder(SMALL), "top"), tmp_path
    )
