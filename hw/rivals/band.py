"""A decoder of banded filters: hash, directory, a window of cells from two rows, parities. One query a cycle.

A row is 32 or 64 cells, the least power of two that holds a window; a window lies in two rows that follow one another,
and rows are dealt to two memories in turn, so every query reads each memory once: two rows of t * 32 or t * 64 bits,
whose cells outside the window are wasted.
"""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import width_for
from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.banded import OFFSET_BITS, Banded
from xorweave.golden.weightless.key_hash import MIDDLE_BITS
from xorweave.hw.rivals.key_hash import HashNetworks, hash_networks, ring_value, xor_values


def row_cells(table: Banded) -> int:
    """Cells of a row of a memory: 16, 32 or 64."""
    return 1 << (table.window - 1).bit_length()


def row_tables(table: Banded) -> NDArray[np.uint32]:
    """Deal the rows to two memories, the even ones to the first.

    Returns
    -------
    ndarray of uint32, shape (2, depth, row_cells)
    """
    row = row_cells(table)
    last = (
        max(table.cells - 1, int(table.starts[-1])) // row + 1
    )  # a window may begin in any row up to `starts[-1]`
    depth = last // 2 + 1
    cells = np.zeros(2 * depth * row, np.uint32)
    cells[: table.cells] = table.table
    return cells.reshape(depth, 2, row).transpose(1, 0, 2)


def directory_widths(table: Banded) -> tuple[int, int]:
    """Bits of a bucket's first cell and of its width in the directory, whose entries hold both."""
    return width_for(int(table.starts[-1])), width_for(int(np.diff(table.starts).max()))


