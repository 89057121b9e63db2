"""A Bloomier decoder: hash units of XOR gates, banked table reads, XOR, compare. One query a cycle for each lane."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from xorweave.golden.base.bit_fields import width_for
from xorweave.golden.base.errors import InputError
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.golden.weightless.key_hash import MIDDLE_BITS
from xorweave.golden.weightless.layout import Layout
from xorweave.hw.rivals.key_hash import HashNetworks, hash_networks, ring_value, xor_values


def bank_depth(layout: Layout) -> int:
    """Cells of one of the k memories."""
    if layout.kind == "uniform":
        return layout.bank
    return -(-(layout.starts + layout.k - 1) // layout.k) * layout.bank


def bank_tables(table: Bloomier) -> NDArray[np.uint32]:
    """Deal the cells of a filter to k memories so that every query reads each of them once.

    uniform: bank j. fuse: segment s is in memory s mod k, as a key's segments are k neighbours.

    Returns
    -------
    ndarray of uint32, shape (k, bank_depth)
    """
    layout = table.layout
    memories = np.zeros((layout.k, bank_depth(layout)), np.uint32)
    for first in range(0, layout.cells, layout.bank):
        segment = first // layout.bank
        memory, place = segment % layout.k, segment // layout.k * layout.bank
        memories[memory, place : place + layout.bank] = table.table[first : first + layout.bank]
    return memories


class BloomierLane(wiring.Component):
    """The logic of a Bloomier decoder; its k memories are outside, each with a registered read.

    A query flows through four registers: behind the first XOR network and its AND layer, behind the second one
    (addresses), in the memories, and behind the XOR and the comparison. Nothing depends on the data, so a query
    is taken in every cycle in which the far side takes an answer.

    Parameters
    ----------
    table : Bloomier
        Sizes and hash are taken from it, the cells are not.
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
    addresses : Out(k * address bits), read : Out(1)
        To the memories: lowest bits to memory 0; `read` holds their output registers when 0.
    cells : In(k * t)
        From the memories, one cycle later.

    Raises
    ------
    InputError
        The networks do not compute the hash, or `clusters` is out of range.
    """

    def __init__(self, table: Bloomier, clusters: int, networks: HashNetworks | None = None) -> None:
        if not 1 <= clusters < 1 << table.t:
            raise InputError(f"clusters must be between 1 and {(1 << table.t) - 1}, not {clusters}")
        self.table = table
        self.clusters = clusters
        self.networks = hash_networks(table.hash, networks)
        self.address_bits = width_for(bank_depth(table.layout) - 1)
        answer = data.StructLayout({"label": table.t, "kept": 1})
        super().__init__(
            {
                "i": In(stream.Signature(table.key_bits)),
                "o": Out(stream.Signature(answer)),
                "addresses": Out(table.layout.k * self.address_bits),
                "read": Out(1),
                "cells": In(table.layout.k * table.t),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        table, layout, t = self.table, self.table.layout, self.table.t
        step = self.read
        valid = [Signal(name=f"valid{stage}") for stage in range(4)]
        m.d.comb += [
            step.eq(~valid[3] | self.o.ready),
            self.i.ready.eq(step),
            self.o.valid.eq(valid[3]),
        ]
        with m.If(step):
            m.d.sync += [flag.eq(before) for flag, before in zip(valid, [self.i.valid, *valid], strict=False)]

        ring = Signal(MIDDLE_BITS, reset_less=True)
        following = ring_value(table.hash, self.networks[0], self.i.payload, m)
        with m.If(step):
            m.d.sync += ring.eq(following)

        hashed = Signal(table.hash.hash_bits)
        m.d.comb += hashed.eq(Cat(xor_values(self.networks[1], list(ring), m, "b")))
        h_m = Signal(t, reset_less=True)
        addresses = [Signal(self.address_bits, name=f"address{j}", reset_less=True) for j in range(layout.k)]
        with m.If(step):
            m.d.sync += h_m.eq(hashed[layout.hash_bits :])
            m.d.sync += [
                held.eq(value) for held, value in zip(addresses, self._addresses(m, hashed), strict=True)
            ]
        m.d.comb += self.addresses.eq(Cat(addresses))

        h_m_late = Signal(t, reset_less=True)
        answer = Signal(t)
        value = h_m_late
        for j in range(layout.k):
            value = value ^ self.cells[j * t : (j + 1) * t]
        m.d.comb += answer.eq(value)
        with m.If(step):
            m.d.sync += [
                h_m_late.eq(h_m),
                self.o.p.label.eq(answer),
                self.o.p.kept.eq(answer < self.clusters),
            ]
        return m

    def _addresses(self, m: Module, hashed: Signal) -> list[Value]:
        """Address of each memory as a function of the hash."""
        layout = self.table.layout
        width, k = layout.field_bits, layout.k
        if layout.kind == "uniform":
            return [(hashed[j * width : (j + 1) * width] * layout.bank) >> width for j in range(k)]
        start = Signal(width_for(layout.starts - 1))
        row = Signal(width_for(max(1, (layout.starts - 1) // k)))
        turn = Signal(range(k))
        m.d.comb += [
            start.eq((hashed[:width] * layout.starts) >> width),
            row.eq(start // k),
            turn.eq(start % k),
        ]
        offsets = [
            hashed[width + j * layout.offset_bits : width + (j + 1) * layout.offset_bits] for j in range(k)
        ]
        addresses: list[Value] = []
        for memory in range(k):
            # memory b serves cell j = (b - start) mod k, in the next row when start + j passes a multiple of k
            offset = Signal(max(1, layout.offset_bits), name=f"offset{memory}")
            with m.Switch(turn):
                for at in range(k):
                    with m.Case(at):
                        m.d.comb += offset.eq(offsets[(memory - at) % k])
            in_next_row = turn > memory
            addresses.append(Cat(offset[: layout.offset_bits], row + Mux(in_next_row, 1, 0)))
        return addresses


class BloomierDecoder(wiring.Component):
    """A lane and its k memories, filled.

    Parameters
    ----------
    table : Bloomier
    clusters : int
    networks : pair of XorNetwork, optional

    Members
    -------
    i, o
        As of `BloomierLane`.
    """

    def __init__(self, table: Bloomier, clusters: int, networks: HashNetworks | None = None) -> None:
        self.lane = BloomierLane(table, clusters, networks)
        members = self.lane.signature.members
        super().__init__({"i": members["i"], "o": members["o"]})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lane = lane = self.lane
        t = lane.table.t
        wiring.connect(m, wiring.flipped(self.i), lane.i)
        wiring.connect(m, lane.o, wiring.flipped(self.o))
        for j, cells in enumerate(bank_tables(lane.table)):
            memory = Memory(shape=t, depth=cells.size, init=[int(cell) for cell in cells])
            m.submodules[f"bank{j}"] = memory
            port = memory.read_port()
            m.d.comb += [
                port.addr.eq(lane.addresses[j * lane.address_bits : (j + 1) * lane.address_bits]),
                port.en.eq(lane.read),
                lane.cells[j * t : (j + 1) * t].eq(port.data),
            ]
        return m
