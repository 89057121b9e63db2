"""The tables of ``xorweave reproduce`` as Markdown, CSV and one page that needs no network."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xorweave.golden.base.whole_file import write_whole
from xorweave.pages.page import render
from xorweave.studies.paper_tables import NOT_MADE, Results, Table, csv_rows

TITLE = "The fixed-to-fixed paper's experiments, measured"


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What the files say.

    Attributes
    ----------
    tables : sequence of Table
    made : str
        Command, date, machine and seeds, in a sentence.
    left_out : sequence of str
        Masks of the folder that were not taken.
    whole : bool
        False: the run was stopped before everything was measured.
    """

    tables: Sequence[Table]
    made: str
    left_out: Sequence[str]
    whole: bool

    @property
    def missing(self) -> list[str]:
        """What was not made, and why, in sentences."""
        lines = list(NOT_MADE)
        if self.left_out:
            lines.append(f"Masks that are there but were not taken: {'; '.join(self.left_out)}.")
        if not self.whole:
            lines.append("The run was stopped early: run the same command again to go on.")
        return lines


def markdown(report: Reproduction) -> str:
    """Return the tables as Markdown."""
    parts = [f"# {TITLE}", report.made]
    for table in report.tables:
        lines = [
            "| " + " | ".join(row) + " |"
            for row in (list(table.columns), ["---", *["--:"] * (len(table.columns) - 1)], *table.rows)
        ]
        parts += [f"## {table.title}", table.note, "\n".join(lines)]
    parts += ["## Not made", "\n".join(f"- {line}" for line in report.missing)]
    return "\n\n".join(parts) + "\n"


def html(report: Reproduction) -> str:
    """Return the tables as one self-contained page."""
    tables = len(report.tables)
    said = f"{tables} table{'s' if tables != 1 else ''} of the papers' experiments, measured with their codes and ours"
    missing = f"what was not made, in {len(report.missing)} points, stands at the end"
    return render("reproduction.html.j2", title=TITLE, report=report, conclusion=f"{said}; {missing}.")


#: What is written into the folder, what is measured among it, and how each begins.
RESULTS = {
    "reproduction.md": f"# {TITLE}",
    "reproduction.csv": "family,dtype,code,",
    "reproduction.html": "",
    "cells.jsonl": '{"xorweave": ',
    "products.json": '{\n "setting": ',
}


def write_results(folder: Path, report: Reproduction, results: Results) -> list[Path]:
    """Write reproduction.md, .csv and .html into a folder, each whole; return their paths."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(csv_rows(results))
    written = {"md": markdown(report), "csv": text.getvalue(), "html": html(report)}
    paths = [folder / f"reproduction.{suffix}" for suffix in written]
    for path, content in zip(paths, written.values(), strict=True):
        write_whole(path, content)
    return paths
