"""The GPU's side where there is a GPU, and one line where there is none."""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

import numpy as np
import pytest

from xorweave.golden.errors import InputError
from xorweave.golden.spmv.gpu import CupyDevice, GpuProduct, gpu_absence, gpu_figures
from xorweave.golden.spmv.tiled import tile_matrix


def test_without_cupy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "cupy":
            raise ImportError(name)
        return usual(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'xorweave\[gpu\]'"):
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
