"""The GPU's side where there is a GPU, and one line where there is none."""

from __future__ import annotations

import builtins
import shutil
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv import gpu_figures as figures_of
from xorweave.golden.spmv.gpu import CupyDevice, GpuProduct, gpu_absence
from xorweave.golden.spmv.gpu_figures import gpu_figures
from xorweave.golden.spmv.host_build import HostDevice
from xorweave.golden.spmv.tiled import tile_matrix


def test_without_cupy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "cupy":
            raise ImportError(name)
        return usual(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install '.\[gpu\]'"):
        CupyDevice()
    assert gpu_figures(np.ones((2, 2), np.int8), np.ones((2, 2), bool)) is None


def test_without_a_gpu_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class CUDARuntimeError(Exception):
        pass

    def count() -> int:
        raise CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")

    runtime = types.SimpleNamespace(getDeviceCount=count, CUDARuntimeError=CUDARuntimeError)
    cupy = types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime))
    monkeypatch.setitem(sys.modules, "cupy", cupy)  # type: ignore[arg-type]
    reason = gpu_absence()
    assert reason == (
        "there must be an NVIDIA GPU with its driver: CUDA says cudaErrorNoDevice: no CUDA-capable device is detected"
    )


def test_batches_are_checked_before_the_gpu() -> None:
    with pytest.raises(InputError, match="batches must be 1 to 16, not 17"):
        gpu_figures(np.ones((2, 2), np.int8), np.ones((2, 2), bool), (17,))


class NumpyDevice(HostDevice):
    """Stands in for CuPy's device: kernels in their host build, the libraries' part by NumPy, no time taken."""

    name = "none"
    cupy = np

    def facts(self) -> dict[str, Any]:
        return {"gpu": self.name}

    def copy_bandwidth(self) -> float:
        return 1e9

    def time(self, work: Callable[[], Any], *, warm_ups: int, repeats: int) -> list[float]:
        work()
        return [float(k + 1) for k in range(repeats)]


def test_figures_hold_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed: the host build of the GPU's kernels is not tested")
    monkeypatch.setattr(figures_of, "CupyDevice", NumpyDevice)
    monkeypatch.setattr(figures_of, "gpu_absence", lambda: None)
    rng = np.random.default_rng(0)
    mask = rng.random((20, 130)) < 0.3
    matrix = np.where(mask, rng.integers(-128, 128, mask.shape), 0).astype(np.int8)
    figures = gpu_figures(matrix, mask, (2,), repeats=5)
    assert figures is not None
    assert figures["device"] == {"gpu": "none", "copy_bytes_per_second": 1e9}
    products = {record["name"]: record for record in figures["products"]}
    for name in ("encoded INT8", "encoded FP16", "bitmap INT8", "cuBLAS FP16"):
        assert products[name]["agrees"], name
        assert (products[name]["low"], products[name]["median"], products[name]["high"]) == (2, 3, 4)
        moved = products[name]["bytes_read"] + 2 * (130 + 4 * 20)
        assert products[name]["share_of_copy_bandwidth"] == pytest.approx(moved / 3e-6 / 1e9)
    # NumPy has neither of these: what a library refuses is said, and the others go on
    assert products["cuBLAS INT8"]["failed"] and products["cuSPARSE CSR FP32"]["failed"]


def test_gpu_agrees() -> None:
    if reason := gpu_absence():
        pytest.skip(reason)
    rng = np.random.default_rng(0)
    mask = rng.random((300, 1000)) < 0.2
    matrix = np.where(mask, rng.integers(-128, 128, mask.shape), 0).astype(np.int8)
    product = GpuProduct(tile_matrix(matrix, mask=mask))
    assert np.array_equal(product.dense(), matrix)
    vectors = rng.integers(-128, 128, (16, 1000)).astype(np.int8)
    assert np.array_equal(product(vectors), vectors.astype(np.int32) @ matrix.T.astype(np.int32))
    figures = gpu_figures(matrix, mask, (1, 16), warm_ups=2, repeats=5)
    assert figures is not None
    for record in figures["products"]:
        assert record.get("failed") or record["agrees"], record
