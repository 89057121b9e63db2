"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xorweave.golden.base.leftovers import beside, leftover


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Lend a place beside `path` to write to; at the end of the block it is moved to `path`.

    Whatever goes wrong inside, `path` stays as it was and nothing is left beside it.

    Raises
    ------
    OSError
        The file cannot be moved there.
    """
    with leftover(beside(path)) as partial:
        try:
            yield partial
            partial.replace(path)
        except OSError as error:
            # the reader knows the file, not the place beside it
            if error.filename == str(partial):
                error.filename, error.filename2 = str(path), None
            raise


def write_whole(path: Path, text: str) -> None:
    """Write a text file, all or nothing. What UTF-8 cannot hold (a name that is no text) is written as ``\\udcXX``."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