class BandLane(wiring.Component):
    """The logic of a decoder of a banded filter; directory and cells are outside, in memories with registered reads.

    A query flows through five registers: behind the first XOR network and its AND layer (whose bits are the window
    word), in the directory, behind the product that places the key in its bucket, in the memories, and behind the
    parities and the comparison. Nothing depends on the data, so a query is
    taken in every cycle in which the far side takes an answer.

    Parameters
    ----------
    table : Banded
        Sizes and hash are taken from it, neither cells nor directory.
    clusters : int
        Answers below it are cluster numbers; all others mean pruned.
    networks : pair of XorNetwork, optional
        Gates of the hash's two maps; balanced trees when left out.

    Members
    -------
    i : In(stream.Signature(key_bits))
        Position of a weight.
    o : Out(stream.Signature(StructLayout({"label": t, "kept": 1})))
        Cluster number, and whether the weight is one (kept, or a false positive).
    bucket : Out(bits of a bucket), read : Out(1)
        To the directory; `read` holds the output registers of all three memories when 0.
    entry : In(start bits + width bits)
        From the directory, one cycle later: the first cell, and above it the width.
    addresses : Out(2 * address bits)
        To the memories of the even rows (lowest bits) and of the odd rows.
    cells : In(2 * row_cells * t)
        From the memories, one cycle later: a row of the even memory, its first cell lowest, and one of the odd.

    Raises
    ------
    InputError
        The networks do not compute the hash, or `clusters` is out of range.
    """

    def __init__(self, table: Banded, clusters: int, networks: HashNetworks | None = None) -> None:
        if not 1 <= clusters < 1 << table.t:
            raise InputError(f"clusters must be between 1 and {(1 << table.t) - 1}, not {clusters}")
        self.table = table
        self.clusters = clusters
        self.networks = hash_networks(table.hash, networks)
        self.address_bits = width_for(row_tables(table).shape[1] - 1)
        answer = data.StructLayout({"label": table.t, "kept": 1})
        super().__init__(
            {
                "i": In(stream.Signature(table.key_bits)),
                "o": Out(stream.Signature(answer)),
                "bucket": Out(width_for(table.buckets - 1)),
                "entry": In(sum(directory_widths(table))),
                "read": Out(1),
                "addresses": Out(2 * self.address_bits),
                "cells": In(2 * row_cells(table) * table.t),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        table = self.table
        valid = [Signal(name=f"valid{stage}") for stage in range(5)]
        m.d.comb += [
            self.read.eq(~valid[-1] | self.o.ready),
            self.i.ready.eq(self.read),
            self.o.valid.eq(valid[-1]),
        ]
        with m.If(self.read):
            m.d.sync += [flag.eq(before) for flag, before in zip(valid, [self.i.valid, *valid], strict=False)]

        ring = self._held(m, "ring", ring_value(table.hash, self.networks[0], self.i.payload, m))
        hashed = Signal(table.hash.hash_bits)
        m.d.comb += hashed.eq(Cat(xor_values(self.networks[1], list(ring), m, "b")))
        field, offset = hashed[: table.bucket_bits], hashed[table.bucket_bits :]
        m.d.comb += self.bucket.eq((field * table.buckets)[table.bucket_bits :])
        place = self._held(m, "place", offset)

        start_bits, _ = directory_widths(table)
        first, width = self.entry[:start_bits], self.entry[start_bits:]
        start = self._held(m, "start", (first + ((place * width) >> OFFSET_BITS))[:start_bits])
        self._ask(m, start)
        # the window word is the ring's lowest bits, H_M its highest, and at the widest window they overlap
        late = self._held(m, "late1", self._held(m, "late0", ring))
        word = late[: table.window - 1]
        h_m = self._held(m, "h_m", late[MIDDLE_BITS - table.t :])
        answer = Signal(table.t)
        m.d.comb += answer.eq(h_m ^ self._sums(m, start, Cat(1, word)))
        with m.If(self.read):
            m.d.sync += [self.o.p.label.eq(answer), self.o.p.kept.eq(answer < self.clusters)]
        return m

    def _held(self, m: Module, name: str, value: Value) -> Signal:
        """Return a value one stage later."""
        held = Signal(len(value), name=name, reset_less=True)
        with m.If(self.read):
            m.d.sync += held.eq(value)
        return held

    def _ask(self, m: Module, start: Signal) -> None:
        """Address the row of the first cell and the one behind it."""
        row = start[(row_cells(self.table) - 1).bit_length() :]
        even = Signal(self.address_bits)
        odd = Signal(self.address_bits)
        m.d.comb += [even.eq((row + 1) >> 1), odd.eq(row >> 1), self.addresses.eq(Cat(even, odd))]

    def _sums(self, m: Module, start: Signal, word: Value) -> Value:
        """XOR the cells of the window: t bits, one stage behind `start`."""
        row, t = row_cells(self.table), self.table.t
        shift = (row - 1).bit_length()
        at = start[:shift]
        turned = self._held(m, "turned", _turned(word, at, row))
        before = self._held(m, "before", at)
        odd = self._held(m, "odd", start[shift] if len(start) > shift else Const(0))
        # cells before the column where the window begins are in the next row, so in the other memory
        from_odd = Cat((before > column) ^ odd for column in range(row))
        chosen = [Signal(row, name=f"chosen{memory}") for memory in range(2)]
        m.d.comb += [chosen[0].eq(turned & ~from_odd), chosen[1].eq(turned & from_odd)]
        even_row, odd_row = self.cells[: row * t], self.cells[row * t :]
        # no column is chosen in both, so OR says the same as XOR, in fewer gates
        return Cat(
            ((Cat(even_row[bit::t]) & chosen[0]) | (Cat(odd_row[bit::t]) & chosen[1])).xor()
            for bit in range(t)
        )


def _turned(word: Value, at: Value, row: int) -> Value:
    """Rotate a window word to the columns of its cells: its bit i to column (at + i) mod row."""
    value: Value = Cat(word, Const(0, row - len(word))) if len(word) < row else word
    for stage, bit in enumerate(at):
        value = Mux(bit, value.rotate_left(1 << stage), value)
    return value


class BandDecoder(wiring.Component):
    """A lane, its directory and its two memories of rows, filled.

    Parameters
    ----------
    table : Banded
    clusters : int
    networks : pair of XorNetwork, optional

    Members
    -------
    i, o
        As of `BandLane`.
    """

    def __init__(self, table: Banded, clusters: int, networks: HashNetworks | None = None) -> None:
        self.lane = BandLane(table, clusters, networks)
        members = self.lane.signature.members
        super().__init__({"i": members["i"], "o": members["o"]})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lane = lane = self.lane
        table = lane.table
        wiring.connect(m, wiring.flipped(self.i), lane.i)
        wiring.connect(m, lane.o, wiring.flipped(self.o))
        start_bits, _ = directory_widths(table)
        widths = np.diff(table.starts)
        entries = [
            int(first) | int(width) << start_bits
            for first, width in zip(table.starts[:-1], widths, strict=True)
        ]
        self._attach(m, "directory", entries, len(lane.entry), lane.bucket, lane.entry)
        size = row_cells(table) * table.t
        for memory, rows in enumerate(row_tables(table)):
            words = [sum(int(cell) << (table.t * i) for i, cell in enumerate(row)) for row in rows]
            address = lane.addresses.word_select(memory, lane.address_bits)
            self._attach(m, f"rows{memory}", words, size, address, lane.cells.word_select(memory, size))
        return m

    def _attach(
        self, m: Module, name: str, words: list[int], width: int, address: Value, data_out: Value
    ) -> None:
        memory = Memory(shape=width, depth=len(words), init=words)
        m.submodules[name] = memory
        port = memory.read_port()
        m.d.comb += [port.addr.eq(address), port.en.eq(self.lane.read), data_out.eq(port.data)]
