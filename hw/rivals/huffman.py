"""Baseline decoder: canonical Huffman codes, one word a cycle a lane."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.hw.rivals.bit_buffer import BitBuffer


def code_lengths(counts: Mapping[int, int]) -> dict[int, int]:
    """Return the length of each symbol's Huffman code; a lone symbol gets one bit.

    Raises
    ------
    InputError
        There is no symbol, or a count is below 1.
    """
    if not counts or min(counts.values()) < 1:
        raise InputError("a Huffman code needs at least one symbol, each counted at least once")
    if len(counts) == 1:
        return dict.fromkeys(counts, 1)
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (count, symbol, (symbol,)) for symbol, count in sorted(counts.items())
    ]
    heapq.heapify(heap)
    lengths = dict.fromkeys(counts, 0)
    while len(heap) > 1:
        count_a, name, a = heapq.heappop(heap)
        count_b, _, b = heapq.heappop(heap)
        for symbol in a + b:
            lengths[symbol] += 1
        heapq.heappush(heap, (count_a + count_b, name, a + b))
    return lengths


def canonical_codes(lengths: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Return (code, length) of each symbol: codes of one length count up, in the order of the symbols."""
    codes: dict[int, tuple[int, int]] = {}
    code, previous = 0, 0
    for length, symbol in sorted((length, symbol) for symbol, length in lengths.items()):
        code <<= length - previous
        codes[symbol] = (code, length)
        code, previous = code + 1, length
    return codes


class HuffmanLane(wiring.Component):
    """Canonical Huffman decoder (baseline): one word a cycle from one stream of bits; n_out lanes make a block.

    Parameters
    ----------
    lengths : mapping of int to int
        Code length of each symbol.
    n_w : int
        Bits of a word.

    Members
    -------
    i : In(stream.Signature(beat_bits))
        `beat_bits` (the longest code) bits a beat, the first one to decode highest. The last beat is filled up
        with any bits; who reads knows how many words there are.
    o : Out(stream.Signature(n_w))
    restart : In(1)
        Drops what is left of the last stream.
    """

    def __init__(self, lengths: Mapping[int, int], n_w: int) -> None:
        self.lengths = dict(lengths)
        self.n_w = n_w
        self.beat_bits = max(self.lengths.values())
        super().__init__(
            {
                "i": In(stream.Signature(self.beat_bits)),
                "o": Out(stream.Signature(n_w)),
                "restart": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        longest = self.beat_bits
        codes = canonical_codes(self.lengths)
        buffer = BitBuffer(longest)
        length = Signal(range(longest + 1))
        index = Signal(range(max(2, len(codes))))
        head = Signal(longest)
        m.d.comb += head.eq(buffer.head)

        # canonical codes, filled up to the longest, grow with their length: the first limit above decides
        ordered = sorted(codes.items(), key=lambda item: (item[1][1], item[1][0]))
        first_index = 0
        chosen_length: Value = Const(longest, len(length))
        chosen_index: Value = Const(0, len(index))
        choices = []
        for size in range(1, longest + 1):
            group = [code for _, (code, bits_) in ordered if bits_ == size]
            if group:
                limit = (group[-1] + 1) << (longest - size)
                # a group has fewer codes than there are symbols, so the low bits of the difference are enough
                place = Signal(len(index), name=f"place{size}")
                shift = (first_index - group[0]) % (1 << len(index))
                m.d.comb += place.eq((head[longest - size :] + Const(shift, len(index)))[: len(index)])
                choices.append((limit, size, place))
                first_index += len(group)
        for limit, size, place in reversed(choices):
            below = Signal(name=f"is{size}")
            m.d.comb += below.eq(head < Const(limit, longest + 1))
            chosen_length = Mux(below, Const(size, len(length)), chosen_length)
            chosen_index = Mux(below, place, chosen_index)
        m.d.comb += [length.eq(chosen_length), index.eq(chosen_index)]
        with m.Switch(index):
            for k, (symbol, _) in enumerate(ordered):
                with m.Case(k):
                    m.d.comb += self.o.payload.eq(symbol)
            with m.Default():
                m.d.comb += self.o.payload.eq(0)

        m.d.comb += self.o.valid.eq((buffer.level >= length) & (buffer.level != 0) & ~self.restart)
        buffer.refill(m, self.i, Mux(self.o.valid & self.o.ready, length, 0), self.restart)
        return m
