"""``xorweave reproduce``: the paper's tables, measured."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import meter, print_json, print_table, say
from xorweave.golden.base.errors import InputError

if TYPE_CHECKING:
    from xorweave.studies.paper_cells import Plan


def reproduce(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of .smtx masks (the DLMC collection, say); default: none")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write, and to go on from")] = Path(
        "reproduce-out"
    ),
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes: one small mask a family, INT8, small samples")
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(
            help="Weights of each mask for the exact encoder; random ones of ours: 32 times; default: 4096, quick 2048"
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="Of real masks' values: int8, fp32 or int8,fp32; default: both, quick int8"),
    ] = None,
    generators: Annotated[int, typer.Option(help="Seeds of codes, values and random masks: 0, 1, ...")] = 5,
    values: Annotated[str, typer.Option(help="uniform, normal, or a file of weights")] = "normal",
    largest: Annotated[int, typer.Option(help="Leave out masks of more weights")] = 300_000,
    jobs: Annotated[int, typer.Option(help="Encodings at a time; 0: as many as there are cores")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Remake the paper's experiments: E, care bits a block, memory, products; on random and real masks, ours beside.

    Writes Markdown, CSV and a page. Interrupted, it goes on where it was when it is called again.
    """
    from xorweave.golden.files.outputs import check_output_files
    from xorweave.pages.provenance import machine
    from xorweave.pages.reproduction_page import RESULTS, Reproduction, write_results
    from xorweave.studies.paper_cells import quick_plan, whole_plan
    from xorweave.studies.paper_products import QUICK, WHOLE, measured_products, product_table
    from xorweave.studies.paper_record import Record, run
    from xorweave.studies.paper_tables import Results, all_tables, csv_rows

    make = quick_plan if quick else whole_plan
    plan, left_out = make(
        data,
        sample=sample,
        dtypes=dtype,
        generators=generators,
        values=values,
        largest=largest,
    )
    if jobs < 0:
        raise InputError(f"--jobs must be 0 or more, not {jobs}")
    check_output_files(out, RESULTS)
    out.mkdir(parents=True, exist_ok=True)
    record = Record(out / "cells.jsonl")
    whole = False
    setting, points = QUICK if quick else WHOLE, []
    try:
        with meter() as show:
            with show.task("cells") as advance:
                run(plan, record, jobs=jobs or os.cpu_count() or 1, progress=advance)
            with show.task("products") as advance:
                points = measured_products(out / "products.json", setting, advance)
        whole = True
    finally:
        results = Results(plan, record.figures)
        tables = [*all_tables(results), *([product_table(points, setting)] if points else [])]
        report = Reproduction(
            tables=tables, made=_made(plan, data, quick, machine()), left_out=left_out, whole=whole
        )
        paths = write_results(out, report, results)
    if as_json:
        head, *rows = [list(row) for row in csv_rows(results)]
        print_json(
            {
                "tables": [
                    {
                        "title": t.title,
                        "note": t.note,
                        "rows": [dict(zip(t.columns, r, strict=True)) for r in t.rows],
                    }
                    for t in tables
                ],
                "estimates": [dict(zip(head, row, strict=True)) for row in rows],
                "not_made": report.missing,
                "files": [str(path) for path in paths],
            }
        )
        return
    for table in tables:
        print_table(table.title, table.columns, table.rows)
    for line in report.missing:
        say(f"Not made: {line}")
    say(f"Written: {', '.join(str(path) for path in paths)}")


def _made(plan: Plan, data: Path | None, quick: bool, host: dict[str, object]) -> str:
    words = ["xorweave reproduce", *([data.name] if data else []), *(["--quick"] if quick else [])]
    words += [
        f"--sample {plan.sample}",
        f"--generators {plan.generators}",
    ]
    words += [f"--dtype {','.join(plan.dtypes)}", f"--values {Path(plan.values).name}"]
    return (
        f"Made by `{' '.join(words)}`, {datetime.now(UTC):%d %B %Y}, {host['processor']}, {host['cores']} cores, "
        f"xorweave {host['xorweave']}, NumPy {host['numpy']}; seeds 0 to {plan.generators - 1}. "
        "± is half the 95 % confidence interval over the generators (Student's t)."
    )
