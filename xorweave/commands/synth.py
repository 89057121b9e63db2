"""``xorweave synth``: gates, area, clock and throughput of a generated decoder, with a proof."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import say, tell

if TYPE_CHECKING:
    from xorweave.synth.flow.synthesis import SynthesisResult


def synth(
    directory: Annotated[Path, typer.Argument(help="What generate or infer --engine wrote.")],
    target: Annotated[str, typer.Option(help="gates, ice40, ecp5, gowin or xilinx.")] = "gates",
    liberty: Annotated[
        Path | None, typer.Option(help="Liberty file (plain or .gz) for area and timing.")
    ] = None,
    clock: Annotated[float | None, typer.Option(help="Clock constraint in MHz; needs --liberty.")] = None,
    prove: Annotated[bool, typer.Option(help="Prove the netlist equal to matrix and protocol.")] = True,
    seeds: Annotated[
        int, typer.Option(help="On ice40, ecp5 and gowin: place and route with so many seeds; 0: only count.")
    ] = 5,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Count the gates of a decoder or an engine (NAND2 = 1), prove the netlist, give area and clock for a real library.

    A netlist that is refuted ends with status 1.
    """
    from xorweave.synth.package import synthesize_package
    from xorweave.synth.proof.induction import FAILED

    def progress(step: str) -> None:
        if sys.stderr.isatty():
            tell(step)

    result = synthesize_package(
        directory,
        target=target,
        liberty=liberty,
        clock_mhz=clock,
        prove=prove,
        seeds=seeds,
        progress=progress,
    )
    for note in result.notes:
        tell(note)
    if json_output:
        typer.echo(json.dumps(result.to_json()))
    else:
        _print_table(result)
    if result.equivalence == FAILED:
        raise typer.Exit(1)


_CLAIM = "matrix and stream protocol"


def _print_table(result: SynthesisResult) -> None:
    parts = result.equivalence_by_part
    rows: list[tuple[str, object, str]] = [
        ("library", result.library, ""),
        ("gate equivalents", result.gate_equivalents, "NAND2 = 1; everything behind the ports"),
        ("XOR2", result.xor2, "two-input XOR and XNOR cells"),
        ("flip-flops", result.flip_flops, ""),
        ("LUTs", result.luts, ""),
        ("depth", result.depth, "cells on the longest path"),
        ("area", result.area_um2, "um2"),
        ("critical path", result.critical_path_ns, "ns"),
        ("clock reached", result.fmax_mhz, "MHz" + _spread(result)),
        ("timing by", result.timing, ""),
        ("device", result.device, ""),
        ("outputs per cycle", result.outputs_per_cycle, "plane bits"),
        ("bits/cycle/kGE", result.bits_per_cycle_per_kge, ""),
        ("Gbit/s/kGE", result.gbit_per_s_per_kge, ""),
        ("memories", result.memory_bits, "bits, not among the gates"),
        ("equivalence", result.equivalence, "netlist = " + ("plain engine, by parts:" if parts else _CLAIM)),
        *((f"  {part}", outcome, "") for part, outcome in parts.items()),
        *((f"version of {tool}", value, "") for tool, value in result.tool_versions.items()),
    ]
    for name, value, unit in rows:
        if value is not None:
            figure = f"{value:.4g}" if isinstance(value, float) and value < 1000 else value
            figure = f"{value:.0f}" if isinstance(value, float) and value >= 1000 else figure
            say(f"{name:<20} {figure} {unit}".rstrip())


def _spread(result: SynthesisResult) -> str:
    clocks = result.fmax_mhz_by_seed
    return (
        "" if clocks is None else f", median of {len(clocks)} seeds, {min(clocks):.1f} .. {max(clocks):.1f}"
    )
