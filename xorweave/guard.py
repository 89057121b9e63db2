"""A process beside the command: when the command ends in mid-work, it ends its tools and removes what they left.

Kernels run for seconds without looking at signals, and compilers start compilers: neither the command itself nor its
process group can be relied on to tidy up. The process beside it needs no help. It holds one end of a pipe, which closes
with the command, even after ``kill -9``; every tool carries a mark in its environment.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xorweave.golden.base import leftovers

#: Seconds from an interrupt until a command that does not end by itself is ended.
PATIENCE = 1.5
MARK = "XORWEAVE_RUN"


@contextmanager
def guarded() -> Iterator[Path | None]:
    """Run the block with a temporary folder of its own, and with a process that tidies up after it.

    Yields
    ------
    path or None
        The folder, which every temporary file and tool of this run uses; None where none can be made.
    """
    folder = _make_folder()
    mark = f"{os.getpid()}-{os.urandom(8).hex()}"
    reading, writing = os.pipe()
    # the signals wait until the new process ignores them
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    child = os.fork()
    if child == 0:
        _watch(reading, mark, folder)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    os.close(reading)
    os.set_blocking(writing, False)

    def tell(there: bool, path: Path) -> None:
        with suppress(OSError):
            os.write(writing, (b"+" if there else b"-") + os.fsencode(path) + b"\0")

    settings = {MARK: mark}
    if folder is not None:
        settings |= {"TMPDIR": str(folder), "JOBLIB_TEMP_FOLDER": str(folder)}
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    tempfile.tempdir, temporary = str(folder) if folder else tempfile.tempdir, tempfile.tempdir
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    leftovers.watcher, watcher = tell, leftovers.watcher
    last = b"!"  # whatever else ended it has been said by the command itself
    try:
        yield folder
        last = b"."
    finally:
        leftovers.watcher = watcher
        signal.set_wakeup_fd(wakeup)
        tempfile.tempdir = temporary
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        if folder is not None and last == b".":
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            os.write(writing, last)
        os.close(writing)
        os.waitpid(child, 0)


def _make_folder() -> Path | None:
    try:
        return Path(tempfile.mkdtemp(prefix="xorweave-"))
    except OSError:
        return None


def _watch(pipe: int, mark: str, folder: Path | None) -> None:
    """Wait for the end of the command, and tidy up if it is no good one. Does not return."""
    try:
        parent = os.getppid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        os.setsid()
        for descriptor in (int(path.name) for path in list(Path("/proc/self/fd").iterdir())):
            if descriptor not in (pipe, 2):
                with suppress(OSError):
                    os.close(descriptor)
        paths, last = _listen(pipe, parent)
        if last != b".":
            _kill_marked(f"{MARK}={mark}".encode())
            for path in (*paths, *([os.fsencode(folder)] if folder else [])):
                leftovers.remove(Path(os.fsdecode(path)))
            said = {b"": "ended before it was done; nothing half-written is left", b"2": "interrupted"}.get(
                last
            )
            if said:
                os.write(2, f"xorweave: {said}\n".encode())
    finally:
        os._exit(0)


def _listen(pipe: int, parent: int) -> tuple[set[bytes], bytes]:
    """Return which paths are half-written at the end of the command, and its last word: "." if it is done,
    "!" if it said itself what is wrong, "2" if it was interrupted and had to be ended, "" if it just ended."""
    paths: set[bytes] = set()
    last = pending = b""
    deadline: float | None = None
    while True:
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([pipe], [], [], wait)[0]:
            # no handler runs inside a kernel, but this signal has none
            os.kill(parent, signal.SIGTERM)
            deadline, last = None, b"2"
            continue
        read = os.read(pipe, 65536)
        if not read:
            return paths, last
        pending += read
        while pending:
            kind, rest = pending[:1], pending[1:]
            if kind in (b"+", b"-"):
                path, found, rest = rest.partition(b"\0")
                if not found:
                    break
                (paths.add if kind == b"+" else paths.discard)(path)
            elif kind in (b".", b"!"):
                last = kind
            elif kind[0] == signal.SIGINT:
                deadline = time.monotonic() + PATIENCE
            pending = rest


def _kill_marked(mark: bytes) -> None:
    """Kill every process that has the mark in its environment, and those they start meanwhile."""
    for _ in range(20):
        found = False
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
                    found = True
        if not found:
            return
        time.sleep(0.02)


def give_caches(folder: Path | None) -> None:
    """Let compiled kernels and fonts be kept in `folder` where neither the installation nor HOME can be written."""
    if folder is None or _writable(Path(__file__).parent):
        return
    with suppress(RuntimeError):  # there is no home
        if _writable(Path.home() / ".cache"):
            return
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder / "numba"))
    os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
