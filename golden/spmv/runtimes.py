"""Products by the inference engines people install: ONNX Runtime and OpenVINO (dense INT8), PyTorch (CSR by MKL)."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.extras import EXTRA_OF, install_advice


def _engine(name: str) -> Any:
    """Import a package of an extra, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"{name} must be installed ({install_advice(EXTRA_OF[name])})") from None


class OnnxRuntimeInt8:
    """All weights as INT8, by ONNX Runtime's ``MatMulInteger``: INT8 vectors, exact INT32 sums where there is VNNI.

    Parameters
    ----------
    matrix, mask : ndarray of int8 and of bool, shape (rows, columns)
    threads : int
    layers : int
        So many equal products in a row, each with a copy of the weights, in one session: every session has threads of
        its own, and they spin while they wait.

    Raises
    ------
    InputError
        A package is missing; the message names the extra.
    """

    def __init__(
        self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int = 1, *, layers: int = 1
    ) -> None:
        onnx, runtime = _engine("onnx"), _engine("onnxruntime")
        helper, kinds = onnx.helper, onnx.TensorProto
        weights = np.ascontiguousarray(np.where(mask, matrix, 0).T.astype(np.int8))
        graph = helper.make_graph(
            [helper.make_node("MatMulInteger", ["x", f"w{k}", "zero"], [f"y{k}"]) for k in range(layers)],
            "products",
            [helper.make_tensor_value_info("x", kinds.UINT8, ["batch", matrix.shape[1]])],
            [
                helper.make_tensor_value_info(f"y{k}", kinds.INT32, ["batch", matrix.shape[0]])
                for k in range(layers)
            ],
            [
                onnx.numpy_helper.from_array(np.uint8(128), "zero"),
                # others than the last: of equal ones it keeps one
                *(
                    onnx.numpy_helper.from_array(np.roll(weights, layers - 1 - k, axis=0), f"w{k}")
                    for k in range(layers)
                ),
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        # while it runs its threads spin as they do by default, but not on into what comes next
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._session = runtime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.bytes_read = weights.nbytes  # that one product reads

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.int32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        shifted = np.atleast_2d(vectors).view(np.uint8) ^ 128  # unsigned activations take the fastest kernel
        product: NDArray[np.int32] = self._session.run(None, {"x": shifted})[-1]
        return product.reshape(*vectors.shape[:-1], -1)


class OpenVinoInt8:
    """All weights as INT8, activations quantised to INT8, by OpenVINO on the processor.

    Parameters
    ----------
    matrix, mask : ndarray of int8 and of bool, shape (rows, columns)
    threads : int
    sparse : bool
        Ask for sparse weight decompression, which processors with AMX have: zeros are left out in memory.

    Raises
    ------
    InputError
        OpenVINO is missing; the message names the extra.
    """

    def __init__(
        self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int = 1, *, sparse: bool = False
    ) -> None:
        openvino = _engine("openvino")
        ops = importlib.import_module("openvino.opset13")
        weights = np.where(mask, matrix, 0).astype(np.int8)
        x = ops.parameter([-1, matrix.shape[1]], np.float32)
        low, high = np.float32(-128), np.float32(127)
        quantised = ops.fake_quantize(x, low, high, low, high, 256)
        plain = ops.multiply(ops.convert(ops.constant(weights), "f32"), ops.constant(np.float32(1)))
        model = openvino.Model([ops.matmul(quantised, plain, False, True)], [x])
        wanted: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if sparse:
            wanted["CPU_SPARSE_WEIGHTS_DECOMPRESSION_RATE"] = 0.5
        self._request = openvino.Core().compile_model(model, "CPU", wanted).create_infer_request()
        kept = int(np.count_nonzero(weights))
        self.bytes_read = weights.size // 8 + kept if sparse else weights.nbytes  # that one product reads

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.float32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        found = self._request.infer([np.atleast_2d(vectors).astype(np.float32)], share_inputs=True)
        product: NDArray[np.float32] = next(iter(found.values()))
        return product.reshape(*vectors.shape[:-1], -1)


class TorchCsr:
    """PyTorch's CSR in float32, on x86 multiplied by the MKL that its wheels carry.

    Raises
    ------
    InputError
        PyTorch is missing; the message names the extra.
    """

    def __init__(self, matrix: NDArray[np.int8], mask: NDArray[np.bool_], threads: int = 1) -> None:
        self._torch = _engine("torch")
        self._torch.set_num_threads(threads)
        starts = np.concatenate([[0], np.cumsum(np.count_nonzero(mask, axis=1))]).astype(np.int32)
        columns = (np.flatnonzero(mask) % mask.shape[1]).astype(np.int32)
        parts = (starts, columns, matrix[mask].astype(np.float32))
        self.bytes_read = sum(part.nbytes for part in parts)  # that one product reads
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that its CSR is in beta state
            self._matrix = self._torch.sparse_csr_tensor(
                *map(self._torch.from_numpy, parts), size=matrix.shape, check_invariants=False
            )

    def __call__(self, vectors: NDArray[np.int8]) -> NDArray[np.float32]:
        """Multiply: shape (columns,) to (rows,), or (batch, columns) to (batch, rows)."""
        factors = self._torch.from_numpy(np.ascontiguousarray(vectors.astype(np.float32).T))
        product: NDArray[np.float32] = (self._matrix @ factors).numpy()
        return product.T
