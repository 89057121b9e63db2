"""Products on an NVIDIA GPU through CuPy (extra `gpu`)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import install_advice
from xorweave.golden.spmv.kernels import SOURCES
from xorweave.golden.spmv.tile_product import TileProduct
from xorweave.golden.spmv.tiled import TiledMatrix

# Bytes read before each repeat: no cache holds the matrix then, and nothing has to be written back from one; the
# launches queue up meanwhile.
_FLUSHED = 1 << 30
_OPTIONS = ("--std=c++17", f"-I{SOURCES}")


def compile_kernels(source: str, capability: str) -> bytes:
    """Compile kernels for GPUs of a compute capability (``90``); needs CuPy and its NVRTC, and no GPU."""
    from cupy_backends.cuda.libs import nvrtc

    program = nvrtc.createProgram(source, "kernels.cu", [], [])
    nvrtc.compileProgram(program, [*_OPTIONS, f"-arch=sm_{capability}"])
    binary: bytes = nvrtc.getCUBIN(program)
    nvrtc.destroyProgram(program)
    return binary


class CupyDevice:
    """The current GPU of CuPy.

    Raises
    ------
    InputError
        CuPy is not installed (the message names the extra), or it finds no GPU.
    """

    def __init__(self) -> None:
        try:
            import cupy
        except ImportError:
            raise InputError(
                f"CuPy must be installed for products on a GPU: {install_advice('gpu')}"
            ) from None
        try:
            count = cupy.cuda.runtime.getDeviceCount()
        except cupy.cuda.runtime.CUDARuntimeError as error:
            raise InputError(f"there must be an NVIDIA GPU with its driver: CUDA says {error}") from None
        if not count:
            raise InputError("there must be an NVIDIA GPU: CUDA finds none")
        self.cupy = cupy
        self._modules: dict[str, Any] = {}
        self.name = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()

    def array(self, values: NDArray) -> Any:
        """Copy to the device."""
        return self.cupy.asarray(np.ascontiguousarray(values))

    def empty(self, shape: tuple[int, ...], dtype: type) -> Any:
        """Return an array that nothing has been written to."""
        return self.cupy.empty(shape, dtype)

    def to_host(self, values: Any) -> NDArray:
        """Copy back."""
        return self.cupy.asnumpy(values)

    def launch(self, source: str, kernel: str, blocks: int, warps: int, arguments: list[Any]) -> None:
        """Run a kernel of `source` in `blocks` blocks of `warps` warps; integers are passed as 32 bits."""
        if source not in self._modules:
            self._modules[source] = self.cupy.RawModule(code=source, options=_OPTIONS)
        passed = [np.uint32(value & 0xFFFFFFFF) if isinstance(value, int) else value for value in arguments]
        self._modules[source].get_function(kernel)((blocks,), (32, warps), tuple(passed))

    def accept(self, source: str, binary: bytes) -> None:
        """Take what `compile_kernels` made of `source` elsewhere, instead of compiling it here."""
        self._modules[source] = self.cupy.cuda.function.Module()
        self._modules[source].load(binary)

    def facts(self) -> dict[str, Any]:
        """Return what a figure of this GPU has to carry: names, versions and, where nvidia-smi is, clocks."""
        runtime, device = self.cupy.cuda.runtime, self.cupy.cuda.Device()
        properties = runtime.getDeviceProperties(device.id)
        facts: dict[str, Any] = {
            "gpu": self.name,
            "compute_capability": device.compute_capability,
            "multiprocessors": properties["multiProcessorCount"],
            "l2_bytes": properties["l2CacheSize"],
            "cuda_driver": runtime.driverGetVersion(),
            "cuda_runtime": runtime.runtimeGetVersion(),
            "cupy": self.cupy.__version__,
        }
        if tool := shutil.which("nvidia-smi"):
            fields = (
                "driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit,temperature.gpu"
            )
            query = [tool, f"--id={device.id}", f"--query-gpu={fields}", "--format=csv,noheader"]
            done = subprocess.run(query, capture_output=True, text=True)
            if not done.returncode:
                facts |= dict(zip(fields.split(","), done.stdout.strip().split(", "), strict=False))
        return facts

    def copy_bandwidth(self) -> float:
        """Measure bytes a second, read and written, of a copy of 1 GiB on the device."""
        source = self.cupy.zeros(1 << 28, np.float32)
        target = self.cupy.empty_like(source)
        microseconds = np.median(self.time(lambda: self.cupy.copyto(target, source), warm_ups=3, repeats=10))
        return 2 * source.nbytes / (float(microseconds) * 1e-6)

    def time(self, work: Callable[[], Any], *, warm_ups: int, repeats: int) -> list[float]:
        """Time work on the device by its events: microseconds of each repeat, with nothing of it in a cache.

        What the GPU takes from the first event to the second: several launches, and the gaps between them, included.
        """
        cupy = self.cupy
        flushed, total = cupy.ones(_FLUSHED // 4, np.float32), cupy.empty((), np.float32)
        for _ in range(warm_ups):
            work()
        pairs = []
        for _ in range(repeats):
            flushed.sum(out=total)
            start, end = cupy.cuda.Event(), cupy.cuda.Event()
            start.record()
            work()
            end.record()
            end.synchronize()
            pairs.append((start, end))
        return [1e3 * cupy.cuda.get_elapsed_time(start, end) for start, end in pairs]


class GpuProduct(TileProduct):
    """Products of an encoded matrix on the current GPU, called like `cpu.EncodedProduct`.

    Raises
    ------
    InputError
        CuPy or a GPU is missing.
    """

    def __init__(self, matrix: TiledMatrix) -> None:
        super().__init__(matrix, CupyDevice())


def gpu_absence() -> str | None:
    """Return why there is no product on a GPU here, in one line; None if there is one."""
    try:
        CupyDevice()
    except InputError as error:
        return str(error)
    return None
