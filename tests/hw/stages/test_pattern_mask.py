"""Masks by a pattern book: every plane word of small books, streams against the golden decoder, plain Verilog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator

from tests.hw.equivalence import proved_equal
from tests.hw.stages.mask_bench import blocks_of
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.plane_group import PlaneGroup
from xorweave.golden.code.usual_graph import usual_graph
from xorweave.golden.mask.coders import BookMask
from xorweave.golden.mask.pattern_book import PatternBook
from xorweave.hw.package.verilog import amaranth_verilog, structured_verilog
from xorweave.hw.stages.mask_kinds import BookWords
from xorweave.hw.stages.pattern_mask import PatternMaskDecoder, PatternTable, pattern_logic
from xorweave.hw.xor.group import XorGroup
from xorweave.hw.xor.paired import shared_network

BOOKS = {
    "six bits": PatternBook(6, (1, 0, 0, 6, 0, 0, 16)),
    "mixed lengths": PatternBook(4, (0, 1, 4, 0, 6, 3, 2)),
    "inverted": PatternBook(4, (1, 0, 3, 2), inverted=True),
    "only an escape and a pattern": PatternBook(3, (2,)),
    "every pattern": PatternBook(2, (1, 1, 2)),
    "every pattern, inverted": PatternBook(2, (1, 1, 2), inverted=True),
    "a bitmap": PatternBook(2, (0, 4)),
}


def groups_of(book: PatternBook, n_out: int = 9) -> list[XorGroup]:
    """The identity, and codes of falling rate and growing history."""
    made = []
    for index, (first, end) in enumerate(book.spans):
        code = Code.from_family("identity", n_in=n_out, n_out=n_out, n_s=0)
        if index:
            code = usual_graph(max(1, n_out // 2 - index), n_out, 1 + 2 * index)
        made.append(XorGroup(end - first, code, shared_network(code) if index else None))
    return made


def pattern_of(book: PatternBook, planes: str) -> int:
    """What a word of planes, written out, stands for: codewords are compared one after the other."""
    order = sorted(range(1 << book.m), key=lambda p: (bin(p).count("1"), p))
    code, rank = 0, 0
    for length, count in enumerate(book.counts, 1):
        code <<= 1
        for _ in range(count):
            if planes[:length] == format(code, f"0{length}b"):
                if rank == book.codewords - 1 and book.codewords < 1 << book.m:
                    return int(planes[-book.m :], 2)
                return order[rank] ^ ((1 << book.m) - 1 if book.inverted else 0)
            code, rank = code + 1, rank + 1
    raise AssertionError("the book is complete")


@pytest.mark.parametrize("name", BOOKS)
def test_every_plane_word_reads_as_written_out_and_as_in_the_golden_table(name: str) -> None:
    """Plane words have anything behind the end of what counts, but what tells of a span shuts it off."""
    book = BOOKS[name]
    dut = PatternTable(book)
    every = np.arange(1 << book.planes, dtype=np.uint64)
    got = []

    async def run(ctx):  # type: ignore[no-untyped-def]
        for word in every.tolist():
            open_ = 0  # planes that are let through
            for number, (first, end) in enumerate(book.spans):
                ctx.set(dut.planes, word & open_)
                if number == 0 or ctx.get(dut.care) >> (number - 1) & 1:
                    open_ |= ((1 << (end - first)) - 1) << (book.planes - end)
            ctx.set(dut.planes, word & open_)
            got.append(ctx.get(dut.mask))

    simulator = Simulator(dut)
    simulator.add_testbench(run)
    simulator.run()
    assert got == book.words_of(every, np.dtype(np.uint16)).tolist()
    some = range(0, len(got), max(1, len(got) // 500))
    assert [got[k] for k in some] == [pattern_of(book, format(k, f"0{book.planes}b")) for k in some]


@pytest.mark.parametrize("name", BOOKS)
def test_each_span_is_told_of_by_those_before_it(name: str) -> None:
    book = BOOKS[name]
    network = pattern_logic(book)
    for number, (first, _) in enumerate(book.spans[1:]):
        waiting, read = [network.outputs[number] >> 1], set()
        while waiting:
            signal = waiting.pop()
            if signal > network.inputs:
                waiting += [literal >> 1 for literal in network.gates[signal - network.inputs - 1]]
            elif signal:
                read.add(book.depth - signal)  # counted from a codeword's first bit
        assert all(bit < first for bit in read)


def random_mask(book: PatternBook, blocks: int, seed: int, n_out: int = 9) -> BookMask:
    rng = np.random.default_rng(seed)
    groups = tuple(
        PlaneGroup(
            first,
            end,
            group.code,
            rng.integers(0, 1 << (end - first), (blocks, group.code.n_in)).astype(np.uint16),
        )
        for group, (first, end) in zip(groups_of(book, n_out), book.spans, strict=True)
    )
    return BookMask(book, groups, blocks * n_out * book.m, blocks)


# of one span only, all planes are plain wires: nothing is clocked
CLOCKED = [name for name in BOOKS if len(BOOKS[name].spans) > 1]


@pytest.mark.parametrize("name", CLOCKED)
def test_two_streams_without_a_bubble_equal_the_golden_decoder(name: str) -> None:
    book = BOOKS[name]
    kind = BookWords(book, tuple(groups_of(book)))
    dut = PatternMaskDecoder(book, kind.groups)
    n_out = 9 * book.m
    kind.check(n_out)
    masks = [random_mask(book, blocks, seed) for seed, blocks in enumerate((30, 5))]
    words = [kind.words(mask, n_out, mask.groups[0].symbols.shape[0], 100) for mask in masks]
    got = blocks_of(dut, [symbols for symbols, _ in words])
    for mask, (_, said) in zip(masks, words, strict=True):
        assert np.array_equal(mask.decode(), said)
    wanted = np.concatenate([mask.decode() for mask in masks]).reshape(-1, n_out)
    assert got == [sum(int(bit) << r for r, bit in enumerate(block)) for block in wanted]


def test_words_start_anew_with_every_segment() -> None:
    book = BOOKS["six bits"]
    kind = BookWords(book, tuple(groups_of(book)))
    mask = random_mask(book, 30, 3)
    parts = BookMask(book, mask.groups, mask.length, 7)
    assert np.array_equal(kind.words(mask, 54, 30, 7)[1], parts.decode())
    assert not np.array_equal(kind.words(mask, 54, 30, 7)[1], mask.decode())
    assert kind.words(mask, 54, 11, 7)[0] == kind.words(mask, 54, 30, 7)[0][:11]


def reference(book: PatternBook, groups: list[XorGroup], flip: bool = False) -> str:
    """The decoder as plain Verilog: a history of whole symbols, parities written out, codewords compared in turn."""
    n_out, at = groups[0].code.n_out, 0
    regs, lines, updates = [], [], []
    for g, group in enumerate(groups):
        width, code = group.symbol_bits, group.code
        past = width * code.n_s
        lines.append(f"wire [{width - 1}:0] new{g} = i__payload[{at + width - 1}:{at}];")
        at += width
        if past:
            regs.append(f"reg [{past - 1}:0] old{g} = 0;")
            lines.append(f"wire [{width + past - 1}:0] all{g} = {{first ? {past}'d0 : old{g}, new{g}}};")
            updates.append(f"old{g} <= all{g}[{past - 1}:0];")
        else:
            lines.append(f"wire [{width - 1}:0] all{g} = new{g};")
        for p in range(n_out):
            for q in range(group.planes):
                taps = [f"all{g}[{c * group.planes + q}]" for c in np.flatnonzero(code.generator[p]).tolist()]
                text = " ^ ".join(taps) or "1'b0"
                if flip and (g, p, q) == (len(groups) - 1, n_out - 1, 0):
                    text = f"~({text})"
                lines.append(f"wire c{g}_{p}_{q} = {text};")
    for p in range(n_out):
        bits = [f"c{g}_{p}_{q}" for g, group in enumerate(groups) for q in reversed(range(group.planes))]
        lines.append(f"wire [{book.planes - 1}:0] word{p} = {{{', '.join(bits)}}};")
        text = f"word{p}[{book.m - 1}:0]" if book.escapes else f"{book.m}'d0"
        for length, code, pattern in zip(book.lengths, book.first_codes, book.patterns, strict=False):
            head = f"word{p}[{book.planes - 1}:{book.planes - int(length)}]"
            value = int(code) >> (book.depth - int(length))
            text = f"({head} == {int(length)}'d{value}) ? {book.m}'d{int(pattern)} : ({text})"
        lines.append(f"assign o__payload[{(p + 1) * book.m - 1}:{p * book.m}] = {text};")
    body = "\n  ".join([f"wire first = i__payload[{at}];", *regs, *lines])
    clocked = f"always @(posedge clk) if (i__valid & o__ready) begin {' '.join(updates)} end"
    return f"""
