"""Runs the test bench in a simulator: compiles the Verilog, writes the job, reads the result."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.whole_file import whole_file
from xorweave.golden.files.outputs import check_output
from xorweave.hw.package.manifest import Manifest
from xorweave.sim.simulators import require, search_path
from xorweave.sim.verilator_build import build_folder, cache_folder, compile_model, copy_sources

STALLS = ("none", "random", "regular", "sink", "source")
#: Compiled models that are kept for the next run of the same Verilog.
KEPT_MODELS = 32


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
    pairs : int
        Pairs of a stall and a place in a stream: every stream is held up, and every input pauses, at the first word
        of a scene, inside it and at its last word.
    unmet : tuple of str
        Those that never came about, in words. The first word of an empty decoder is never held up.
    """

    cycles: int
    blocks: int
    stall_cycles: int
    idle_cycles: int
    mismatches: int
    simulator: str
    messages: tuple[str, ...]
    full_rate: bool = True
    pairs: int = 0
    unmet: tuple[str, ...] = ()

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
            "pairs": self.pairs,
            "unmet": list(self.unmet),
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


def _model(sources: Sequence[Path], top: str, scratch: Path, simulator: str, waves: bool) -> None:
    """Put the compiled model into `scratch`: one that was kept, if it was made of these sources with these tools."""
    from cocotb_tools import config

    model = scratch / ("sim.vvp" if simulator == "icarus" else top)
    made_of = [simulator, str(waves), top, str(config.libs_dir), *map(version, ("cocotb", "verilator"))]
    digest = hashlib.sha256("\n".join(made_of).encode())
    for source in sources:
        digest.update(hashlib.sha256(source.read_bytes()).digest())
    kept: Path | None = None
    with contextlib.suppress(RuntimeError):  # there is no home
        kept = cache_folder() / "models" / digest.hexdigest()[:32]
    if simulator == "verilator" and kept is not None and kept.is_file():
        shutil.copy(kept, model)
        kept.touch()
        return
    if simulator == "icarus":
        _compile_for_icarus(sources, top, scratch, waves=waves)
        return
    compile_model(sources, top, scratch, waves=waves)
    if kept is not None:
        _keep(model, kept)


def _keep(model: Path, kept: Path) -> None:
    """Keep a compiled model, and no more than the last few; where nothing can be kept, the next run compiles again."""
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(kept) as partial:
            shutil.copy(model, partial)
        ages = sorted(kept.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for older in ages[:-KEPT_MODELS]:
            older.unlink()


def _compile_for_icarus(sources: Sequence[Path], top: str, folder: Path, *, waves: bool) -> None:
    names = copy_sources(sources, folder)
    (folder / "timescale.f").write_text("+timescale+1ns/1ps\n")
    command = ["iverilog", "-o", "sim.vvp", "-s", top, "-g2001", "-f", "timescale.f", *names]
    if waves:
        dump = f'module dump; initial begin $dumpfile("waves.fst"); $dumpvars(0, {top}); end endmodule\n'
        (folder / "dump.v").write_text(dump)
        command += ["-s", "dump", "dump.v"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).splitlines()[-4:])
        raise ToolError(f"iverilog could not compile {top}: {said}")


def run_bench(
    sources: Sequence[Path],
    manifest: Manifest,
    scenes: Sequence[Mapping[str, Any]],
    *,
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
    simulator, stalls, seed, waves
        As in `xorweave.sim.simulate.simulate`.

    Raises
    ------
    InputError
        No such kind of stalls, or the simulator is not there.
    ToolError
        The design does not compile, or the simulator broke off.
    """
    if stalls not in STALLS:
        raise InputError(f"stalls must be one of {', '.join(STALLS)}, not {stalls!r}")
    require(simulator)
    if waves is not None:
        _check_waves(Path(waves), simulator)
    from cocotb_tools.runner import get_runner

    with build_folder() as scratch, _environment(PATH=search_path()):
        job = scratch / "job.json"
        result = scratch / "result.json"
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
        log = scratch / "test.log"
        with contextlib.redirect_stdout(io.StringIO()):
            runner = get_runner(simulator)
            runner.log.setLevel(logging.ERROR)
            _model(list(sources), manifest.top, scratch, simulator, waves is not None)
            # what build() would have left behind for test()
            runner.build_dir, runner.sim_hdl_toplevel = scratch, manifest.top
            runner.waves = waves is not None
            try:
                runner.test(
                    test_module="xorweave.sim.decoder_bench",
                    hdl_toplevel=manifest.top,
                    hdl_toplevel_lang="verilog",
                    build_dir=scratch,
                    test_dir=scratch,
                    results_xml=str(scratch / "results.xml"),
                    extra_env={"XORWEAVE_SIM_JOB": str(job), "COCOTB_LOG_LEVEL": "WARNING"},
                    waves=runner.waves,
                    timescale=("1ns", "1ps"),
                    log_file=log,
                )
            except (SystemExit, Exception) as error:
                tail = " ".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
                raise ToolError(f"the simulation did not finish: {error} {tail}") from None
        if not result.exists():
            tail = " ".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else ""
            raise ToolError(f"the simulation ended without a result: {tail}")
        found = json.loads(result.read_text())
        if waves is not None:
            _keep_waves(scratch, Path(waves))
    return SimulationResult(
        cycles=found["cycles"],
        blocks=found["blocks"],
        stall_cycles=found["stall_cycles"],
        idle_cycles=found["idle_cycles"],
        mismatches=found["mismatches"],
        simulator=simulator,
        messages=tuple(found["messages"]),
        full_rate=manifest.full_rate,
        pairs=found["pairs"],
        unmet=tuple(found["unmet"]),
    )


def _check_waves(waves: Path, simulator: str) -> None:
    """Refuse a place for waves before anything is simulated: another kind of name, or somebody else's file."""
    suffix = ".fst" if simulator == "icarus" else ".vcd"
    if waves.suffix.lower() != suffix:
        raise InputError(f"the waves of {simulator} must be named {suffix}, not {waves.name!r:.200}")
    if waves.parent.exists():  # else it is made
        check_output(waves, suffix=suffix)


def _keep_waves(scratch: Path, target: Path) -> None:
    made = [file for pattern in ("*.vcd", "*.fst") for file in scratch.glob(pattern)]
    if not made:
        raise ToolError("the simulator wrote no waves")
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as partial:
        shutil.move(made[0], partial)
