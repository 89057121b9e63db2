"""Products on an NVIDIA GPU through CuPy (extra `gpu`), and the libraries people would use there instead."""

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
from xorweave.golden.spmv.tile_product import MAX_VECTORS, BitmapTileProduct, TileProduct
from xorweave.golden.spmv.tiled import TiledMatrix, tile_matrix

_FLUSHED = (
    1 << 30
)  # bytes written before each repeat: no cache holds the matrix, and the launches queue up meanwhile


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
            options = ("--std=c++17", f"-I{SOURCES}")
            self._modules[source] = self.cupy.RawModule(code=source, options=options)
        passed = [np.uint32(value & 0xFFFFFFFF) if isinstance(value, int) else value for value in arguments]
        self._modules[source].get_function(kernel)((blocks,), (32, warps), tuple(passed))

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
        """Time work on the device by its events: microseconds of each repeat, with nothing of it in a cache."""
        cupy = self.cupy
        flushed = cupy.empty(_FLUSHED, np.uint8)
        for _ in range(warm_ups):
            work()
        pairs = []
        for _ in range(repeats):
            flushed.fill(0)
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


def gpu_figures(
    matrix: NDArray[np.int8],
    mask: NDArray[np.bool_],
    batches: tuple[int, ...] = (1,),
    *,
    warm_ups: int = 10,
    repeats: int = 50,
    seed: int = 0,
    jobs: int = 1,
) -> dict[str, Any] | None:
    """Measure products of an INT8 matrix on the GPU: ours, INT8 and FP16, and what people would use.

    Parameters
    ----------
    matrix : ndarray of int8, shape (rows, columns)
    mask : ndarray of bool, same shape
        True = kept.
    batches : tuple of int
        Vectors multiplied at once, 1 to 16 each.
    warm_ups, repeats : int
        Runs before timing starts, and runs timed.

    Returns
    -------
    dict or None
        ``device`` (facts and ``copy_bytes_per_second``) and ``products``: a list of ``name``, ``batch``,
        ``microseconds`` (of each repeat), ``median``, ``low``, ``high`` (quartiles), ``bytes_read``,
        ``share_of_copy_bandwidth``, and ``agrees``: integers equal those of NumPy, floats lie within their rounding;
        a product that a library refuses has ``failed`` instead, its message. None if there is no GPU
        (`gpu_absence` says why).

    Raises
    ------
    InputError
        A batch is not 1 to 16, or the matrix cannot be encoded.
    """
    for batch in batches:
        if not 1 <= batch <= MAX_VECTORS:
            raise InputError(f"batches must be 1 to {MAX_VECTORS}, not {batch}")
    if gpu_absence() is not None:
        return None
    device = CupyDevice()
    weights = np.where(mask, matrix, 0).astype(np.int8)
    vectors = np.random.default_rng(seed).integers(-128, 128, (max(batches), matrix.shape[1])).astype(np.int8)
    bandwidth = device.copy_bandwidth()
    runs = _products(device, weights, mask, seed, jobs)
    all_wanted, all_sizes = _exact(vectors, weights)
    products = []
    for batch in batches:
        wanted, size = all_wanted[:batch], all_sizes[:batch]
        for name, prepare in runs:
            record: dict[str, Any] = {"name": name, "batch": batch}
            products.append(record)
            try:
                work, result, bytes_read = prepare(vectors[:batch])
                times = device.time(work, warm_ups=warm_ups, repeats=repeats)
                got = device.to_host(result()).reshape(batch, -1).astype(np.float64)
            except Exception as error:  # a library's refusal is a result of this table, not its end
                record["failed"] = f"{type(error).__name__}: {error}".splitlines()[0]
                continue
            rounding = 0.0 if result().dtype.kind == "i" else 2.0**-24 * (matrix.shape[1] + 8) * size
            if name == "cuBLAS FP16":  # which rounds its sums once more
                rounding = rounding + 2.0**-10 * np.abs(wanted) + 4096 * 2.0**-24
            low, median, high = np.percentile(times, [25, 50, 75]).tolist()
            moved = bytes_read + batch * (matrix.shape[1] + 4 * matrix.shape[0])
            record |= {
                "microseconds": times,
                "median": median,
                "low": low,
                "high": high,
                "bytes_read": bytes_read,
                "share_of_copy_bandwidth": moved / (median * 1e-6) / bandwidth,
                "agrees": bool(np.all(np.abs(got - wanted) <= rounding)),
            }
    return {"device": device.facts() | {"copy_bytes_per_second": bandwidth}, "products": products}


