"""``xorweave reproduce``: the paper's tables, measured."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import meter, percent, print_json, print_table
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.whole_file import write_whole

if TYPE_CHECKING:
    from xorweave.studies.reproduction import Reproduced


def reproduce(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of .smtx masks (the DLMC collection, say); default: none")
    ] = None,
    weights: Annotated[int, typer.Option(help="Weights of each random mask")] = 131072,
    dtype: Annotated[str, typer.Option(help="int8 or fp32, as in the paper, or int4 fp16 bf16")] = "int8",
    values: Annotated[str, typer.Option(help="uniform or normal")] = "uniform",
    largest: Annotated[int, typer.Option(help="Leave out masks of more weights")] = 300_000,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write every row to this file")] = None,
    seed: Annotated[int, typer.Option(help="Of masks, values and codes")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Measure the paper's tables: E by sparsity and N_s with its exact encoder, and memory reduction."""
    from xorweave.studies.reproduction import real_masks, reproduce_mask, synthetic_masks

    if weights < 1000:
        raise InputError(f"--weights must be at least 1000, not {weights}")
    if csv_file is not None and not csv_file.parent.is_dir():
        raise InputError(f"there is no folder {csv_file.parent} to write into")
    masks = synthetic_masks(weights, seed)
    real = real_masks(data, largest) if data is not None else {}
    rows: list[Reproduced] = []
    with meter() as show:
        for name, mask in {**masks, **real}.items():
            with show.task(name) as advance:
                rows.append(reproduce_mask(name, mask, dtype, values, seed, advance))
    if csv_file is not None:
        write_whole(csv_file, _csv_text(rows))
    if as_json:
        print_json({"dtype": dtype, "values": values, "seed": seed, "masks": [asdict(row) for row in rows]})
        return
    _print("random masks", rows[: len(masks)], dtype)
    if real:
        _print(f"masks of {data}", rows[len(masks) :], dtype)


_COLUMNS = (
    "mask", "S", "N_out", "variation", "random", "E, N_s = 0", "1", "2", "largest E", "reduction", "with mask",
    "auto: overhead", "reduction", "with mask",
)  # fmt: skip


def _print(title: str, rows: list[Reproduced], dtype: str) -> None:
    print_table(
        f"{title}, {dtype}: the paper's code (8 -> N_out, uniform G, exact encoder, row-major), then --code auto",
        _COLUMNS,
        [
            [
                row.name, percent(row.sparsity, 1), str(row.n_out),
                f"{row.variation:.3f}", f"{row.variation_random:.3f}",
                *(percent(e) for e in row.efficiency), percent(row.best_efficiency), percent(row.memory_reduction),
                percent(row.memory_reduction_with_mask), percent(row.auto_overhead), percent(row.auto_memory_reduction),
                percent(row.auto_memory_reduction_with_mask),
            ]
            for row in rows
        ],
    )  # fmt: skip


def _csv_text(rows: list[Reproduced]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [name for name in asdict(rows[0]) if name != "efficiency"]
    writer.writerow([*names, "efficiency_n_s_0", "efficiency_n_s_1", "efficiency_n_s_2"])
    for row in rows:
        record = asdict(row)
        writer.writerow([*(record[name] for name in names), *row.efficiency])
    return text.getvalue()
