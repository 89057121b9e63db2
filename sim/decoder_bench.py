"""cocotb test bench of a decoder: drives every port from golden vectors and compares every word that comes out.

It runs inside the simulator, once a cycle: inputs change at the falling edge of the clock, are looked at when all
is settled, and take effect at the rising edge. What to do is read from the job file that `run_bench` writes. It plays
scenes as the Verilog test bench of a package does: see `xorweave.hw.package.stream_design.Scene`.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

TAIL = 24  # cycles, and the latency, that are watched after the last word of a scene

Pace = Callable[[int], bool]
Pair = tuple[str, str, str]  # a stream, what happens to it, at which of its words


def _places(count: int) -> list[str]:
    return ["first", "inside", "last"] if count > 2 else ["first", "last"][:count]


def _place(index: int, count: int) -> str:
    return "first" if index == 0 else "last" if index == count - 1 else "inside"


def _pace(stalls: str, period: int, seed: int) -> Pace:
    """Return a function that says in which cycles a port is willing."""
    if stalls == "none":
        return lambda cycle: True
    if stalls == "regular":
        return lambda cycle: cycle % period != 0
    rng = random.Random(seed)
    return lambda cycle: rng.random() < 0.7


class _Pins:
    """The pins a stream's words are made of, and its handshake."""

    def __init__(self, dut: Any, port: dict[str, Any]) -> None:
        self.fields, low = [], 0
        for name, width in port["pins"]:
            self.fields.append((getattr(dut, name), low, (1 << width) - 1))
            low += width
        self.valid = getattr(dut, f"{port['prefix']}_tvalid")
        self.ready = getattr(dut, f"{port['prefix']}_tready")

    def drive(self, word: int) -> None:
        for pin, low, mask in self.fields:
            pin.value = word >> low & mask

    def read(self) -> int:
        return sum(int(pin.value) << low for pin, low, _ in self.fields)


class _Source:
    """Offers one word after the other; once valid, a word stays until it is taken."""

    def __init__(self, pins: _Pins, pace: Pace) -> None:
        self.pins, self.pace = pins, pace
        self.play([])

    def play(self, words: list[int]) -> None:
        self.words, self.index, self.valid, self.taken = words, 0, False, False
        self.pins.valid.value = 0
        self.pins.drive(0)

    @property
    def hesitates(self) -> bool:
        return not self.valid and self.index < len(self.words)

    @property
    def held_up(self) -> bool:
        return self.valid and not self.taken

    @property
    def done(self) -> bool:
        return self.index + int(self.taken) >= len(self.words)

    def before_edge(self, cycle: int) -> None:
        if self.taken:
            self.index += 1
            self.valid = False
        if not self.valid and self.index < len(self.words) and self.pace(cycle):
            self.valid = True
            self.pins.drive(self.words[self.index])
            self.pins.valid.value = 1
        elif self.taken and not self.valid:
            self.pins.valid.value = 0
        self.taken = False

    def settled(self) -> None:
        self.taken = self.valid and int(self.pins.ready.value) == 1


