"""Streams of symbols through the decoder of a mask, every block held up once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.sim import Simulator


def blocks_of(dut: Any, streams: Sequence[Sequence[int]]) -> list[int]:
    """Return the mask bits of every block, bit r that of output r, stream after stream."""
    got: list[int] = []

    async def run(ctx):  # type: ignore[no-untyped-def]
        ctx.set(dut.i.valid, 1)
        for symbols in streams:
            for t, symbol in enumerate(symbols):
                ctx.set(dut.i.p.symbol, symbol)
                ctx.set(dut.i.p.first, t == 0)
                ctx.set(dut.o.ready, 0)  # a block that is not taken must not move the registers
                await ctx.tick()
                ctx.set(dut.o.ready, 1)
                got.append(ctx.get(dut.o.payload))
                await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(run)
    simulator.run()
    return got
