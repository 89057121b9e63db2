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
from xorweave.hw.package.manifest import Manifest
from xorweave.sim.simulators import require, search_path
from xorweave.sim.verilator_build import compile_model

STALLS = ("none", "random", "regular", "sink", "source")


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation found.

    Attributes
    ----------
    cycles : int
        Clock cycles from the end of reset to the last block; with restarts, of all scenes.
    blocks : int
        Blocks that came out.
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
    full_rate : bool
        Whether the decoder promises a block in every cycle in which nobody hinders it.
    """

    cycles: int
    blocks: int
    stall_cycles: int
    idle_cycles: int
    mismatches: int
    simulator: str
    messages: tuple[str, ...]
    full_rate: bool = True

    @property
    def passed(self) -> bool:
        """Every word right, and at the full rate if the decoder promises it."""
        return not self.mismatches and not (self.full_rate and self.stall_cycles)

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
    manifest: Manifest,
    scenes: Sequence[Mapping[str, Any]],
    *,
    build_dir: Path,
    simulator: str = "verilator",
    stalls: str = "none",
    seed: int = 0,
    waves: Path | str | None = None,
) -> SimulationResult:
    """Feed streams into a module and compare the stream that comes out with the words it should be.

    Parameters
    ----------
    sources : sequence of path
        Verilog files.
    manifest : Manifest
        Names the module, which has ports clk and rst, its streams and its latency: stalls are counted only after so
        many cycles without a hindrance.
    scenes : sequence of mapping
        What is played, one after the other: as `Scene`, with the words of the inputs in the manifest's order, and
        those to expect.
    build_dir : path
        Compiled models are kept in it, one folder a simulator.
    simulator, stalls, seed, waves
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
                    "inputs": [{"prefix": s.prefix, "pins": s.pins} for s in manifest.inputs],
                    "output": {"prefix": manifest.output.prefix, "pins": manifest.output.pins},
                    "scenes": list(scenes),
                    "latency": manifest.latency,
                    "stalls": stalls,
                    "seed": seed,
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
            _build(runner, list(sources), manifest.top, model_dir, simulator, bool(waves))
            try:
                runner.test(
                    test_module="xorweave.sim.decoder_bench",
                    hdl_toplevel=manifest.top,
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
        full_rate=manifest.full_rate,
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