class _Bench:
    """Plays scenes, counts, and keeps the first messages."""

    def __init__(self, dut: Any, job: dict[str, Any]) -> None:
        self.dut, self.job = dut, job
        stalls, seed = job["stalls"], job["seed"]
        at_source = {"sink": "none", "source": "random"}.get(stalls, stalls)
        at_sink = {"sink": "random", "source": "none"}.get(stalls, stalls)
        self.sources = [
            _Source(_Pins(dut, port), _pace(at_source, 4 + number, seed + number))
            for number, port in enumerate(job["inputs"])
        ]
        self.sink = _pace(at_sink, 3, seed + 9)
        self.out = _Pins(dut, job["output"])
        self.cycles = self.received = self.stall_cycles = self.idle = self.mismatches = 0
        self.messages: list[str] = []
        self.met: set[Pair] = set()
        self.pairs: set[Pair] = set()

    def note_pairs(self, waits: bool, block: int, blocks: int) -> None:
        """Note which stream pauses or is held up in this cycle, and at which of its words."""
        for port, source in zip(self.job["inputs"], self.sources, strict=True):
            place = _place(source.index, len(source.words))
            if source.hesitates:
                self.met.add((port["prefix"], "pauses", place))
            elif source.held_up:
                self.met.add((port["prefix"], "is held up", place))
        if waits and block < blocks:
            self.met.add((self.job["output"]["prefix"], "is held up", _place(block, blocks)))

    def wrong(self, message: str, count: int = 1) -> None:
        self.mismatches += count
        if len(self.messages) < 10:
            self.messages.append(message)

    async def set_up(self, scene: dict[str, Any]) -> None:
        """Put a scene's pins and, if it wants that, reset."""
        clock, dut = self.dut.clk, self.dut
        self.out.ready.value = 0
        for source in self.sources:
            source.play([])
        if scene["reset"]:
            dut.rst.value = 1
            for name, value in scene["static"].items():
                getattr(dut, name).value = value
            for _ in range(4):
                await FallingEdge(clock)
            dut.rst.value = 0
        for name, value in scene["static"].items():
            getattr(dut, name).value = 1 if name in scene["pulses"] else value
        if scene["pulses"]:
            await FallingEdge(clock)
            for name in scene["pulses"]:
                getattr(dut, name).value = scene["static"][name]

    async def play(self, scene: dict[str, Any]) -> None:
        """Play one scene to its end."""
        await self.set_up(scene)
        name, expected = scene["name"], scene["expected"]
        for source, words in zip(self.sources, scene["words"], strict=True):
            source.play(words)
        for port, words in zip(self.job["inputs"], scene["words"], strict=True):
            self.pairs |= {
                (port["prefix"], what, place)
                for what in ("pauses", "is held up")
                for place in _places(len(words))
            }
        self.pairs |= {
            (self.job["output"]["prefix"], "is held up", place) for place in _places(len(expected))
        }
        block = unhindered = cycle = tail = 0
        limit = 40 * (len(expected) + 100)
        waiting: int | None = None
        length = self.job["latency"] + (4 if scene["cut"] else TAIL)
        while tail < length:
            over = block == len(expected) and (scene["cut"] or all(source.done for source in self.sources))
            tail += int(over)
            if not over:
                cycle += 1
            if cycle > limit:
                self.wrong(f"{name}: {len(expected) - block} blocks never came", len(expected) - block + 1)
                break
            for source in self.sources:
                source.before_edge(cycle + tail)
            # a scene that is cut off ends with a sink that waits: every buffer is full when the reset comes
            ready = self.sink(cycle + tail) and not (over and scene["cut"])
            self.out.ready.value = int(ready)
            await ReadOnly()
            for source in self.sources:
                source.settled()
            got = self.out.read() if int(self.out.valid.value) else None
            if waiting is not None and (got is None or (got != waiting and scene["compared"])):
                self.wrong(f"{name}: block {block} changed while it waited")
            waiting = got if got is not None and not ready else None
            self.note_pairs(waiting is not None, block, len(expected))
            hindered = not ready or any(source.hesitates for source in self.sources)
            unhindered = 0 if hindered else unhindered + 1
            if got is not None and ready:
                if block == len(expected):
                    self.wrong(f"{name}: a block too much, {got:x}")
                else:
                    if scene["compared"] and got != expected[block]:
                        self.wrong(f"{name}: block {block}: got {got:x}, expected {expected[block]:x}")
                    block += 1
            elif 0 < block < len(expected):
                self.idle += 1
                # nobody outside held anything back for longer than the pipeline is long: the decoder did
                self.stall_cycles += scene["full_rate"] and unhindered > self.job["latency"]
            await FallingEdge(self.dut.clk)
        self.cycles += cycle
        self.received += block
        for pin, value in scene["flags"].items():
            got = int(getattr(self.dut, pin).value)
            if got != value:
                self.wrong(f"{name}: {pin} is {got}, not {value}")


@cocotb.test()
async def streams_equal_golden_vectors(dut: Any) -> None:
    """Every word, in order, bit for bit; held still while it waits; none too much; flags as they should be."""
    job = json.loads(Path(os.environ["XORWEAVE_SIM_JOB"]).read_text())
    bench = _Bench(dut, job)
    dut.rst.value = 1
    bench.out.ready.value = 0
    Clock(dut.clk, 10, unit="ns").start()
    await FallingEdge(dut.clk)
    for scene in job["scenes"]:
        try:
            await bench.play(scene)
        except ValueError as error:  # a pin that is neither 0 nor 1
            bench.wrong(f"{scene['name']}: {error}"[:200])
            break
    Path(job["result"]).write_text(
        json.dumps(
            {
                "cycles": bench.cycles,
                "blocks": bench.received,
                "stall_cycles": bench.stall_cycles,
                "idle_cycles": bench.idle,
                "mismatches": bench.mismatches,
                "messages": bench.messages,
                "pairs": len(bench.pairs),
                "unmet": [" ".join(pair) for pair in sorted(bench.pairs - bench.met)],
            }
        )
    )
