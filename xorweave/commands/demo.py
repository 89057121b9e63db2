"""``xorweave demo``: the whole flow on one real pruned layer."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import meter, print_table, say, tell
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.whole_file import write_whole

if TYPE_CHECKING:
    from xorweave.studies.demo_flow import Outcome, Plain
    from xorweave.studies.demo_weights import DemoWeights


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write")] = Path("demo-out"),
    weights: Annotated[
        Path | None, typer.Option(help="A weight file of your own: .npy .npz .safetensors")
    ] = None,
    tensor: Annotated[str | None, typer.Option(help="Which matrix of the file")] = None,
    sparsity: Annotated[float, typer.Option(help="Share to prune by magnitude")] = 0.9,
    jobs: Annotated[int, typer.Option(help="Forms worked on at a time; 0: as many as there are cores")] = 0,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
) -> None:
    """Prune, quantise, encode, decode, generate, simulate, count gates and multiply: one table and a page."""
    import numpy as np

    from xorweave.golden.files.outputs import check_output_files
    from xorweave.golden.files.prepare import Preparation, prepare
    from xorweave.pages.demo_page import DemoReport, outcome_record, with_expander, write_report
    from xorweave.studies.demo_flow import advice, contenders, pack_plainly, run_all

    if not 0.5 <= sparsity <= 0.98:
        raise InputError(f"--sparsity must be between 0.5 and 0.98 for the demo, not {sparsity}")
    if jobs < 0:
        raise InputError(f"--jobs must be 0 or more, not {jobs}")
    check_output_files(out, {"report.html": "", "results.json": '{\n "input": '})
    started = time.perf_counter()
    layer = _layer(weights, tensor, seed)
    item = prepare(layer.name, layer.tensor, Preparation(dtype="int8", sparsity=sparsity))
    rows, columns = item.values.shape
    kept = int(item.mask.sum())
    line = (
        f"Input: {layer.source}: {rows} x {columns}, magnitude-pruned to S = {1 - kept / item.mask.size:.3f} "
        f"({kept} of {item.mask.size} weights kept), INT8 with one scale for the layer."
    )
    say(line, flush=True)
    vector = np.random.default_rng(seed).integers(-128, 128, size=(columns,))
    out.mkdir(parents=True, exist_ok=True)
    plain = with_expander(pack_plainly(item))
    forms = contenders(seed)
    with meter() as show, show.task(f"{len(forms)} forms") as advance:
        outcomes = run_all(
            forms, item, vector, out, jobs=jobs or min(len(forms), os.cpu_count() or 1), progress=advance
        )
    seconds = time.perf_counter() - started
    print_table("", COLUMNS, [*(_row(outcome) for outcome in outcomes), _plain_row(plain)])
    for outcome in outcomes:
        if outcome.reason:
            say(f"{outcome.label}: {outcome.reason}")
    say(_verdict(outcomes, plain))
    report = DemoReport(
        source=line, mask=item.mask, n_w=item.number_format.n_w, outcomes=outcomes, plain=plain, seed=seed,
        seconds=seconds,
    )  # fmt: skip
    write_report(out / "report.html", report)
    figures = {
        "input": line,
        "forms": [outcome_record(outcome) for outcome in outcomes],
        "bitmap": asdict(plain),
        "advice": advice(outcomes, plain),
    }
    write_whole(out / "results.json", json.dumps(figures, indent=1) + "\n")
    say(f"{out / 'report.html'} shows it in pictures ({seconds:.0f} s in all).")
    say(advice(outcomes, plain))
    if not plain.decoded_equal or not all(outcome.sound for outcome in outcomes):
        raise typer.Exit(1)


COLUMNS = (
    "stored as", "bits/weight", "of it mask", "x bound", "weights/cycle", "patches/block", "GE/weight", "proved",
)  # fmt: skip


def _layer(weights: Path | None, tensor: str | None, seed: int) -> DemoWeights:
    from xorweave.studies.demo_weights import NoDownload, cache_folder, digits_network, from_file, minilm

    if weights is not None:
        return from_file(weights, tensor)
    try:
        return minilm(cache_folder(), tensor)
    except NoDownload as reason:
        tell(f"{reason}; a small network trained here takes its place.")
        return digits_network(seed)


def _row(outcome: Outcome) -> list[str]:
    record = outcome.record
    return [
        outcome.label,
        f"{outcome.bits_per_weight:.3f}",
        f"{record['mask_bits'] / math.prod(record['shape']):.3f}",
        _decimal(record["over_bound"], 2),
        f"{record['n_out']}",
        f"{outcome.patches_per_block}",
        _decimal(outcome.gates_per_weight, 1),
        {"proved": "yes", "failed": "NO"}.get(outcome.equivalence, outcome.equivalence),
    ]


def _plain_row(plain: Plain) -> list[str]:
    share = plain.mask_bits / (plain.mask_bits + plain.value_bits)
    return [
        "bitmap, packed values", f"{plain.bits_per_weight:.3f}", f"{share * plain.bits_per_weight:.3f}",
        _decimal(plain.over_bound, 2), "varies", "-", _decimal(plain.gates_per_weight, 1), "not run",
    ]  # fmt: skip


def _decimal(value: float | None, digits: int) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def _verdict(outcomes: list[Outcome], plain: Plain) -> str:
    """Say in one or two sentences what was compared, and with what result."""
    blocks = sum(outcome.simulation.blocks for outcome in outcomes)
    mismatches = sum(outcome.simulation.mismatches for outcome in outcomes)
    wrong = [outcome.label for outcome in outcomes if not outcome.decoded_equal]
    wrong += [] if plain.decoded_equal else ["the bitmap"]
    unlike = [outcome.label for outcome in outcomes if not outcome.product_equal]
    proofs = [outcome.equivalence for outcome in outcomes]
    return (
        f"Decoded weights: {'all equal, bit for bit' if not wrong else 'DIFFERENT with ' + '; '.join(wrong)}. "
        f"Product with a vector: "
        f"{'equal to the dense one' if not unlike else 'DIFFERENT with ' + '; '.join(unlike)}. "
        f"Simulation: {blocks} blocks, {mismatches} mismatches. "
        f"Netlists: {proofs.count('proved')} of {len(proofs)} proved equal to matrix and protocol."
    )
