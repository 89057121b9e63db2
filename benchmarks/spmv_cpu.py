"""Encoded products and decoding on a processor, against a memory copy and against what people would use instead.

python benchmarks/spmv_cpu.py [--rows 16384] [--columns 16384] [--sparsity .5 .7 .9] [--repeats 9] [--threads 1]

The matrix should be larger than the last-level cache when it is stored as CSR (8 bytes a kept weight in SciPy).
"""

from __future__ import annotations

import argparse

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.scan.cells import CellOrder
from xorweave.golden.spmv.cpu import GROUP_WORDS, EncodedProduct
from xorweave.golden.spmv.libraries import MklCsr, NumpyDense, ScipyCsr, one_blas_thread
from xorweave.golden.spmv.rivals import BitmapProduct, CsrProduct
from xorweave.golden.spmv.sliced import slice_matrix
from xorweave.studies.timing import Timing, measure, ratio


def matrix_of(rows: int, columns: int, sparsity: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uniform INT8 weights at random places, and the mask."""
    mask = random_mask((rows, columns), sparsity, seed)
    weights = np.random.default_rng(seed + 1).integers(-128, 128, mask.shape, np.int8)
    weights[~mask] = 0
    return weights, mask


def one(rows: int, columns: int, sparsity: float, repeats: int, threads: int, max_k: int) -> None:
    """Measure one sparsity."""
    weights, mask = matrix_of(rows, columns, sparsity, seed=0)
    order = CellOrder(rows, columns, GROUP_WORDS * threads)
    sliced = slice_matrix(weights, mask=mask, order=order, max_k=max_k, jobs=2)
    ours = EncodedProduct(sliced, threads)
    vector = np.random.default_rng(7).integers(-128, 128, columns, np.int8)
    wanted = ours(vector)
    decoded = ours.decode()
    copy = np.zeros_like(decoded)
    products = {
        "encoded (ours)": ours,
        "bitmap (ours)": BitmapProduct(weights, mask, threads),
        "dense INT8 (ours)": BitmapProduct(weights, mask, threads, dense=True),
        "CSR INT8 (Algorithm 1, ours)": CsrProduct(weights, mask, threads),
    }
    if threads == 1:
        products["SciPy CSR float32"] = ScipyCsr(weights, mask)
        products["SciPy CSR int32"] = ScipyCsr(weights, mask, "int32")
    try:
        products["MKL CSR float32"] = MklCsr(weights, mask, threads)
    except InputError as missing:
        print(f"  MKL: not measured: {missing}")
    for name, product in products.items():
        assert np.array_equal(product(vector), wanted), name
    if rows * columns <= 1 << 28:
        products["NumPy dense float32"] = NumpyDense(weights, mask)
    work = {name: (lambda product=product: product(vector)) for name, product in products.items()}
    work["decode"] = lambda: ours.decode(decoded)
    work["copy"] = lambda: np.copyto(copy, decoded)
    with one_blas_thread():
        taken = measure(work, repeats)
    kept = int(np.count_nonzero(mask))
    overhead = (sliced.encoded.blocks * sliced.code.n_in + 0.0) / kept - 1
    print(
        f"{rows} x {columns}, S = {sparsity}, {threads} thread(s), {sliced.code.spec}: payload {100 * overhead:.2f} % "
        f"over the care bits, {sliced.patch_rows.size} patches"
    )
    for name, product in products.items():
        print(
            f"  {name:30s} {_rate(taken[name], rows * columns):>34s}, reads {product.bytes_read / 2**20:8.1f} MiB; "
            f"encoded is {ratio(taken[name], taken['encoded (ours)'])} as fast"
        )
    for name in ("decode", "copy"):
        print(f"  {name:30s} {_rate(taken[name], rows * columns):>34s}")
    print(f"  decoding runs at {ratio(taken['copy'], taken['decode'])} the speed of copying what it decodes")


def _rate(timing: Timing, weights: int) -> str:
    rates = [weights / seconds / 1e9 for seconds in timing.seconds]
    return f"{weights / timing.median / 1e9:.2f} ({min(rates):.2f} .. {max(rates):.2f}) G weights/s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=16384)
    parser.add_argument("--columns", type=int, default=16384)
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.5, 0.7, 0.9])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--max-k", type=int, default=64)
    given = parser.parse_args()
    for sparsity in given.sparsity:
        one(given.rows, given.columns, sparsity, given.repeats, given.threads, given.max_k)


if __name__ == "__main__":
    main()
