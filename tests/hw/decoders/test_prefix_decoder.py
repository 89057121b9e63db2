from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

from tests.hw.equivalence import proved_equal
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.values.prefix_code import PrefixCode
from xorweave.hw.decoders.prefix_decoder import PrefixDecoder, symbols_word
from xorweave.hw.package.verilog import amaranth_verilog

# classes of magnitudes 4 to 7, the word 0, 2 and 3, 1; one codeword stands for nothing
SMALL = PrefixCode(4, "inverted", np.array([1, 2, 4, 4]), np.array([2, -1, 1, 0]), np.array([1, 0, 1, 1]))


def reference(book: PrefixCode, groups: list[tuple[int, Code]], flip: bool = False) -> str:
    """The decoder as plain Verilog: a history of whole symbols, parities written out, codewords compared in turn."""
    n_out = groups[0][1].n_out
    total = sum(planes * code.n_in for planes, code in groups)
    lines, declarations, updates, at = [], [], [], 0
    for g, (planes, code) in enumerate(groups):
        width = planes * code.n_in
        past = width * code.n_s
        lines.append(f"wire [{width - 1}:0] new{g} = i__payload[{at + width - 1}:{at}];")
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
                ones = (
                    f"{{{book.n_w - 1}{{c{r}[{low}]}}}}"
                    if book.magnitude == "inverted"
                    else f"{book.n_w - 1}'d0"
                )
                word = f"{{c{r}[{low}], {{{magnitude}}} ^ {ones}}}"
            text = f"({same}) ? {word} : {text}"
        lines.append(
            f"assign o__payload[{(r + 1) * book.n_w - 1}:{r * book.n_w}] = "
            f"mask__payload[{r}] ? ({text}) : {book.n_w}'d0;"
        )
    body = "\n  ".join([*declarations, "reg running = 0;", *lines])
    n = n_out * book.n_w
    return f"""
module top(input clk, input rst, input [{total + 1}:0] i__payload, input i__valid, output i__ready,
           input [{n_out - 1}:0] mask__payload, input mask__valid, output mask__ready,
           output [{n + 1}:0] o__payload, output o__valid, input o__ready);
  wire start = i__payload[{total}] | ~running;
  {body}
  assign o__payload[{n}] = start;
  assign o__payload[{n + 1}] = i__payload[{total + 1}];
  assign o__valid = i__valid & mask__valid;
  assign i__ready = o__ready & mask__valid;
  assign mask__ready = o__ready & i__valid;
  always @(posedge clk) begin
    if (i__valid & mask__valid & o__ready) begin
      running <= ~i__payload[{total + 1}];
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


def test_the_decoder_is_proved_equal_to_plain_verilog(tmp_path: Path) -> None:
    assert proved_equal(
        reference(SMALL, GROUPS), amaranth_verilog(PrefixDecoder(SMALL, GROUPS), "top"), tmp_path
    )


def test_the_proof_finds_one_inverted_plane(tmp_path: Path) -> None:
    assert not proved_equal(
        reference(SMALL, GROUPS, flip=True), amaranth_verilog(PrefixDecoder(SMALL, GROUPS), "top"), tmp_path
    )


def test_a_tensor_comes_out_of_the_gates_as_of_the_golden_decoder() -> None:
    random = np.random.default_rng(0)
    values = np.where(
        random.random((40, 50)) < 0.3, np.round(random.standard_normal((40, 50)) * 2), 0
    ).astype(np.int8)
    choice = Choice(mask_code="bitmap", values_code="prefix", code=CodeChoice(max_k=32))
    stored = choice.encode(values, number_format("int8"), values != 0)
    assert isinstance(stored.values, PrefixCode)
    assert not stored.patches.positions.size or stored.patches.positions.size < 60
    groups = [(group.end - group.first, group.code) for group in stored.groups]
    dut = PrefixDecoder(stored.values, groups)
    n_out = dut.n_out
    blocks = -(-values.size // n_out)
    mask = np.zeros(blocks * n_out, np.uint8)
    mask[: values.size] = stored.mask
    got: list[int] = []

    async def run(ctx):  # type: ignore[no-untyped-def]
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.mask.valid, 1)
        for t in range(blocks):
            ctx.set(
                dut.i.p.symbols, symbols_word([g.symbols for g in stored.groups], [p for p, _ in groups], t)
            )
            ctx.set(dut.i.p.last, t == blocks - 1)
            ctx.set(
                dut.mask.payload, sum(int(b) << r for r, b in enumerate(mask[t * n_out : (t + 1) * n_out]))
            )
            ctx.set(dut.o.ready, 0)  # a block that is not taken must not move the registers
            await ctx.tick()
            ctx.set(dut.o.ready, 1)
            block = ctx.get(dut.o.p.words)
            got.extend(block >> (8 * r) & 255 for r in range(n_out))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    words = np.array(got[: values.size], np.uint8)
    words[stored.patches.positions] ^= stored.patches.differences
    back = stored.scan.from_scan(words).view(np.int8).reshape(values.shape)
    assert np.array_equal(back, values)
    assert np.array_equal(decode_tensor(stored), values)


def test_groups_must_make_up_the_planes() -> None:
    with pytest.raises(InputError, match="the groups must have 7 planes together"):
        PrefixDecoder(SMALL, GROUPS[:2])
    with pytest.raises(InputError, match="the groups of planes must have one n_out"):
        PrefixDecoder(SMALL, [*GROUPS[:4], (2, Code.uniform(n_in=1, n_out=5, n_s=0))])
