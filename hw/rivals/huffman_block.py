"""Baseline decoder: as many Huffman lanes as a block has words."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from xorweave.golden.base.errors import InputError
from xorweave.hw.rivals.huffman import HuffmanLane


class HuffmanBlock(wiring.Component):
    """Canonical Huffman decoder (baseline): n_out lanes, each with a stream of its own, make one block a cycle.

    Parameters
    ----------
    lengths : mapping of int to int
        Code length of each symbol.
    n_out, n_w : int
        Words of a block, bits of a word.

    Members
    -------
    s_axis{r}_tdata : In(longest code)
        Bits of lane r, which decodes word r of every block, as `HuffmanLane` takes them.
    m_axis_tdata : Out(n_out * n_w)
    restart : In(1)
        Drops what is left of the last tensor.

    Raises
    ------
    InputError
        n_out is below 1.
    """

    def __init__(self, lengths: Mapping[int, int], n_out: int, n_w: int) -> None:
        if n_out < 1:
            raise InputError(f"n_out must be at least 1, not {n_out}")
        self.lengths, self.n_out, self.n_w = dict(lengths), n_out, n_w
        self.beat_bits = max(self.lengths.values())
        members: dict[str, wiring.Member] = {}
        for r in range(n_out):
            members |= {
                f"s_axis{r}_tdata": In(self.beat_bits),
                f"s_axis{r}_tvalid": In(1),
                f"s_axis{r}_tready": Out(1),
            }
        members |= {"m_axis_tdata": Out(n_out * n_w), "m_axis_tvalid": Out(1), "m_axis_tready": In(1)}
        super().__init__({**members, "restart": In(1)})

    def pins(self, prefix: str) -> tuple[tuple[str, int], ...]:
        """Return the pins that make a word of a stream, lowest first, and their widths."""
        return ((f"{prefix}_tdata", self.n_out * self.n_w if prefix == "m_axis" else self.beat_bits),)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = [HuffmanLane(self.lengths, self.n_w) for _ in range(self.n_out)]
        for r, lane in enumerate(lanes):
            m.submodules[f"lane{r}"] = lane
            m.d.comb += [
                lane.restart.eq(self.restart),
                lane.i.payload.eq(getattr(self, f"s_axis{r}_tdata")),
                lane.i.valid.eq(getattr(self, f"s_axis{r}_tvalid")),
                getattr(self, f"s_axis{r}_tready").eq(lane.i.ready),
            ]
        complete: Value = Cat(lane.o.valid for lane in lanes).all()
        m.d.comb += [
            self.m_axis_tdata.eq(Cat(lane.o.payload for lane in lanes)),
            self.m_axis_tvalid.eq(complete),
        ]
        # a word leaves with all others of its block; its own valid does not depend on its ready
        for lane in lanes:
            m.d.comb += lane.o.ready.eq(self.m_axis_tready & self.m_axis_tvalid)
        return m
