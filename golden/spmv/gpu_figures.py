"""Times of products on a GPU: ours, kernels of other formats, and NVIDIA's libraries, each checked against NumPy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.spmv.gpu import CupyDevice, gpu_absence
from xorweave.golden.spmv.gpu_libraries import CublasBytes, CublasHalf, Cusparse
from xorweave.golden.spmv.gpu_rivals import BitmapTileProduct, DeltaProduct
from xorweave.golden.spmv.libraries import csr_array
from xorweave.golden.spmv.tile_product import MAX_VECTORS, TileProduct
from xorweave.golden.spmv.tiled import TiledMatrix, tile_matrix

# name, work, result on the device, bytes read
_Prepared = tuple[Callable[[], Any], Callable[[], Any], int]
_Prepare = Callable[[NDArray[np.int8]], _Prepared]


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
        ``device`` (facts and ``copy_bytes_per_second``) and ``products``, a list of what `time_products` gives. None
        if there is no GPU (`gpu_absence` says why).

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
    bandwidth = device.copy_bandwidth()
    weights = np.where(mask, matrix, 0).astype(np.int8)
    encoded = {
        "INT8": tile_matrix(weights, "int8", mask=mask, seed=seed, jobs=jobs),
        "FP16": tile_matrix(weights.astype(np.float16), "fp16", mask=mask, seed=seed, jobs=jobs),
    }
    found = time_products(
        device, weights, mask, encoded, batches, bandwidth, warm_ups=warm_ups, repeats=repeats, seed=seed
    )
    return {"device": device.facts() | {"copy_bytes_per_second": bandwidth}, "products": list(found)}


def time_products(
    device: CupyDevice,
    weights: NDArray[np.int8],
    mask: NDArray[np.bool_],
    encoded: Mapping[str, TiledMatrix],
    batches: tuple[int, ...],
    bandwidth: float,
    *,
    warm_ups: int,
    repeats: int,
    seed: int,
    only: str = "",
) -> Iterator[dict[str, Any]]:
    """Measure product after product of one matrix.

    Parameters
    ----------
    weights : ndarray of int8, shape (rows, columns)
        0 where the mask is.
    encoded : mapping of str to TiledMatrix
        The same weights, by what their format is called.
    bandwidth : float
        Bytes a second of a copy, of which a share is given.
    only : str
        Only products whose name begins so.

    Yields
    ------
    dict
        ``name``, ``batch``, ``microseconds`` (of each repeat), ``median``, ``low``, ``high`` (quartiles),
        ``bytes_read``, ``share_of_copy_bandwidth``, and ``agrees``: integers equal those of NumPy, floats lie within
        their rounding; a product that a library refuses has ``failed`` instead, its message.
    """
    vectors = (
        np.random.default_rng(seed).integers(-128, 128, (max(batches), weights.shape[1])).astype(np.int8)
    )
    products, sizes = _exact(vectors, weights)
    for name, prepare in _products(device, weights, mask, encoded):
        for batch in batches:
            if not name.startswith(only):
                continue
            if name.endswith("side by side") and batch == 1:  # nothing lies beside a single vector
                continue
            record: dict[str, Any] = {"name": name, "batch": batch}
            try:
                work, result, bytes_read = prepare(vectors[:batch])
                times = device.time(work, warm_ups=warm_ups, repeats=repeats)
                kind = result().dtype.kind
                got = device.to_host(result()).reshape(batch, -1).astype(np.float64)
            except Exception as error:  # a library's refusal is a result of this table, not its end
                yield record | {"failed": f"{type(error).__name__}: {error}".splitlines()[0]}
                continue
            wanted = products[:batch]
            rounding = 0.0 if kind == "i" else 2.0**-24 * (weights.shape[1] + 8) * sizes[:batch]
            if name == "cuBLAS FP16":  # which rounds its sums once more
                rounding = rounding + 2.0**-10 * np.abs(wanted) + 4096 * 2.0**-24
            low, median, high = np.percentile(times, [25, 50, 75]).tolist()
            moved = bytes_read + batch * (weights.shape[1] + 4 * weights.shape[0])
            yield record | {
                "microseconds": times,
                "median": median,
                "low": low,
                "high": high,
                "bytes_read": bytes_read,
                "share_of_copy_bandwidth": moved / (median * 1e-6) / bandwidth,
                "agrees": bool(np.all(np.abs(got - wanted) <= rounding)),
            }


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


def _products(
    device: CupyDevice, weights: NDArray[np.int8], mask: NDArray[np.bool_], encoded: Mapping[str, TiledMatrix]
) -> Iterator[tuple[str, _Prepare]]:
    """Make one product after another, so that the GPU holds one at a time; ``prepare(vectors)`` readies its work."""
    cupy, halves = device.cupy, weights.astype(np.float16)
    for name, matrix in encoded.items():
        yield f"encoded {name}", _kernel(device, TileProduct(matrix, device), matrix.bytes_read)
    for name, rival in (("bitmap INT8", BitmapTileProduct), ("4-bit steps INT8", DeltaProduct)):
        product = rival(weights, mask, device)
        yield name, _kernel(device, product, product.bytes_read)
    steps = DeltaProduct(halves, mask, device)
    yield "4-bit steps FP16", _kernel(device, steps, steps.bytes_read)
    dense = device.array(halves / 16)
    yield "cuBLAS FP16", lambda vectors: _library(CublasHalf(cupy, dense, vectors))
    dense = device.array(weights)
    yield "cuBLAS INT8", lambda vectors: _library(CublasBytes(cupy, dense, vectors))
    yield "cuBLAS INT8, 16 columns", lambda vectors: _library(CublasBytes(cupy, dense, vectors, 16))
    held = csr_array(weights, mask, "float32")
    for name, dtype in (("FP16", np.float16), ("FP32", np.float32)):
        label = f"cuSPARSE CSR {name}"
        yield label, lambda vectors, dtype=dtype: _library(Cusparse(cupy, held, vectors, dtype))  # type: ignore[misc]
    yield (
        "cuSPARSE CSR FP16, side by side",
        lambda vectors: _library(Cusparse(cupy, held, vectors, np.float16, by_row=True)),
    )


def _library(product: CublasHalf | CublasBytes | Cusparse) -> _Prepared:
    return product, product.result, product.bytes_read


def _kernel(
    device: CupyDevice, product: TileProduct | BitmapTileProduct | DeltaProduct, bytes_read: int
) -> _Prepare:
    def prepare(vectors: NDArray[np.int8]) -> _Prepared:
        count = vectors.shape[0]
        factors = device.array(product.padded(vectors.astype(product.vector_dtype)))
        result = device.empty((count, product.rows), product.sum_dtype)
        return lambda: product.run(factors, result, count), lambda: result, bytes_read

    return prepare
