"""C++ compiled at first use for this processor, and kept."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import binding
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError

SOURCES = Path(__file__).with_name("cpp")
_AVX2 = ("avx2", "fma", "f16c", "bmi", "bmi2", "popcnt")
_AVX512 = (*_AVX2, "avx512f", "avx512bw", "avx512vl", "avx512dq")
# the best first: what the processor must have, and what the sources are told
_SETS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "avx512-vbmi2": (
        (*_AVX512, "avx512vnni", "avx512vbmi2"),
        ("-DXW_AVX512", "-DXW_VNNI", "-DXW_VBMI2", "-mprefer-vector-width=512"),
    ),
    "avx512-vnni": ((*_AVX512, "avx512vnni"), ("-DXW_AVX512", "-DXW_VNNI", "-mprefer-vector-width=512")),
    "avx512": (_AVX512, ("-DXW_AVX512", "-mprefer-vector-width=512")),
    "avx2-vnni": ((*_AVX2, "avxvnni"), ("-DXW_AVX2", "-DXW_VNNI")),
    "avx2": (_AVX2, ("-DXW_AVX2",)),
    "plain": ((), ()),
}
INSTRUCTION_SETS = tuple(_SETS)
# AVX-512 by SIMDe's plain C, for tests: on any processor, slowly
EMULATED = "emulated"
_EMULATED_FLAGS = ("-DXW_AVX512", "-DXW_VNNI", "-DXW_EMULATED", "-w")
SPINS = "5000"  # rounds in which a thread looks for work before it sleeps: some 100 microseconds
MOST_THREADS = 256


@cache
def _processor() -> dict[str, bool]:
    return dict(binding.get_host_cpu_features())


def available_sets() -> list[str]:
    """Return the instruction sets that this processor has, the best first."""
    has = _processor()
    return [name for name, (needs, _told) in _SETS.items() if all(has.get(need, False) for need in needs)]


def instruction_set(wanted: str | None = None) -> str:
    """Settle on an instruction set: `wanted`, else what XORWEAVE_INSTRUCTIONS names, else the best there is.

    Raises
    ------
    InputError
        There is no such set, or this processor has it not.
    """
    name = wanted or os.environ.get("XORWEAVE_INSTRUCTIONS")
    there = available_sets()
    if not name:
        return there[0]
    if name not in (*there, EMULATED):
        raise InputError(
            f"the instruction set must be one of {', '.join(there)} on this processor, not {name!r}"
        )
    return name


def compiler() -> str | None:
    """Return the C++ compiler: what XORWEAVE_CXX names (nothing, if it is empty), else g++; None if there is none."""
    return shutil.which(os.environ.get("XORWEAVE_CXX", "g++"))


def flags_of(instructions: str) -> list[str]:
    """Return the compiler's flags for an instruction set."""
    if instructions == EMULATED:
        return list(_EMULATED_FLAGS)
    needs, told = _SETS[instructions]
    return [f"-m{need}" for need in needs] + list(told)


@cache
def build(source: str, flags: tuple[str, ...], sources: Path = SOURCES) -> ctypes.CDLL:
    """Compile a source with headers of `sources` to a library and load it; what was compiled before is only loaded.

    Libraries are kept in ``$XDG_CACHE_HOME/xorweave`` (``~/.cache/xorweave``), named by all that went into them.
    Where that cannot be written, a library lasts as long as this process.

    Raises
    ------
    InputError
        There is no compiler.
    RuntimeError
        The compiler refuses the source, or cannot be run.
    """
    program = compiler()
    if program is None:
        raise InputError("a C++ compiler (g++) must be on the PATH to build kernels for this processor")
    told = ["-fopenmp", f"-DXW_MOST_THREADS={MOST_THREADS}", "-I", str(sources)]
    command = [program, "-std=c++17", "-shared", "-fPIC", "-fwrapv", *flags, *told]
    digest = hashlib.sha256("\0".join([*command, _version(program), source]).encode())
    for header in sorted(sources.iterdir()):
        digest.update(header.read_bytes())
    name = f"{digest.hexdigest()[:32]}.so"
    folder = _cache_folder()
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="xorweave-") as passing:
            return _load(_compile(command, source, Path(passing), name))
    kept = folder / name
    if kept.exists():
        try:
            return _load(kept)
        except OSError:  # of another machine, or damaged: made anew
            pass
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as passing:
        # moved when complete: a process beside this one finds all of it or nothing
        _compile(command, source, Path(passing), name).replace(kept)
    return _load(kept)


def _load(library: Path) -> ctypes.CDLL:
    # OpenMP reads how its threads wait when it is loaded. Asleep at once, the product of the next layer would wait for
    # them to wake, as long as it takes itself; spinning for as long as they do by default, they would keep whoever
    # shares the processor from what he waits for
    own = "OMP_WAIT_POLICY" not in os.environ and "GOMP_SPINCOUNT" not in os.environ
    if own:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    try:
        return ctypes.CDLL(str(library))
    finally:
        if own:
            del os.environ["GOMP_SPINCOUNT"]


@cache
def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def _compile(command: list[str], source: str, folder: Path, name: str) -> Path:
    program, library = folder / "source.cpp", folder / name
    program.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [*command, "-o", str(library), str(program)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the C++ compiler says:\n{done.stderr}")
    return library


def _cache_folder() -> Path | None:
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        folder = (Path(named) if named else Path.home() / ".cache") / "xorweave"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, or none that can be written
        return None
    return folder if os.access(folder, os.W_OK) else None


@cache
def last_cache_bytes() -> int:
    """Return the size of the last-level cache, 16 MiB where the system does not tell it."""
    told = []
    for file in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        with contextlib.suppress(OSError, ValueError):  # not told, or in other words
            told.append(int(file.read_text(encoding="ascii").strip().removesuffix("K")) << 10)
    return max(told, default=1 << 24)


def aligned_zeros(shape: tuple[int, ...], dtype: type | np.dtype) -> NDArray:
    """Return zeros that begin at a multiple of 64 bytes: a register across two cache lines costs two loads."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size].view(dtype).reshape(shape)


def aligned(array: NDArray) -> NDArray:
    """Return a copy that begins at a multiple of 64 bytes."""
    copy = aligned_zeros(array.shape, array.dtype)
    copy[...] = array
    return copy


def address_of(array: NDArray) -> int:
    """Return where a contiguous array begins.

    NumPy's own way makes an object for it in Python. In a product of a tenth of a millisecond, whose caller's work has
    pushed all of Python out of the caches, that is a tenth of the time.
    """
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # it is read-only, or empty
        return array.ctypes.data


def bound(function: Any, *first: int, rest: int) -> Callable[..., int]:
    """Return a compiled function of addresses and sizes, 64 bits each: `first` are given now, `rest` more in a call."""
    function.argtypes = [ctypes.c_void_p] * (len(first) + rest)
    return partial(function, *map(ctypes.c_void_p, first))
