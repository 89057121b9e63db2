"""The rules of the house: which room imports which, and how long a function may be."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("golden", "hw", "sim", "synth", "xorweave", "benchmarks", "examples")
LONGEST, MOST_PARAMETERS = 80, 10
LIST = Path(__file__).with_name("long_functions.txt")


def _check_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command as check; check(['--no-cache'])"
    return subprocess.run(
        [sys.executable, "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy laid out as installed."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "xorweave", tmp_path / "xorweave", ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_rooms_import_only_rooms_below_them(installed: Path) -> None:
    checked = _check_imports(installed)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("module", "upward"),
    [
        ("golden/base/errors.py", "import xorweave.golden.code.code"),
        ("golden/code/code.py", "from xorweave.golden.files import container"),
        ("hw/xor/network.py", "from xorweave.hw.package import package"),
        ("sim/simulate.py", "import xorweave.synth.engine"),
        ("golden/spmv/trace.py", "import amaranth"),
    ],
)
def test_an_upward_import_is_seen(installed: Path, module: str, upward: str) -> None:
    path = installed / "xorweave" / module
    path.write_text(f"{path.read_text()}\n{upward}\n")
    checked = _check_imports(installed)
    assert checked.returncode == 1
    assert upward.split()[1].rpartition(".")[0] in checked.stdout or "amaranth" in checked.stdout


def _functions() -> Iterator[tuple[str, int, int]]:
    """Name, lines of code and parameters of every function; text and comments are no code."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if any(parent.is_symlink() for parent in path.parents if parent != ROOT):
                continue
            text = path.read_text()
            lines = text.splitlines()
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                assert node.end_lineno is not None
                body = node.body[1:] if ast.get_docstring(node) is not None else node.body
                first = body[0].lineno if body else node.end_lineno
                code = [line.strip() for line in lines[first - 1 : node.end_lineno]]
                count = sum(bool(line) and not line.startswith("#") for line in code)
                arguments = node.args
                parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
                named = sum(argument.arg not in ("self", "cls") for argument in parameters)
                yield f"{path.relative_to(ROOT)}:{node.name}", count, named


def test_functions_are_short_or_on_the_list() -> None:
    listed = {}
    for line in LIST.read_text().splitlines():
        if line and not line.startswith("#"):
            name, lines, parameters = line.split()
            listed[name] = (int(lines), int(parameters))
    found = {
        name: (lines, parameters)
        for name, lines, parameters in _functions()
        if lines > LONGEST or parameters > MOST_PARAMETERS
    }
    new = {name: size for name, size in found.items() if name not in listed}
    assert not new, f"over {LONGEST} lines of code or {MOST_PARAMETERS} parameters: {new}"
    grown = {
        name: size
        for name, size in found.items()
        if any(a > b for a, b in zip(size, listed[name], strict=True))
    }
    assert not grown, f"longer than {LIST.name} allows: {grown}"
    gone = sorted(set(listed) - set(found))
    assert not gone, f"no longer needed in {LIST.name}: {gone}"
