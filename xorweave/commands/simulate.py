"""``xorweave simulate``: a generated decoder against the golden model, cycle for cycle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xorweave.commands.console import print_json, say, tell


def simulate(
    directory: Annotated[Path, typer.Argument(help="A folder written by generate")],
    simulator: Annotated[str, typer.Option(help="verilator or icarus")] = "verilator",
    stalls: Annotated[
        str,
        typer.Option(help="none; random or regular, on all ports; sink or source: random, on that side only"),
    ] = "none",
    restarts: Annotated[
        bool, typer.Option("--restarts", help="Then restarts, resets in mid-stream, errors and their flags")
    ] = False,
    waves: Annotated[
        Path | None, typer.Option(help="Write the waves to this .vcd file (Icarus: .fst)")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random stalls")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Simulate a generated decoder and compare every word of every cycle with the golden model."""
    from xorweave.sim.simulate import simulate as run

    result = run(directory, simulator=simulator, stalls=stalls, restarts=restarts, waves=waves, seed=seed)
    if as_json:
        print_json(result.as_json())
    else:
        say(
            f"{result.simulator}: {result.blocks} blocks in {result.cycles} cycles, "
            f"{result.stall_cycles} stall cycles, {result.mismatches} mismatches"
        )
        if stalls != "none":
            unmet = f"; not: {', '.join(result.unmet)}" if result.unmet else ""
            met = result.pairs - len(result.unmet)
            say(f"{met} of {result.pairs} pairs of a stall and a place in a stream met{unmet}")
    for message in result.messages:
        tell(message)
    if not result.passed:
        raise typer.Exit(1)
