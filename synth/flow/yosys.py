"""Run Yosys and ABC, each in a process of its own: an error inside Yosys ends the process it happens in."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.golden.base.extras import install_advice
from xorweave.synth.flow.tool_process import run_tool

_CHILD = "import sys; from pyosys import libyosys as y; y.run_pass('script ' + sys.argv[1], y.Design())"


def run_yosys(script: str, directory: Path, *, timeout_s: float | None = None) -> str:
    """Run a Yosys script in `directory` and return its log.

    File names inside the script are relative to `directory`, which keeps machine paths out of what Yosys
    writes.

    Raises
    ------
    ToolError
        Yosys stopped with an error, or took longer than `timeout_s` seconds.
    """
    (directory / "script.ys").write_text(script)
    done = run_tool("Yosys", [sys.executable, "-c", _CHILD, "script.ys"], directory, timeout_s)
    if done.returncode:
        errors = re.findall(r"^.*ERROR: (.*)$", done.stdout, re.MULTILINE)
        raise ToolError(f"Yosys failed: {errors[-1] if errors else done.stdout[-400:].strip()}")
    return done.stdout


def yosys_abc() -> Path:
    """Return the yosys-abc that lies inside the pyosys package."""
    spec = find_spec("pyosys")
    if spec is None or spec.origin is None:
        raise ToolError(f"Yosys is missing: {install_advice('hw')}")
    return Path(spec.origin).with_name("yosys-abc")


def run_abc(commands: str, directory: Path, *, timeout_s: float | None = None) -> str:
    """Run ABC commands in `directory` and return what ABC prints.

    Raises
    ------
    ToolError
        ABC stopped with an error, or took longer than `timeout_s` seconds.
    """
    done = run_tool("ABC", [str(yosys_abc()), "-c", commands], directory, timeout_s)
    if done.returncode:
        raise ToolError(f"ABC failed: {done.stdout[-400:].strip()}")
    return done.stdout


@lru_cache(maxsize=1)
def tool_versions() -> dict[str, str]:
    """Return the versions of Yosys and ABC that every figure of this package is made with."""
    text = subprocess.run(
        [str(yosys_abc()), "-c", "version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"ABC [\d.]+ \(compiled [^)]*\)", text)
    return {"yosys": f"pyosys {version('pyosys')}", "abc": found[0] if found else "unknown"}
