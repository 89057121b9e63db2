"""Compiles designs with Verilator, keeping its compiled run-time library between builds."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from xorweave.sim.simulators import search_path

# The wheel was configured without the compiler's flag for precompiled headers, which designs of more than one
# C++ file need; and a simulation is short, so quick compilation matters more than the last bit of speed.
MAKE_VARIABLES = ("CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")


def compile_model(sources: Sequence[Path], top: str, folder: Path, *, waves: bool) -> None:
    """Compile Verilog for cocotb's Verilator main loop into an empty folder; ``folder / top`` is the simulator.

    Raises
    ------
    RuntimeError
        Verilator or the C++ compiler failed; the message ends with what they said last.
    """
    from cocotb_tools import config

    libraries = config.libs_dir
    verilate = ["verilator", "-cc", "--exe", "-Mdir", str(folder), "--top-module", top, "--prefix", "Vtop"]
    # the bench reads and drives the ports only through VPI
    verilate += ["-o", top, "--vpi", "--public-flat-rw", "--timescale", "1ns/1ps", "-Wno-fatal"]
    # one C++ file: these models are small, and reading the headers is most of a compilation
    verilate += ["--output-split", "0", *(["--trace"] if waves else [])]
    verilate += ["-LDFLAGS", f"-Wl,-rpath,{libraries} -L{libraries} -lcocotbvpi_verilator"]
    verilate += [str(config.share_dir / "lib" / "verilator" / "verilator.cpp"), *map(str, sources)]
    make = ["make", "-j", str(os.cpu_count() or 1), "-C", str(folder), "-f", "Vtop.mk"]
    make += [f"VM_TRACE={int(waves)}", *MAKE_VARIABLES]
    environment = {**os.environ, "PATH": search_path()}
    with (folder / "build.log").open("w+") as log:
        for command in (verilate, make):
            done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment, check=False)
            if done.returncode:
                log.seek(0)
                said = " ".join(line.strip() for line in log.readlines()[-4:])
                raise RuntimeError(f"{command[0]} could not compile {top}: {said}")
            if command is verilate:
                lend_objects(folder, waves=waves)
    keep_objects(folder, waves=waves)


@cache
def _folder(waves: bool, vpi: bool) -> Path:
    """Return where the objects are kept: a folder for each version of everything that shapes them."""
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
    key = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "xorweave" / f"verilator-{key}"


def lend_objects(build: Path, *, waves: bool = False, vpi: bool = True) -> None:
    """Copy the kept objects into a build folder; make then takes them for its own."""
    for kept in _folder(waves, vpi).glob("verilated*.o"):
        shutil.copyfile(kept, build / kept.name)


def keep_objects(build: Path, *, waves: bool = False, vpi: bool = True) -> None:
    """Keep the objects of a finished build; where nothing can be kept, the next build is slower, no more."""
    folder = _folder(waves, vpi)
    if folder.exists():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=folder.parent))
        for made in build.glob("verilated*.o"):
            shutil.copyfile(made, scratch / made.name)
        scratch.rename(folder)
    except OSError:
        return
