"""Compiles designs with Verilator, keeping its compiled run-time library between builds."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from xorweave.golden.base.errors import ToolError
from xorweave.golden.base.leftovers import beside, leftover
from xorweave.sim.simulators import search_path

# The wheel was configured without the compiler's flag for precompiled headers, which designs of more than one
# C++ file need; and a simulation is short, so quick compilation matters more than the last bit of speed.
MAKE_VARIABLES = ("CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")


def compile_model(sources: Sequence[Path], top: str, folder: Path, *, waves: bool) -> None:
    """Compile Verilog for cocotb's Verilator main loop into an empty folder; ``folder / top`` is the simulator.

    make and the shell see names of their own choosing only: `sources` and `folder` may lie anywhere.

    Raises
    ------
    ToolError
        Verilator or the C++ compiler failed; the message ends with what they said last.
    """
    from cocotb_tools import config

    designs = copy_sources(sources, folder)
    shutil.copyfile(config.share_dir / "lib" / "verilator" / "verilator.cpp", folder / "main.cpp")
    libraries = config.libs_dir
    verilate = ["verilator", "-cc", "--exe", "-Mdir", ".", "--top-module", top, "--prefix", "Vtop"]
    # the bench reads and drives the ports only through VPI
    verilate += ["-o", top, "--vpi", "--public-flat-rw", "--timescale", "1ns/1ps", "-Wno-fatal"]
    # one C++ file: these models are small, and reading the headers is most of a compilation
    verilate += ["--output-split", "0", *(["--trace"] if waves else [])]
    verilate += ["-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"]
    verilate += ["main.cpp", *designs]
    make = [
        "make",
        "-j",
        str(os.cpu_count() or 1),
        "-f",
        "Vtop.mk",
        f"VM_TRACE={int(waves)}",
        *MAKE_VARIABLES,
    ]
    run_build(folder, [verilate, make], top, waves=waves)


def run_build(
    folder: Path, commands: Sequence[Sequence[str]], what: str, *, waves: bool = False, vpi: bool = True
) -> None:
    """Run Verilator and then make in a folder, with the kept objects of its run-time library.

    Raises
    ------
    ToolError
        One of them failed; the message ends with what it said last.
    """
    environment = {**os.environ, "PATH": search_path()}
    with (folder / "build.log").open("w+", errors="replace") as log:
        for command in commands:
            done = subprocess.run(
                command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment, check=False
            )
            if done.returncode:
                log.seek(0)
                said = " ".join(line.strip() for line in log.readlines()[-4:])
                raise ToolError(f"{command[0]} could not compile {what}: {said}")
            if command is commands[0]:
                lend_objects(folder, waves=waves, vpi=vpi)
    keep_objects(folder, waves=waves, vpi=vpi)


@contextmanager
def build_folder() -> Iterator[Path]:
    """Lend a temporary folder whose path make can work with: no spaces, no signs."""
    roots = [tempfile.gettempdir(), "/tmp", "/var/tmp"]
    plain = [root for root in roots if re.fullmatch(r"[A-Za-z0-9_./-]+", root) and os.access(root, os.W_OK)]
    root = plain[0] if plain else roots[0]
    with (
        tempfile.TemporaryDirectory(prefix="xorweave-sim-", dir=root, ignore_cleanup_errors=True) as name,
        leftover(Path(name)),
    ):
        yield Path(name)


def copy_sources(sources: Sequence[Path], folder: Path) -> list[str]:
    """Copy Verilog files into a folder under plain names, and return those."""
    names = [f"design{number}.v" for number, _ in enumerate(sources)]
    for source, name in zip(sources, names, strict=True):
        shutil.copyfile(source, folder / name)
    return names


def _folder(waves: bool, vpi: bool) -> Path:
    """Return where the objects are kept: a folder for each version of everything that shapes them."""
    return cache_folder() / f"verilator-{_key(waves, vpi)}"


@cache
def _key(waves: bool, vpi: bool) -> str:
    compiler = shutil.which("c++") or "c++"
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    names = [
        importlib.metadata.version("verilator"),
        *MAKE_VARIABLES,
        str(waves),
        version,
        platform.machine(),
        *([] if vpi else ["without VPI"]),
    ]
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Return where compiled things are kept: the user's own, for what lies in a package may be someone else's.

    Raises
    ------
    RuntimeError
        There is no home.
    """
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "xorweave"


def lend_objects(build: Path, *, waves: bool = False, vpi: bool = True) -> None:
    """Copy the kept objects into a build folder; make then takes them for its own."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home
        for kept in _folder(waves, vpi).glob("verilated*.o"):
            shutil.copyfile(kept, build / kept.name)


def keep_objects(build: Path, *, waves: bool = False, vpi: bool = True) -> None:
    """Keep the objects of a finished build; where nothing can be kept, the next build is slower, no more."""
    with suppress(OSError, RuntimeError):  # RuntimeError: there is no home
        folder = _folder(waves, vpi)
        if folder.exists():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        with leftover(beside(folder)) as partial:
            partial.mkdir()
            for made in build.glob("verilated*.o"):
                shutil.copyfile(made, partial / made.name)
            partial.rename(folder)
