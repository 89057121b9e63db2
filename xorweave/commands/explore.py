"""``xorweave explore``: sweep codes, and draw the map from overhead to gates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xorweave.commands.console import say, tell
from xorweave.golden.base.errors import InputError


def _numbers(name: str, text: str, kind: type) -> list:
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError:
        raise InputError(f"--{name} must be numbers separated by commas, not {text!r}") from None


def explore(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the points, table and page.")],
    n_in: Annotated[str, typer.Option(help="Widths of the symbol.")] = "32,64,128",
    slack: Annotated[
        str, typer.Option(help="Payload above the entropy limit, fractions.")
    ] = "0.01,0.02,0.04",
    n_s: Annotated[str, typer.Option(help="Earlier symbols held.")] = "1,2",
    families: Annotated[str, typer.Option(help="Generator families.")] = "uniform,sparse,chain,paired",
    taps: Annotated[str, typer.Option(help="Taps, for the families that take them.")] = "2,6",
    sharing: Annotated[str, typer.Option(help="yosys, matrix: who shares sub-expressions.")] = "matrix",
    registers: Annotated[str, typer.Option(help="Input register: 0, 1 or 0,1.")] = "0",
    planes: Annotated[int, typer.Option(help="Planes side by side.")] = 1,
    sparsity: Annotated[float, typer.Option(help="Share of pruned weights.")] = 0.9,
    weights: Annotated[int, typer.Option(help="Random weights to encode for the overhead.")] = 1 << 19,
    liberty: Annotated[Path | None, typer.Option(help="Liberty file, for clock and Gbit/s/kGE.")] = None,
    clock: Annotated[float | None, typer.Option(help="Clock constraint in MHz.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the generators.")] = 0,
) -> None:
    """Measure many codes and decoders; interrupt it when you like, the same command goes on."""
    from xorweave.golden.files.outputs import check_output_files
    from xorweave.studies.explore import PAGE, RESULTS, TABLE, grid, pareto
    from xorweave.studies.explore import explore as run_sweep

    check_output_files(output, RESULTS)
    candidates = grid(
        n_in=_numbers("n-in", n_in, int),
        slack=_numbers("slack", slack, float),
        n_s=_numbers("n-s", n_s, int),
        families=families.split(","),
        taps=_numbers("taps", taps, int),
        sharing=sharing.split(","),
        input_register=[bool(number) for number in _numbers("registers", registers, int)],
        planes=planes,
        sparsity=sparsity,
        seed=seed,
    )

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            typer.echo(f"\r{done} of {total}", nl=done == total, err=True)

    found = run_sweep(
        candidates,
        output,
        sparsity=sparsity,
        weights=weights,
        liberty=liberty,
        clock_mhz=clock,
        jobs=jobs,
        progress=progress,
    )
    points = [point for point in found if "error" not in point]
    for point in found:
        if "error" in point:
            tell(f"{point['code']} was not measured: {point['error']}")
    front = pareto(points, "overhead", "gate_equivalents_per_output", smaller=True)
    say(f"{len(points)} points in {output / TABLE}, page {output / PAGE}; Pareto front:")
    for point in front:
        say(
            f"{point['overhead']:8.2%} {point['gate_equivalents_per_output']:7.2f} GE an output, "
            f"{point['patches_per_block']} patches a block  {point['code']}"
        )
    say("Patches a block: what the fullest block of the random sample needs; a real tensor may need more.")
