"""What commands print: tables for people, one JSON object for scripts, progress on a terminal only."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from xorweave.golden.base.printable import LONGEST_NAME, printable, shortened

# rich is loaded when something is drawn with it: --help and --json do without
if TYPE_CHECKING:
    from rich.progress import Progress

#: A pipe has no width of its own; so many columns keep a row on one line there.
_PIPE_WIDTH = 160
#: A column of words may be folded down to so many characters.
_FOLDED = 24


def _cell(text: str) -> str:
    return shortened(printable(text), LONGEST_NAME)


#: No line to standard error is longer, whatever names are in it.
LONGEST_LINE = 500


def say(text: str, *, flush: bool = False) -> None:
    """Print a line on standard output, whatever names are in it."""
    print(printable(text), flush=flush)


def tell(text: str) -> None:
    """Print a line of bounded length on standard error: what the one who runs a command should know."""
    line = printable(" ".join(text.split()))
    if len(line) > LONGEST_LINE:
        half = LONGEST_LINE // 2
        line = f"{line[:half]} ... {line[-half:]}"
    print(f"xorweave: {line}", file=sys.stderr)


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object on standard output. NaN and infinities are refused, so that every reader takes it."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on standard output; the first column to the left, the others to the right.

    Where it is wider than the terminal, it is cut into several, each with the first column; no word is broken.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console() if sys.stdout.isatty() else Console(width=_PIPE_WIDTH)
    cells = [[_cell(text) for text in row] for row in rows]
    for number, part in enumerate(_parts(columns, cells, console.width)):
        table = Table(title=Text(printable(title)) if title and not number else None, title_justify="left")
        for index, width in part.items():
            justify = "right" if index else "left"
            table.add_column(Text(columns[index]), justify=justify, width=width, overflow="fold")  # type: ignore[arg-type]
        for row in cells:
            table.add_row(*(Text(row[index]) for index in part))
        console.print(table)


def _parts(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[dict[int, int]]:
    """Return the tables that a table is cut into: for each its columns and their widths."""
    from rich.cells import cell_len

    natural, least = [], []
    for index, name in enumerate(columns):
        widest = max((cell_len(row[index]) for row in rows), default=0)
        natural.append(max(widest, cell_len(name)))
        # a header may break between words, and so may long cells
        least.append(max(min(widest, _FOLDED), *(cell_len(word) for word in name.split()), 1))
    if not rows:
        least = natural
    parts: list[list[int]] = [[0]]
    for index in range(1, len(columns)):
        # two spaces and a rule a column, and a rule at the end
        if sum(least[k] + 3 for k in (*parts[-1], index)) + 1 > width and parts[-1] != [0]:
            parts.append([0])
        parts[-1].append(index)
    result = []
    for part in parts:
        spare = width - 1 - sum(least[k] + 3 for k in part)
        widths = {}
        for k in part:
            more = min(max(spare, 0), natural[k] - least[k])
            widths[k], spare = least[k] + more, spare - more
        result.append(widths)
    return result


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
        # without a total the bar moves by itself, until the first share is known
        handle = self._progress.add_task(_cell(name), total=None)
        yield Task(self._progress, handle)
        self._progress.remove_task(handle)


class Task:
    """One line of a `Meter`: call it with the share done, 0 to 1."""

    def __init__(self, progress: Progress | None, handle: object) -> None:
        self._progress = progress
        self._handle = handle

    def __call__(self, share: float) -> None:
        if self._progress is not None and share > 0:
            self._progress.update(self._handle, completed=share, total=1.0)  # type: ignore[arg-type]


@contextmanager
def meter() -> Iterator[Meter]:
    """Open a progress display on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield Meter(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    name = TextColumn("{task.description}", markup=False)
    columns = (name, BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Meter(progress)
