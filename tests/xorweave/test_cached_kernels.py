"""What a command loads of Numba is enough for every kernel that is kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from xorweave.golden.scan.interleaver import Interleaver

SCRIPT = Path(__file__).with_name("kept_kernels.py")

# the function that `outside` calls is known to the process that compiles it, and to no other
_KERNELS = """
import ctypes
import llvmlite.binding
from numba import njit, types

def tell():
    llvmlite.binding.add_symbol("known_here_alone", ctypes.cast(ctypes.CDLL(None).abs, ctypes.c_void_p).value)

known_here_alone = types.ExternalFunction("known_here_alone", types.int32(types.int32))

@njit(cache=True)
def outside(a):
    return known_here_alone(a)

@njit(cache=True)
def added(a, b):
    return a + b
"""
_ALONE = "from xorweave.cached_kernels import load_cached_kernels_alone as alone; alone(); "


def load_all(*packages: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *packages]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


def test_every_kept_kernel_finds_all_that_it_calls() -> None:
    scan = Interleaver(10, 3, 0)
    assert scan.to_scan(np.arange(10, dtype=np.uint8))[1] == 3  # at least this one is kept now
    done = load_all("xorweave.golden", "xorweave.hw")
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(r"(\d+) kernels False\n", done.stdout)
    assert found and int(found[1]) >= 1


def test_a_kernel_is_compiled_then_loaded_and_one_that_calls_elsewhere_is_seen(tmp_path: Path) -> None:
    (tmp_path / "few.py").write_text(_KERNELS)
    where = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    calls = "import few; few.tell(); print(few.added(1, 2), few.outside(-3))"
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _ALONE + calls],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | where,
        )
        assert done.stdout == "3 3\n"
    done = load_all("few", **where)
    assert done.returncode != 0
    assert "known_here_alone" in done.stderr