module top(input clk, input rst, input [{at}:0] i__payload, input i__valid, output i__ready,
           output [{n_out * book.m - 1}:0] o__payload, output o__valid, input o__ready);
  {body}
  assign o__valid = i__valid;
  assign i__ready = o__ready;
  {clocked if updates else ""}
endmodule
"""


@pytest.mark.parametrize("name", CLOCKED)
def test_the_decoder_is_proved_equal_to_plain_verilog(name: str, tmp_path: Path) -> None:
    book, groups = BOOKS[name], groups_of(BOOKS[name], 7)
    dut = PatternMaskDecoder(book, groups)
    assert proved_equal(reference(book, groups), amaranth_verilog(dut, "top"), tmp_path)


def test_the_proof_finds_one_inverted_plane(tmp_path: Path) -> None:
    book, groups = BOOKS["six bits"], groups_of(BOOKS["six bits"], 7)
    dut = PatternMaskDecoder(book, groups)
    assert not proved_equal(reference(book, groups, flip=True), amaranth_verilog(dut, "top"), tmp_path)


def test_the_first_group_costs_no_register_and_nothing_tells_where_a_stream_starts() -> None:
    book = BOOKS["six bits"]
    text = structured_verilog(PatternMaskDecoder(book, groups_of(book)), "top")
    assert "running" not in text
    assert "g0_x1" not in text and "g1_x1" in text


def test_a_bitmap_in_disguise_takes_no_gate() -> None:
    assert pattern_logic(BOOKS["a bitmap"]).gates == ()


def test_groups_that_are_not_the_books_are_refused() -> None:
    book = BOOKS["six bits"]
    groups = groups_of(book)
    with pytest.raises(InputError, match=r"the groups of a mask's planes must have \[1, 3, 3, 6\] planes"):
        PatternMaskDecoder(book, groups[:3])
    with pytest.raises(InputError, match=r"the groups of the mask's planes must have \[1, 3, 3, 6\] planes"):
        BookWords(book, tuple(groups[:3])).check(54)
    with pytest.raises(
        InputError, match="n_out of the values, 55, divided by the 6 bits of a pattern, not 9"
    ):
        BookWords(book, tuple(groups)).check(55)
    with pytest.raises(InputError, match="the pattern book and the codes of the tensor's mask"):
        BookWords(book, tuple(groups)).words(random_mask(BOOKS["inverted"], 3, 0), 54, 3, 3)
