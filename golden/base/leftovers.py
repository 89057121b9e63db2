"""What is half-written must not outlive this process, however it ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Told of every path that is half-written (True) or no longer (False). The command line sets it: a process beside
#: this one then removes what is left even after ``kill -9``.
watcher: Callable[[bool, Path], None] | None = None


@contextmanager
def leftover(path: Path) -> Iterator[Path]:
    """Lend a path for something half-written; what lies there at the end is removed, file or folder.

    Move the finished thing away from `path` inside the block. Nothing that must be kept may ever lie there.
    """
    place = path.absolute()
    if watcher is not None:
        watcher(True, place)
    try:
        yield path
    finally:
        remove(place)
        if watcher is not None:
            watcher(False, place)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there and can be removed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def beside(path: Path) -> Path:
    """Return a hidden name in the folder of `path` that is free, and short enough wherever `path` is."""
    return path.with_name(f".xorweave-{os.getpid()}-{os.urandom(4).hex()}.partial")
