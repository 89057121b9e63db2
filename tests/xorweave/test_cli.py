"""The command line: what is loaded when, and one line for whatever goes wrong."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xorweave
from xorweave import cli
from xorweave.golden.base.errors import InputError, ToolError

HEAVY = ("numpy", "numba", "scipy", "matplotlib", "amaranth", "networkx", "jinja2", "joblib", "safetensors")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in cli.COMMANDS)]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys; from xorweave import cli\n"
        "try: cli.main()\n"
        "finally: print('LOADED', *sys.modules, file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    loaded = set(shown.stderr.split())
    assert "typer" in loaded and not loaded & set(HEAVY)
    if len(arguments) == 2:
        assert f"{arguments[0]} [OPTIONS]" in " ".join(shown.stdout.split())


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_the_function_of_its_name(name: str) -> None:
    command = getattr(importlib.import_module(f"xorweave.commands.{name}"), name)
    assert callable(command) and command.__doc__


def test_no_such_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["xorweave", "encoed"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("xorweave: No such command 'encoed'")


class _Fails:
    """A module with a command that raises."""

    def __init__(self, error: BaseException) -> None:
        def inspect(src: str) -> None:
            raise error

        self.inspect = inspect


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("x must be 1,\nnot \x1b[31m2"), 2, "x must be 1, not \\x1b[31m2"),
        (ToolError("Yosys failed:\n  no"), 1, "Yosys failed: no"),
        (OSError(28, "No space left on device", "/a/b\x07"), 2, "/a/b\\x07: No space left on device"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (PermissionError(13, "Permission denied", "a", None, "b"), 2, "a: b: Permission denied"),
        (MemoryError(), 2, "there is not enough memory for this"),
        (MemoryError("Unable to allocate 3 GiB"), 2, "there is not enough memory for this: Unable to allocate 3 GiB"),
        (ModuleNotFoundError("No module", name="amaranth.hdl"), 2,
         "this needs the package amaranth: pip install '.[hw]' in a checkout of xorweave"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (InputError("begin" + "x" * 10_000 + "end"), 2, None),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_one_line(
    error: BaseException, status: int, line: str | None, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fails: Any = _Fails(error)
    monkeypatch.setitem(sys.modules, "xorweave.commands.inspect", fails)
    monkeypatch.setattr(sys, "argv", ["xorweave", "inspect", "x"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("xorweave: ") and err.count("\n") == 1 and len(err) < 600
    if line is None:
        assert "begin" in err and "end" in err
    else:
        assert err == f"xorweave: {line}\n"


def test_a_name_that_is_no_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fails: Any = _Fails(UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"))
    monkeypatch.setitem(sys.modules, "xorweave.commands.inspect", fails)
    monkeypatch.setattr(sys, "argv", ["xorweave", "inspect", "x"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fails: Any = _Fails(ModuleNotFoundError("No module", name="xorweave.nothing"))
    monkeypatch.setitem(sys.modules, "xorweave.commands.inspect", fails)
    monkeypatch.setattr(sys, "argv", ["xorweave", "inspect", "x"])
    with pytest.raises(ModuleNotFoundError):
        cli.main()


ENVIRONMENTS: dict[str, dict[str, str | None]] = {
    "no HOME": {"HOME": None},
    "HOME that cannot be written": {"HOME": "/proc"},
    "no TMPDIR": {"TMPDIR": "/nonexistent"},
    "ASCII": {
        "LANG": "C",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
    },
    "no cache of kernels": {"NUMBA_CACHE_DIR": "/proc/x"},
}


@pytest.mark.parametrize("which", ENVIRONMENTS)
def test_odd_environments(tmp_path: Path, which: str) -> None:
    values = np.eye(8, dtype=np.int8)
    np.savez(tmp_path / "w.npz", **{"ünï-☃[/b]": values})
    environment = {**os.environ, **ENVIRONMENTS[which]}
    kept = {name: value for name, value in environment.items() if value is not None}
    for arguments in (["encode", "w.npz", "-o", "m.safetensors"], ["inspect", "m.safetensors"]):
        command = [sys.executable, "-m", "xorweave.cli", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        name = "\\xfcn\\xef-\\u2603[/b]" if which == "ASCII" else "ünï-☃[/b]"
        assert name.encode() in done.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_traceback_and_no_files(closed: str, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.eye(8, dtype=np.int8))
    command = f'"$0" -m xorweave.cli encode w.npy -o w.safetensors --for paper --jobs 1 {closed}'
    run = subprocess.run(
        ["sh", "-c", command, sys.executable], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.npy", "w.safetensors"]
    assert xorweave.verify(tmp_path / "w.safetensors").tensors == 1
