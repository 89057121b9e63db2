"""Runs the test bench in a simulator: compiles the Verilog, writes the job, reads the result."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xorweave.golden.base.errors import InputError
from xorweave.sim.simulators import require, search_path
from xorweave.sim.verilator_build import compile_model

STALLS = ("none", "random", "regular")


@dataclass(frozen=True)
class Port:
    """A stream of the simulated module and its words.

    Attributes
    ----------
    name : str
        The pins ``{name}valid`` and ``{name}ready`` (so ``s_axis_t`` or ``i_``).
    fields : tuple of (str, int)
        The pins that make a word, lowest first, and their widths.
    file : path
        Words in hexadecimal, one a line.
    """

    name: str
    fields: tuple[tuple[str, int], ...]
    file: Path

    def as_job(self) -> dict[str, Any]:
        """Return what the bench reads."""
        placed, low = [], 0
        for pin, width in self.fields:
            placed.append([pin, low, width])
            low += width
        return {
            "valid": f"{self.name}valid",
            "ready": f"{self.name}ready",
            "fields": placed,
            "file": str(self.file),
        }


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation found.

    Attributes
    ----------
    cycles : int
        Clock cycles from the end of reset to the last block.
    blocks : int
        Blocks that came out (since the last reset).
    stall_cycles : int
        Cycles after the first block without a block although, for longer than the pipeline is long, every
        input was valid and the output ready: those the decoder itself is to blame for.
    idle_cycles : int
        Cycles after the first block without a block, whoever caused them.
    mismatches : int
        Blocks that differ from the golden model's, changed while they waited, or never came.
    simulator : str
    messages : tuple of str
        The first ten mismatches in words.
    """

    cycles: int
    blocks: int
    stall_cycles: int
    idle_cycles: int
    mismatches: int
    simulator: str
    messages: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the figures of the command line's JSON object."""
        return {
            "cycles": self.cycles,
            "blocks": self.blocks,
            "stall_cycles": self.stall_cycles,
            "idle_cycles": self.idle_cycles,
            "mismatches": self.mismatches,
            "simulator": self.simulator,
        }


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    saved = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in saved.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def _build(runner: Any, sources: list[Path], top: str, folder: Path, simulator: str, waves: bool) -> None:
    """Compile, unless the folder already holds what these sources give."""
    digest = hashlib.sha256(f"{simulator};{waves}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    stamp = folder / "sources.sha256"
    if not (stamp.exists() and stamp.read_text() == digest.hexdigest()):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if simulator == "verilator":
            compile_model(sources, top, folder, waves=waves)
    if simulator == "icarus":
        runner.build(
            sources=sources,
            hdl_toplevel=top,
            build_dir=folder,
            build_args=["-g2001"],
            timescale=("1ns", "1ps"),
            waves=waves,
            log_file=folder / "build.log",
        )
    else:
        # what build() would have left behind for test()
        runner.build_dir, runner.sim_hdl_toplevel, runner.waves = folder, top, waves
    stamp.write_text(digest.hexdigest())


def run_bench(
    sources: Sequence[Path],
    top: str,
    inputs: Sequence[Port],
    output: Port,
    *,
    build_dir: Path,
    latency: int,
    static: Mapping[str, int] | None = None,
    simulator: str = "verilator",
    stalls: str = "none",
    seed: int = 0,
    waves: Path | str | None = None,
    order: Sequence[int] | None = None,
    reset_after: Sequence[int] = (),
) -> SimulationResult:
    """Feed streams into a module and compare the stream that comes out with the words it should be.

    Parameters
    ----------
    sources : sequence of path
        Verilog files.
    top : str
        The module, with ports clk and rst.
    inputs : sequence of Port
    output : Port
        Its words are the expected ones.
    build_dir : path
        Compiled models are kept in it, one folder a simulator.
    latency : int
        Cycles from an input to its output: stalls are counted only after so many cycles without a hindrance.
    static : mapping of str to int, optional
        Values of further input pins.
    simulator, stalls, seed, waves, order, reset_after
        As in `xorweave.sim.simulate.simulate`.

    Raises
    ------
    InputError
        No such kind of stalls, or the simulator is not there.
    RuntimeError
        The design does not compile, or the simulator broke off.
    """
    if stalls not in STALLS:
        raise InputError(f"stalls must be one of {', '.join(STALLS)}, not {stalls!r}")
    require(simulator)
    from cocotb_tools.runner import get_runner

    with tempfile.TemporaryDirectory(prefix="xorweave-sim-") as scratch, _environment(PATH=search_path()):
        job = Path(scratch) / "job.json"
        result = Path(scratch) / "result.json"
        job.write_text(
            json.dumps(
                {
                    "inputs": [port.as_job() for port in inputs],
                    "output": output.as_job(),
                    "static": dict(static or {}),
                    "latency": latency,
                    "stalls": stalls,
                    "seed": seed,
                    "order": None if order is None else [int(i) for i in order],
                    "reset_after": [int(i) for i in reset_after],
                    "result": str(result),
                }
            )
        )
        logging.getLogger("cocotb_tools").setLevel(logging.ERROR)
        log = Path(scratch) / "test.log"
        with contextlib.redirect_stdout(io.StringIO()):
            runner = get_runner(simulator)
            runner.log.setLevel(logging.ERROR)
            name = f"{simulator}-waves" if waves else simulator
            model_dir = build_dir / name
            _build(runner, list(sources), top, model_dir, simulator, bool(waves))
            try:
                runner.test(
                    test_module="xorweave.sim.decoder_bench",
                    hdl_toplevel=top,
                    hdl_toplevel_lang="verilog",
                    build_dir=model_dir,
                    test_dir=scratch,
                    results_xml=str(Path(scratch) / "results.xml"),
                    extra_env={"XORWEAVE_SIM_JOB": str(job), "COCOTB_LOG_LEVEL": "WARNING"},
                    waves=bool(waves),
                    timescale=("1ns", "1ps"),
                    log_file=log,
                )
            except (SystemExit, Exception) as error:
                tail = " ".join(log.read_text().splitlines()[-15:]) if log.exists() else ""
                raise RuntimeError(f"the simulation did not finish: {error} {tail}") from None
        if not result.exists():
            tail = " ".join(log.read_text().splitlines()[-15:]) if log.exists() else ""
            raise RuntimeError(f"the simulation ended without a result: {tail}")
        found = json.loads(result.read_text())
        if waves:
            _keep_waves(Path(scratch), model_dir, Path(waves))
    return SimulationResult(
        cycles=found["cycles"],
        blocks=found["blocks"],
        stall_cycles=found["stall_cycles"],
        idle_cycles=found["idle_cycles"],
        mismatches=found["mismatches"],
        simulator=simulator,
        messages=tuple(found["messages"]),
    )


def _keep_waves(scratch: Path, build_dir: Path, target: Path) -> None:
    made = [
        file
        for folder in (scratch, build_dir)
        for pattern in ("*.vcd", "*.fst")
        for file in folder.glob(pattern)
    ]
    if not made:
        raise RuntimeError("the simulator wrote no waves")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(str(made[0]), target)
