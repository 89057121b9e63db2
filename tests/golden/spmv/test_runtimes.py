"""Products of inference engines, where they are installed, against NumPy."""

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv import runtimes
from xorweave.golden.spmv.runtimes import OnnxRuntimeInt8, OpenVinoInt8, TorchCsr


@pytest.mark.parametrize(
    ("package", "make"),
    [("onnxruntime", OnnxRuntimeInt8), ("openvino", OpenVinoInt8), ("torch", TorchCsr)],
)
def test_engines_multiply(package, make):
    """Small weights: without VNNI sums of pairs of products saturate, and the benchmark leaves an engine out."""
    pytest.importorskip(
        package, reason=f"{package} is not installed: its product is not compared with NumPy's"
    )
    rng = np.random.default_rng(0)
    mask = rng.random((48, 70)) < 0.3
    matrix = np.where(mask, rng.integers(-60, 61, mask.shape), 0).astype(np.int8)
    vectors = rng.integers(-128, 128, (3, 70)).astype(np.int8)
    wanted = vectors.astype(np.int32) @ matrix.T.astype(np.int32)
    product = make(matrix, mask, 1)
    assert np.array_equal(product(vectors), wanted)
    assert np.array_equal(product(vectors[1]), wanted[1])
    assert 0 < product.bytes_read <= mask.size * 4 + 4 * mask.shape[0]


@pytest.mark.parametrize("make", [OnnxRuntimeInt8, OpenVinoInt8, TorchCsr])
def test_what_is_missing_is_named(make, monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(runtimes.importlib, "import_module", absent)
    with pytest.raises(InputError, match=r"must be installed \(pip install '\.\[(runtimes|train|onnx)\]'"):
        make(np.ones((2, 2), np.int8), np.ones((2, 2), bool))
