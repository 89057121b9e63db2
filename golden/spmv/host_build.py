"""The GPU's kernels built for this processor: slow, and the same source, so that they are tested where no GPU is."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.kernels import SOURCES


class HostDevice:
    """Stands in for a GPU: compiles kernels with g++ and runs their warps one after another.

    Raises
    ------
    InputError
        There is no g++.
    """

    name = "host build"

    def __init__(self) -> None:
        compiler = shutil.which("g++")
        if compiler is None:
            raise InputError("g++ must be on the PATH to build the kernels for this processor")
        self._compiler = compiler
        self._built: dict[str, ctypes.CDLL] = {}

    def array(self, values: NDArray) -> NDArray:
        """Copy to the device."""
        return np.ascontiguousarray(values)

    def empty(self, shape: tuple[int, ...], dtype: type) -> NDArray:
        """Return an array that nothing has been written to."""
        return np.full(shape, 77, dtype)

    def to_host(self, values: NDArray) -> NDArray:
        """Copy back."""
        return values

    def launch(self, source: str, kernel: str, blocks: int, warps: int, arguments: list[Any]) -> None:
        """Run a kernel of `source` in `blocks` blocks of `warps` warps; integers are passed as 32 bits."""
        function = self._library(source)[kernel]
        passed = [
            ctypes.c_void_p(value.ctypes.data)
            if isinstance(value, np.ndarray)
            else ctypes.c_uint32(int(value) & 0xFFFFFFFF)
            for value in arguments
        ]
        function(blocks, warps, *passed)

    def _library(self, source: str) -> ctypes.CDLL:
        if source not in self._built:
            with tempfile.TemporaryDirectory() as folder:
                program, library = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
                program.write_text(source)
                command = [
                    self._compiler,
                    "-std=c++17",
                    "-O0",
                    "-Wall",
                    "-Wno-unknown-pragmas",
                    "-shared",
                    "-fPIC",
                ]
                command += ["-I", str(SOURCES), "-o", str(library), str(program)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode or done.stderr:
                    raise RuntimeError(f"g++ says:\n{done.stderr}")
                self._built[source] = ctypes.CDLL(str(library))
        return self._built[source]
