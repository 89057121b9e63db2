"""A command runs as a process under two small ones, so that it ends at once, and leaves nothing, however it is ended.

Kernels run for seconds without looking at signals, and compilers start compilers: neither the command nor its
process group can be relied on to tidy up. So the process that was started only waits for signals; below it a keeper
waits for the end of both, and below that the command does the work. The keeper kills every process that carries the
mark of the run in its environment, removes what is half-written and the run's temporary folder, and reaps. It does so
even after ``kill -9`` of the one or the other: a pipe closes with each.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from xorweave.golden.base import leftovers

MARK = "XORWEAVE_RUN"
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of linux/prctl.h
_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


def run_guarded() -> bool:
    """Go on in a process of its own that is guarded; returns there only. The started process ends with its status.

    Call it before any thread is started. Where there is no /proc nothing happens.

    Returns
    -------
    bool
        Whether this is a process that is guarded.
    """
    if not sys.platform.startswith("linux"):
        return False
    folder = _make_folder()
    mark = f"{os.getpid()}-{os.urandom(8).hex()}"
    # a signal that the caller wants ignored (a shell's background job) stays ignored
    ours = {number for number in _SAID if signal.getsignal(number) != signal.SIG_IGN}
    waits = ours | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waits)
    orders, commands = os.pipe()
    keeper = os.fork()
    if keeper:
        os.close(orders)
        _wait(keeper, commands, ours)
    words, telling = os.pipe()
    worker = os.fork()
    if worker:
        _keep(worker, orders, words, f"{MARK}={mark}".encode(), folder)
    for end in (orders, commands, words):
        os.close(end)
    # Ctrl-C reaches every process of the terminal; the keeper ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def tell(there: bool, path: Path) -> None:
        os.write(telling, (b"+" if there else b"-") + os.fsencode(path) + b"\0")

    leftovers.watcher = tell
    os.environ[MARK] = mark
    if folder is not None:
        os.environ["TMPDIR"] = os.environ["JOBLIB_TEMP_FOLDER"] = tempfile.tempdir = str(folder)
    return True


def _make_folder() -> Path | None:
    try:
        return Path(tempfile.mkdtemp(prefix="xorweave-"))
    except OSError:
        return None


def _wait(keeper: int, commands: int, ours: set[signal.Signals]) -> NoReturn:
    """Wait for the keeper, and end with its status; pass on the first signal that ends a command."""
    came: signal.Signals | None = None
    while True:
        number = signal.sigwait(ours | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            if came is None:
                came = signal.Signals(number)
                with suppress(OSError):
                    os.write(commands, b"!")
            continue
        pid, status = os.waitpid(keeper, os.WNOHANG)
        if not pid:
            continue
        code = os.waitstatus_to_exitcode(status)
        if came is not None:
            code = 128 + came
            _say(_SAID[came])
        elif code > 128 and code - 128 in set(signal.Signals):
            # files of weights are mapped: what is cut off while it is read ends the process
            why = ": a file became shorter while it was read" if code - 128 == signal.SIGBUS else ""
            _say(f"ended by {signal.Signals(code - 128).name}{why}; nothing half-written is left")
        os._exit(code if code >= 0 else 128 - code)


def _say(what: str) -> None:
    with suppress(OSError):
        os.write(2, f"xorweave: {what}\n".encode())


def _keep(worker: int, orders: int, words: int, mark: bytes, folder: Path | None) -> NoReturn:
    """Wait for the end of the worker or of the process that was started, and tidy up."""
    code = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        os.setsid()  # a signal to the whole process group spares it
        for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            if descriptor not in (orders, words):
                with suppress(OSError):
                    os.close(descriptor)
        # what the worker's tools started comes to the keeper when they die
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        done, paths = _listen(orders, words)
        if not done:
            os.kill(worker, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        if code < 0:
            _kill_marked(mark)
            _reap()
        for path in (*paths, *([folder] if folder else [])):
            leftovers.remove(path)
    finally:
        os._exit(code if code >= 0 else 128 - code)


def _listen(orders: int, words: int) -> tuple[bool, set[Path]]:
    """Return whether the worker ended by itself, and which paths are half-written."""
    paths: set[bytes] = set()
    pending = b""
    while True:
        ready = select.select([orders, words], [], [])[0]
        read = os.read(words, 65536) if words in ready else b""
        *whole, pending = (pending + read).split(b"\0")
        for word in whole:
            (paths.add if word[:1] == b"+" else paths.discard)(word[1:])
        if not read:  # the worker has ended, or it is to be
            return words in ready, {Path(os.fsdecode(path)) for path in paths}


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


def _reap() -> None:
    """Take leave of the killed: whoever looks at the list of processes finds none of them."""
    patient_until = time.monotonic() + 1
    with suppress(ChildProcessError):
        while time.monotonic() < patient_until:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.01)


def give_caches() -> None:
    """Let what is compiled, and fonts, be kept where neither the installation nor HOME can be written.

    They go to a folder of this user alone in the system's temporary one: what others could write there would be run.
    Call it before `run_guarded`, whose own temporary folder ends with the run.
    """
    if _writable(Path(__file__).parent):
        return
    with suppress(RuntimeError):  # there is no home
        if _writable(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")):
            return
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"xorweave-cache-{user}"
    if _is_private(folder, user):
        os.environ["XDG_CACHE_HOME"] = str(folder)
        os.environ.setdefault("NUMBA_CACHE_DIR", str(folder / "numba"))
        os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))


def _is_private(folder: Path, user: int) -> bool:
    """Make a folder that only `user` can read and write, and say whether there is one."""
    with suppress(OSError):
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o077
    return False


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
