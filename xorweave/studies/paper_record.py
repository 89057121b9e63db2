"""Measured cells on disk, and the run that adds those that are missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path

from xorweave import __version__
from xorweave.golden.base.errors import InputError
from xorweave.golden.tensor.figures import Figures
from xorweave.studies.paper_cells import Cell, Plan, measure


class Record:
    """The cells that were measured, in a file that grows by one line a cell.

    Parameters
    ----------
    path : Path
        Read if it is there; cells of another version of xorweave and a last line that was cut off do not count.

    Raises
    ------
    InputError
        It is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.figures: dict[Cell, Figures] = {}
        lines = path.read_text("utf-8").splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        try:
            for line in whole:
                entry = json.loads(line)
                if entry["xorweave"] == __version__:
                    self.figures[Cell(**entry["cell"])] = Figures(**entry["figures"])
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{path} must be a record of measured cells; remove it to measure anew"
            ) from None
        if len(whole) != len(lines):
            path.write_text("".join(whole), "utf-8")

    def add(self, cell: Cell, figures: Figures) -> None:
        """Write one cell down."""
        line = json.dumps({"xorweave": __version__, "cell": asdict(cell), "figures": asdict(figures)})
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.figures[cell] = figures


def run(plan: Plan, record: Record, *, jobs: int, progress: Callable[[float], None]) -> None:
    """Measure what the record does not hold yet, in `jobs` threads; the result does not depend on their number.

    Parameters
    ----------
    progress : callable
        Called with the share of cells that are there.
    """
    cells = list(plan.cells())
    cases = {(case.family, case.name): case for case in plan.cases()}
    missing = iter([cell for cell in cells if cell not in record.figures])
    done = sum(cell in record.figures for cell in cells)
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        running: dict[Future[Figures], Cell] = {}
        for cell in missing:
            running[pool.submit(measure, cell, cases[cell.family, cell.mask])] = cell
            if len(running) < jobs:
                continue
            done += _collect(running, record)
            progress(done / len(cells))
        while running:
            done += _collect(running, record)
            progress(done / len(cells))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _collect(running: dict[Future[Figures], Cell], record: Record) -> int:
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        record.add(running.pop(future), future.result())
    return len(finished)
