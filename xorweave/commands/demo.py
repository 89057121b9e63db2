"""``xorweave demo``: the whole flow on one real pruned layer."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import meter, percent, print_table
from xorweave.golden.base.errors import InputError

if TYPE_CHECKING:
    from xorweave.studies.demo_flow import Outcome
    from xorweave.studies.demo_weights import DemoWeights


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write")] = Path("demo-out"),
    weights: Annotated[
        Path | None, typer.Option(help="A weight file of your own: .npy .npz .safetensors")
    ] = None,
    tensor: Annotated[str | None, typer.Option(help="Which matrix of the file")] = None,
    sparsity: Annotated[float, typer.Option(help="Share to prune by magnitude")] = 0.9,
    jobs: Annotated[int, typer.Option(help="Codes worked on at a time; 0: as many as there are cores")] = 0,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
) -> None:
    """Prune, quantise, encode, decode, generate, simulate, count gates and multiply: one table and a page."""
    import numpy as np

    from xorweave.golden.files.prepare import Preparation, prepare
    from xorweave.pages.report import DemoReport, outcome_record, write_report
    from xorweave.studies.demo_flow import contenders, run_all

    if not 0.5 <= sparsity <= 0.98:
        raise InputError(f"--sparsity must be between 0.5 and 0.98 for the demo, not {sparsity}")
    if jobs < 0:
        raise InputError(f"--jobs must be 0 or more, not {jobs}")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} must be a folder, but is a file")
    started = time.perf_counter()
    layer = _layer(weights, tensor, seed)
    item = prepare(layer.name, layer.tensor, Preparation(dtype="int8", sparsity=sparsity))
    rows, columns = item.values.shape
    kept = int(item.mask.sum())
    line = (
        f"Input: {layer.source}: {rows} x {columns}, magnitude-pruned to S = {1 - kept / item.mask.size:.3f} "
        f"({kept} of {item.mask.size} weights kept), INT8 with one scale for the layer."
    )
    print(line, flush=True)
    vector = np.random.default_rng(seed).integers(-128, 128, size=(columns,))
    out.mkdir(parents=True, exist_ok=True)
    codes, tried = contenders(item, sparsity, seed)
    with meter() as show, show.task(f"{len(codes)} codes") as advance:
        outcomes = run_all(
            codes, item, vector, out, jobs=jobs or min(len(codes), os.cpu_count() or 1), seed=seed,
            progress=advance,
        )  # fmt: skip
    seconds = time.perf_counter() - started
    print_table("", COLUMNS, [_row(outcome) for outcome in outcomes])
    print(_verdict(outcomes))
    report = DemoReport(
        source=line, mask=item.mask, n_w=item.number_format.n_w, outcomes=outcomes, tried=tried, seed=seed,
        seconds=seconds,
    )  # fmt: skip
    write_report(out / "report.html", report)
    figures = {"input": line, "codes": [outcome_record(outcome) for outcome in outcomes]}
    (out / "results.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(f"{out / 'report.html'} shows it in pictures ({seconds:.0f} s in all).")
    if not all(outcome.sound for outcome in outcomes):
        raise typer.Exit(1)


COLUMNS = (
    "code", "N_in -> N_out", "E", "overhead", "memory reduction", "with mask", "cycles", "GE, XOR decoder",
    "GE, all stages", "bits/cycle/kGE",
)  # fmt: skip


def _layer(weights: Path | None, tensor: str | None, seed: int) -> DemoWeights:
    from xorweave.studies.demo_weights import NoDownload, cache_folder, digits_network, from_file, minilm

    if weights is not None:
        return from_file(weights, tensor)
    try:
        return minilm(cache_folder(), tensor)
    except NoDownload as reason:
        print(f"{reason}; a small network trained here takes its place.", file=sys.stderr)
        return digits_network(seed)


def _row(outcome: Outcome) -> list[str]:
    record = outcome.record
    return [
        outcome.label,
        f"{record['n_in']} -> {record['n_out']}",
        percent(record["efficiency"], 3),
        percent(record["overhead"]),
        percent(record["memory_reduction"]),
        percent(record["memory_reduction_with_mask"]),
        f"{outcome.simulation.cycles}",
        _whole_number(outcome.core.gate_equivalents),
        _whole_number(outcome.whole.gate_equivalents),
        _decimal(outcome.whole.bits_per_cycle_per_kge),
    ]


def _whole_number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f}"


def _decimal(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1f}"


def _verdict(outcomes: list[Outcome]) -> str:
    """Say in one or two sentences what was compared, and with what result."""
    blocks = sum(outcome.simulation.blocks for outcome in outcomes)
    mismatches = sum(outcome.simulation.mismatches for outcome in outcomes)
    wrong = [outcome.label for outcome in outcomes if not outcome.decoded_equal]
    unlike = [outcome.label for outcome in outcomes if not outcome.product_equal]
    proofs = [p for outcome in outcomes for p in (outcome.core.equivalence, outcome.whole.equivalence)]
    return (
        f"Decoded weights: {'all equal, bit for bit' if not wrong else 'DIFFERENT with ' + '; '.join(wrong)}. "
        f"Product with a vector: "
        f"{'equal to the dense one' if not unlike else 'DIFFERENT with ' + '; '.join(unlike)}. "
        f"Simulation: {blocks} blocks, {mismatches} mismatches. "
        f"Netlists: {proofs.count('proved')} of {len(proofs)} proved equal to matrix and protocol."
    )
