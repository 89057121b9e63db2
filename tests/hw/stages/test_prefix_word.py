from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator

from xorweave.golden.base.errors import InputError
from xorweave.golden.values.prefix_code import PrefixCode, make_prefix_codes
from xorweave.hw.stages.prefix_word import PrefixWord

# classes of magnitudes 4 to 7, the word 0, 2 and 3, 1; one codeword stands for nothing
SMALL = PrefixCode(4, "inverted", np.array([1, 2, 4, 4]), np.array([2, -1, 1, 0]), np.array([1, 0, 1, 1]))
OPEN = PrefixCode(
    4, "prefix-inverted", np.array([1, 2, 4, 4]), np.array([2, -1, 1, 0]), np.array([1, 0, 1, 1])
)
FLOAT = PrefixCode(6, "plain", np.array([1, 2, 2]), np.array([3, 5 - 2, -1]), np.array([1, 2, 0]))
NO_ZERO = PrefixCode(4, "prefix-inverted", np.array([1, 2]), np.array([2, 1]), np.array([1, 1]))


def normal_book(magnitude: str) -> PrefixCode:
    drawn = np.round(np.random.default_rng(1).standard_normal(3000) * 30)
    words = np.clip(drawn, -127, 127).astype(np.int8).view(np.uint8)
    books = make_prefix_codes(words, 8, magnitude=magnitude, patch_bits=20)
    return max((book for book in books if book.planes <= 11), key=lambda book: book.lengths.size)


BOOKS = {
    "small": SMALL,
    "open": OPEN,
    "float": FLOAT,
    "no zero": NO_ZERO,
    "inverted": normal_book("inverted"),
    "negated": normal_book("negated"),
    "prefix-inverted": normal_book("prefix-inverted"),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", BOOKS)
def test_every_value_of_the_planes_reads_as_in_the_golden_table(name: str, masked: bool) -> None:
    book = BOOKS[name]
    dut = PrefixWord(book, masked=masked)
    every = np.arange(1 << book.planes, dtype=np.uint64)
    wanted = book.words_of(every, np.dtype(np.uint8)).tolist()
    got, hidden = [], []

    async def run(ctx):  # type: ignore[no-untyped-def]
        for planes in every.tolist():
            ctx.set(dut.planes, planes)
            if masked:
                ctx.set(dut.keep, 0)
                hidden.append(ctx.get(dut.word))
                ctx.set(dut.keep, 1)
            got.append(ctx.get(dut.word))

    simulator = Simulator(dut)
    simulator.add_testbench(run)
    simulator.run()
    assert got == wanted
    assert not any(hidden)


@pytest.mark.parametrize("name", BOOKS)
def test_sign_and_tail_may_be_shut_off_where_the_class_has_none(name: str) -> None:
    book = BOOKS[name]
    dut = PrefixWord(book, gated=True)
    every = np.arange(1 << book.planes, dtype=np.uint64)
    groups = [(first, end) for first, end in book.spans if first >= book.depth]
    got = []

    async def run(ctx):  # type: ignore[no-untyped-def]
        for planes in every.tolist():
            ctx.set(dut.planes, planes)
            care = ctx.get(dut.care)  # of the codeword alone
            for number, (first, end) in enumerate(groups):
                if not care >> number & 1:
                    planes &= ~(((1 << (end - first)) - 1) << (book.planes - end))
            ctx.set(dut.planes, planes)
            assert ctx.get(dut.care) == care
            got.append(ctx.get(dut.word))

    simulator = Simulator(dut)
    simulator.add_testbench(run)
    simulator.run()
    assert got == book.words_of(every, np.dtype(np.uint8)).tolist()


def test_a_book_without_classes_has_no_decoder() -> None:
    none = np.zeros(0, np.int64)
    with pytest.raises(InputError, match="a decoder needs a code book with at least one class"):
        PrefixWord(PrefixCode(8, "inverted", none, none, none))
