"""cocotb test bench of a decoder: drives every port from golden vectors and compares every word that comes out.

It runs inside the simulator, once a cycle: inputs change at the falling edge of the clock, are looked at when all
is settled, and take effect at the rising edge. What to do is read from the job file that `run_bench` writes.
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


def read_vectors(path: Path) -> list[int]:
    """Read a file of one hexadecimal word a line, as ``$readmemh`` does."""
    return [int(line, 16) for line in path.read_text().split()]


def _pace(stalls: str, period: int, seed: int) -> Callable[[int], bool]:
    """Return a function that says in which cycles a port is willing."""
    if stalls == "none":
        return lambda cycle: True
    if stalls == "regular":
        return lambda cycle: cycle % period != 0
    rng = random.Random(seed)
    return lambda cycle: rng.random() < 0.7


class _Source:
    """Offers one word after the other; once valid, a word stays until it is taken."""

    def __init__(
        self, words: list[int], pace: Callable[[int], bool], drive: Callable[[int], None], pins: Any
    ) -> None:
        self.words, self.pace, self.drive = words, pace, drive
        self.valid_pin, self.ready_pin = pins
        self.rewind()

    def rewind(self) -> None:
        self.index, self.valid, self.taken = 0, False, False
        self.valid_pin.value = 0

    def before_edge(self, cycle: int) -> None:
        if self.taken:
            self.index += 1
            self.valid = False
        if not self.valid and self.index < len(self.words) and self.pace(cycle):
            self.valid = True
            self.drive(self.words[self.index])
            self.valid_pin.value = 1
        elif self.taken and not self.valid:
            self.valid_pin.value = 0
        self.taken = False

    def settled(self) -> None:
        self.taken = self.valid and int(self.ready_pin.value) == 1


def _pins(dut: Any, port: dict[str, Any]) -> list[tuple[Any, int, int]]:
    """Return (pin, lowest bit, mask) of the fields a port's words are made of."""
    return [(getattr(dut, name), low, (1 << width) - 1) for name, low, width in port["fields"]]


def _driver(fields: list[tuple[Any, int, int]]) -> Callable[[int], None]:
    def drive(word: int) -> None:
        for pin, low, mask in fields:
            pin.value = word >> low & mask

    return drive


@cocotb.test()
async def streams_equal_golden_vectors(dut: Any) -> None:
    """Every word, in order, bit for bit; held still while it waits."""
    job = json.loads(Path(os.environ["XORWEAVE_SIM_JOB"]).read_text())
    order, stalls, seed = job["order"], job["stalls"], job["seed"]

    def words(port: dict[str, Any]) -> list[int]:
        found = read_vectors(Path(port["file"]))
        return found if order is None else [found[i] for i in order]

    sources = []
    for number, port in enumerate(job["inputs"]):
        fields = _pins(dut, port)
        pins = getattr(dut, port["valid"]), getattr(dut, port["ready"])
        pace = _pace(stalls, 4 + number, seed + number)
        sources.append(_Source(words(port), pace, _driver(fields), pins))
        for pin, _, _ in fields:
            pin.value = 0
    sink = _pace(stalls, 3, seed + 9)
    output = job["output"]
    expected = words(output)
    out_fields = _pins(dut, output)
    out_ready, out_valid = getattr(dut, output["ready"]), getattr(dut, output["valid"])
    for name, value in job["static"].items():
        getattr(dut, name).value = value

    clock = dut.clk
    out_ready.value = 0
    dut.rst.value = 1
    for source in sources:
        source.rewind()
    Clock(clock, 10, unit="ns").start()
    for _ in range(3):
        await FallingEdge(clock)
    dut.rst.value = 0

    resets = list(job["reset_after"])
    cycles = received = stall_cycles = mismatches = idle = 0
    unhindered = 0
    waiting: int | None = None
    messages: list[str] = []
    limit = 40 * len(expected) + 1000
    while received < len(expected) and cycles < limit:
        cycles += 1
        for source in sources:
            source.before_edge(cycles)
        ready = sink(cycles)
        out_ready.value = int(ready)
        await ReadOnly()
        for source in sources:
            source.settled()
        got = None
        if int(out_valid.value):
            got = sum(int(pin.value) << low for pin, low, _ in out_fields)
        if waiting is not None and got != waiting:
            mismatches += 1
            messages.append(f"block {received} changed while it waited")
        waiting = got if got is not None and not ready else None
        hindered = not ready or any(not s.valid and s.index < len(s.words) for s in sources)
        unhindered = 0 if hindered else unhindered + 1
        if got is not None and ready:
            if got != expected[received]:
                mismatches += 1
                messages.append(f"block {received}: got {got:x}, expected {expected[received]:x}")
            received += 1
        elif received:
            idle += 1
            # nobody outside held anything back for longer than the pipeline is long: the decoder did
            stall_cycles += unhindered > job["latency"]
        await FallingEdge(clock)
        if resets and received == resets[0]:
            resets.pop(0)
            dut.rst.value = 1
            out_ready.value = 0
            for source in sources:
                source.rewind()
            await FallingEdge(clock)
            await FallingEdge(clock)
            dut.rst.value = 0
            received, waiting, unhindered = 0, None, 0
    missing = len(expected) - received
    if missing:
        messages.append(f"{missing} blocks never came")
    Path(job["result"]).write_text(
        json.dumps(
            {
                "cycles": cycles,
                "blocks": received,
                "stall_cycles": stall_cycles,
                "idle_cycles": idle,
                "mismatches": mismatches + missing,
                "messages": messages[:10],
            }
        )
    )
