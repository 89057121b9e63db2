"""A command that is ended, however, ends at once and leaves neither processes nor files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xorweave import guard

if not sys.platform.startswith("linux"):
    pytest.skip("commands are guarded on Linux only", allow_module_level=True)

WORK = """
import ctypes, os, signal, subprocess, sys, tempfile
from pathlib import Path
from xorweave.golden.base.leftovers import leftover
from xorweave.guard import run_guarded

# whatever these tests were started with: a background job of a shell ignores Ctrl-C, nohup ignores hang-ups
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN if number == int(sys.argv[2]) else signal.SIG_DFL)
run_guarded()
Path(tempfile.gettempdir(), "scratch").write_text("x")
# a tool that starts another one, in a process group of its own
subprocess.Popen(["sh", "-c", "sleep 300 & sleep 300"], process_group=0)
with leftover(Path(sys.argv[1]) / "half-written") as path:
    path.mkdir()
    (path / "file").write_text("x")
    print(os.environ["XORWEAVE_RUN"], tempfile.gettempdir(), flush=True)
    {end}
"""
#: A kernel that neither lets go of the interpreter nor looks at signals.
STUCK = "ctypes.PyDLL(None).sleep(300)"


def _start(folder: Path, end: str, ignored: int = 0) -> tuple[subprocess.Popen[str], str, Path]:
    out = folder / "out"
    out.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", WORK.replace("{end}", end), str(out), str(int(ignored))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    mark, temporary = process.stdout.readline().split()
    return process, mark, Path(temporary)


def _marked(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def _assert_nothing_left(folder: Path, mark: str, temporary: Path) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and (_marked(mark) or temporary.exists()):
        time.sleep(0.02)
    assert not _marked(mark)
    assert not temporary.exists() and not list((folder / "out").iterdir())


@pytest.mark.parametrize("end", [STUCK, "__import__('time').sleep(300)"], ids=["in a kernel", "in Python"])
@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (signal.SIGINT, 130, "xorweave: interrupted\n"),
        (signal.SIGTERM, 143, "xorweave: terminated\n"),
        (signal.SIGHUP, 129, "xorweave: hung up\n"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_signals(tmp_path: Path, number: signal.Signals, status: int, said: str, end: str) -> None:
    process, mark, temporary = _start(tmp_path, end)
    until = time.monotonic() + 20
    while time.monotonic() < until and len(_marked(mark)) < 2:
        time.sleep(0.02)
    assert len(_marked(mark)) >= 2 and (temporary / "scratch").exists()
    os.kill(process.pid, number)
    err = process.communicate(timeout=60)[1]
    assert (process.returncode, err) == (status, said)
    _assert_nothing_left(tmp_path, mark, temporary)


def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path: Path) -> None:
    process, mark, temporary = _start(tmp_path, "__import__('time').sleep(300)", ignored=signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    os.kill(process.pid, signal.SIGTERM)
    assert (process.communicate(timeout=60)[1], process.returncode) == ("xorweave: terminated\n", 143)
    _assert_nothing_left(tmp_path, mark, temporary)


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(bytes(1 << 20))
    process, mark, temporary = _start(
        tmp_path,
        f"p = {str(cut)!r}; data = __import__('numpy').memmap(p, 'u1', 'c'); os.truncate(p, 0); data.sum()",
    )
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGBUS
    assert err == (
        "xorweave: ended by SIGBUS: a file became shorter while it was read; nothing half-written is left\n"
    )
    _assert_nothing_left(tmp_path, mark, temporary)


def test_a_crash(tmp_path: Path) -> None:
    process, mark, temporary = _start(tmp_path, "os.abort()")
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGABRT
    assert err == "xorweave: ended by SIGABRT; nothing half-written is left\n"
    _assert_nothing_left(tmp_path, mark, temporary)


def test_the_status_of_a_command_is_passed_on(tmp_path: Path) -> None:
    process, _, temporary = _start(tmp_path, "sys.exit(7)")
    assert process.wait(timeout=60) == 7
    assert not temporary.exists() and not list((tmp_path / "out").iterdir())


_CACHES = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "XDG_CACHE_HOME")


@pytest.fixture
def nothing_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where this user's caches go when nothing else can be written."""
    monkeypatch.setattr(guard, "_writable", lambda folder: False)
    monkeypatch.setattr(guard.tempfile, "gettempdir", lambda: str(tmp_path))
    for name in _CACHES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path / f"xorweave-cache-{os.getuid()}"


def test_caches_where_nothing_can_be_written(nothing_writable: Path) -> None:
    guard.give_caches()
    assert nothing_writable.stat().st_mode & 0o777 == 0o700
    assert os.environ["XDG_CACHE_HOME"] == str(nothing_writable)
    assert os.environ["NUMBA_CACHE_DIR"] == str(nothing_writable / "numba")
    assert os.environ["MPLCONFIGDIR"] == str(nothing_writable / "matplotlib")
    guard.give_caches()  # another run finds its own
    assert os.environ["XDG_CACHE_HOME"] == str(nothing_writable)


@pytest.mark.parametrize("how", ["open to others", "a link", "a file", "someone else's"])
def test_caches_are_not_taken_from_where_others_could_write(
    nothing_writable: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = nothing_writable.with_name("elsewhere")
    elsewhere.mkdir(mode=0o700)
    if how == "open to others":
        nothing_writable.mkdir()
        nothing_writable.chmod(0o777)
    elif how == "a link":
        nothing_writable.symlink_to(elsewhere)
    elif how == "a file":
        nothing_writable.touch(0o600)
    else:
        user = os.getuid() + 1
        elsewhere.rename(nothing_writable.with_name(f"xorweave-cache-{user}"))
        monkeypatch.setattr(os, "getuid", lambda: user)
    guard.give_caches()
    assert not set(_CACHES) & set(os.environ)


def test_caches_outlive_the_run(tmp_path: Path) -> None:
    """The command line gives them before a run has a temporary folder of its own, which ends with it."""
    script = (
        "import os, sys; from xorweave import guard, cli, command_line; guard._writable = lambda folder: False;"
        " command_line.run_command = lambda: print(os.environ['NUMBA_CACHE_DIR'], os.environ['TMPDIR']) or 0;"
        " sys.argv = ['xorweave', 'inspect']; cli.main()"
    )
    environment = {name: value for name, value in os.environ.items() if name not in _CACHES}
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment | {"TMPDIR": str(tmp_path)},
    )
    caches, temporary = map(Path, run.stdout.split())
    assert caches.parent.is_dir() and caches.parent.parent == tmp_path
    assert not temporary.exists()


def test_caches_stay_where_they_are_if_they_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(guard, "_writable", lambda folder: folder.name == ".cache")
    guard.give_caches()
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_an_interrupt_while_it_is_loaded_is_no_traceback() -> None:
    script = (
        "import os, signal, sys; from xorweave import cli, guard;"
        # what runs in the background of a shell inherits that interrupts are ignored
        " signal.signal(signal.SIGINT, signal.default_int_handler);"
        " guard.give_caches = lambda: os.kill(os.getpid(), signal.SIGINT);"
        " sys.argv = ['xorweave', 'inspect', 'x']; cli.main()"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (-signal.SIGINT, "", "")
