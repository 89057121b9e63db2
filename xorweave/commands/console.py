"""What commands print: tables for people, one JSON object for scripts, progress on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

_errors = Console(stderr=True)


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on standard output. NaN and infinities are refused, so that every reader takes it."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output; the first column to the left, the others to the right."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    # a pipe has no width of its own; 160 columns keep a row on one line there
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(table)


def percent(value: object, digits: int = 2) -> str:
    """Format a fraction as percent; what is not there is a dash."""
    return f"{100 * float(value):.{digits}f} %" if isinstance(value, (int, float)) else "-"


class Meter:
    """A progress bar on standard error; silent where that is no terminal."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress

    @contextmanager
    def task(self, name: str) -> Iterator[Task]:
        """Show one piece of work."""
        if self._progress is None:
            yield Task(None, None)
            return
        handle = self._progress.add_task(name, total=1.0)
        yield Task(self._progress, handle)
        self._progress.remove_task(handle)


class Task:
    """One line of a `Meter`: call it with the share done, 0 to 1."""

    def __init__(self, progress: Progress | None, handle: object) -> None:
        self._progress = progress
        self._handle = handle

    def __call__(self, share: float) -> None:
        if self._progress is not None:
            self._progress.update(self._handle, completed=share)  # type: ignore[arg-type]


@contextmanager
def meter() -> Iterator[Meter]:
    """Open a progress display on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield Meter(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_errors, transient=True) as progress:
        yield Meter(progress)