def _exact(
    vectors: NDArray[np.int8], weights: NDArray[np.int8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the products, exact in float64, and the sums of magnitudes, both of shape (batch, rows)."""
    factors = vectors.astype(np.float64)
    products, sizes = (np.empty((vectors.shape[0], weights.shape[0])) for _ in range(2))
    for first in range(0, weights.shape[0], 1024):  # large matrices in float64 would fill the memory
        some = weights[first : first + 1024].astype(np.float64).T
        products[:, first : first + 1024] = factors @ some
        sizes[:, first : first + 1024] = np.abs(factors) @ np.abs(some)
    return products, sizes


_Prepared = tuple[Callable[[], Any], Callable[[], Any], int]


def _products(
    device: CupyDevice, weights: NDArray[np.int8], mask: NDArray[np.bool_], seed: int, jobs: int
) -> list[tuple[str, Callable[[NDArray[np.int8]], _Prepared]]]:
    """Return (name, prepare) of every product; ``prepare(vectors)`` gives the work, its result, and bytes read."""
    halves = weights.astype(np.float16)
    ours = [
        ("encoded INT8", TileProduct(tile_matrix(weights, "int8", mask=mask, seed=seed, jobs=jobs), device)),
        ("encoded FP16", TileProduct(tile_matrix(halves, "fp16", mask=mask, seed=seed, jobs=jobs), device)),
    ]
    bitmap = BitmapTileProduct(weights, mask, device)
    cupy, rows = device.cupy, weights.shape[0]

    def encoded(product: TileProduct) -> Callable[[NDArray[np.int8]], _Prepared]:
        def prepare(vectors: NDArray[np.int8]) -> _Prepared:
            values = (
                vectors.astype(np.float16).view(np.uint16)
                if product.matrix.encoded.number_format.is_float
                else vectors
            )
            factors = device.array(values)
            result = device.empty((vectors.shape[0], rows), product.sum_dtype)
            return (
                lambda: product.run(factors, result, vectors.shape[0]),
                lambda: result,
                product.matrix.bytes_read,
            )

        return prepare

    def packed(vectors: NDArray[np.int8]) -> _Prepared:
        factors, result = (
            device.array(bitmap.padded(vectors)),
            device.empty((vectors.shape[0], rows), np.int32),
        )
        return lambda: bitmap.run(factors, result, vectors.shape[0]), lambda: result, bitmap.bytes_read

    def cublas_fp16(vectors: NDArray[np.int8]) -> _Prepared:
        # scaled by powers of two, so that no sum leaves the range of FP16
        left, right = device.array(halves / 16), device.array(vectors.astype(np.float16).T / 256)
        result = cupy.empty((rows, vectors.shape[0]), np.float16)
        return (
            lambda: cupy.matmul(left, right, out=result),
            lambda: result.T.astype(np.float32) * 4096,
            int(left.nbytes),
        )

    def cublas_int8(vectors: NDArray[np.int8]) -> _Prepared:
        left, right = device.array(weights), device.array(vectors)
        result = cupy.empty((vectors.shape[0], rows), np.int32)
        return lambda: _int8_gemm(cupy, left, right, result), lambda: result, int(left.nbytes)

    def cusparse(vectors: NDArray[np.int8]) -> _Prepared:
        from cupyx import cusparse as library
        from cupyx.scipy import sparse

        from xorweave.golden.spmv.libraries import csr_array

        held = csr_array(weights, mask, "float32")
        left = sparse.csr_matrix(
            (device.array(held.data), device.array(held.indices), device.array(held.indptr)), held.shape
        )
        right = cupy.asfortranarray(device.array(vectors.astype(np.float32).T))
        bytes_read = int(held.data.nbytes + held.indices.nbytes + held.indptr.nbytes)
        if vectors.shape[0] == 1:
            single = cupy.empty(rows, np.float32)
            return lambda: library.spmv(left, right[:, 0], y=single), lambda: single, bytes_read
        many = cupy.empty((rows, vectors.shape[0]), np.float32, order="F")
        return lambda: library.spmm(left, right, c=many), lambda: many.T, bytes_read

    runs = [(name, encoded(product)) for name, product in ours]
    return [
        *runs,
        ("bitmap INT8", packed),
        ("cuBLAS FP16", cublas_fp16),
        ("cuBLAS INT8", cublas_int8),
        ("cuSPARSE CSR FP32", cusparse),  # CuPy's sparse matrices hold no FP16
    ]


def _int8_gemm(cupy: Any, weights: Any, vectors: Any, product: Any) -> None:
    """product (batch x rows) = vectors (batch x columns) times the transpose of weights (rows x columns)."""
    from cupy_backends.cuda.libs import cublas

    (rows, columns), batch = weights.shape, vectors.shape[0]
    one, zero = np.array(1, np.int32), np.array(0, np.int32)
    runtime = cupy.cuda.runtime
    cublas.gemmEx(
        cupy.cuda.get_cublas_handle(), cublas.CUBLAS_OP_T, cublas.CUBLAS_OP_N, rows, batch, columns,
        one.ctypes.data, weights.data.ptr, runtime.CUDA_R_8I, columns, vectors.data.ptr, runtime.CUDA_R_8I, columns,
        zero.ctypes.data, product.data.ptr, runtime.CUDA_R_32I, rows, cublas.CUBLAS_COMPUTE_32I,
        cublas.CUBLAS_GEMM_DEFAULT,
    )  # fmt: skip
