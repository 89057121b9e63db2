"""Encoded products and decoding on a processor, against a memory copy and against what people would use instead.

python benchmarks/spmv_cpu.py [--quick] [--size 4096 16384] [--sparsity .5 .7 .9] [--threads 1 2] [--repeats 15]
                              [--batch 1 16] [--layers 1] [--dtype int8 fp16] [--no-csr] [--shaped] [--runtimes]
                              [--jobs 1] [--seconds 300] [--json FILE]

Every size, sparsity and number of threads is one table: medians of repeats taken in turn, with their spread, and how
often the encoded product is as fast as each rival, run by run. --quick takes one small size and few repeats.

A run is a product with each of several equal matrices, one after another, as the layers of a model follow each other:
by default so many that the smallest of their forms are twice the last-level cache. So every format reads memory, as it
does in a model, and threads find their next product as they do there. --layers 1: one product between other work.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.spmv import native
from xorweave.golden.spmv.cpu import EncodedProduct
from xorweave.golden.spmv.lanes import LaneMatrix, encode_lanes
from xorweave.golden.spmv.libraries import MklCsr, NumpyDense, ScipyCsr, one_blas_thread
from xorweave.golden.spmv.rivals import BitmapProduct, CsrProduct
from xorweave.golden.spmv.runtimes import OnnxRuntimeInt8, OpenVinoInt8, TorchCsr
from xorweave.studies.timing import Timing, command_line, measure, ratio

# Threads that wait spin for a millisecond at most: those of one product would keep a core from the next one.
os.environ.setdefault("GOMP_SPINCOUNT", native.SPINS)
os.environ.setdefault("KMP_BLOCKTIME", "1")

ENCODED, DENSE, SCIPY = "encoded", "dense INT8", "CSR float32, SciPy"
SHAPED = "encoded, shaped mask"
RUNTIMES = {
    "dense INT8, ONNX Runtime": OnnxRuntimeInt8,
    "dense INT8, OpenVINO": OpenVinoInt8,
    "sparse INT8, OpenVINO": partial(OpenVinoInt8, sparse=True),
    "CSR float32, PyTorch": TorchCsr,
}
MOST_FLOATS = 1 << 28  # weights that are also held as float32, dense


def matrix_of(size: int, sparsity: float, dtype: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return uniform weights of `dtype` at random places of a square matrix, and the mask."""
    mask = random_mask((size, size), sparsity, seed)
    low, high = (-8, 8) if dtype == "int4" else (-128, 128)
    weights = np.random.default_rng(seed + 1).integers(low, high, mask.shape, np.int8)
    weights[~mask] = 0
    return weights.astype({"fp16": np.float16, "fp32": np.float32}.get(dtype, np.int8)), mask


def makers_of(
    given: argparse.Namespace, weights: np.ndarray, mask: np.ndarray, dtype: str, threads: int
) -> dict[str, Callable[..., Any]]:
    """Return what makes the rivals of the encoded product; weights have integer values also where they are floats."""
    whole = weights.astype(np.int8)
    made: dict[str, Callable[..., Any]] = {}
    if dtype in ("int8", "int4"):
        for instructions in native.available_sets():
            # one kernel expands by vpexpandb, the others by shuffles; both where there are both
            if instructions in (native.instruction_set(), "avx512-vnni", "avx2"):
                name = f"bitmap INT8, {instructions}"
                made[name] = partial(BitmapProduct, whole, mask, threads, instructions=instructions)
        made[DENSE] = partial(BitmapProduct, whole, mask, threads, dense=True)
    if not given.no_csr:
        if dtype in ("int8", "int4"):
            made["CSR INT8 (Algorithm 1)"] = partial(CsrProduct, whole, mask, threads)
        if threads == 1:
            made[SCIPY] = partial(ScipyCsr, whole, mask)
        made["CSR float32, MKL"] = partial(MklCsr, whole, mask, threads)
        if threads == 1 and mask.size <= MOST_FLOATS:
            made["dense float32, NumPy"] = partial(NumpyDense, whole, mask)
    if given.runtimes and dtype == "int8":
        made |= {name: partial(engine, whole, mask, threads) for name, engine in RUNTIMES.items()}
    return made


class InARow:
    """Equal products, one after another, each with a matrix of its own, as the layers of a model."""

    def __init__(self, layers: list[Any]) -> None:
        self.layers = layers
        self.bytes_read = layers[0].bytes_read  # of one

    def __call__(self, vectors: np.ndarray) -> Any:
        """Multiply the same vectors by all; return the last product."""
        for layer in self.layers:
            product = layer(vectors)
        return product


def products_of(
    given: argparse.Namespace,
    matrix: tuple[int, float, str],
    lanes: LaneMatrix,
    shaped: LaneMatrix | None,
    threads: int,
) -> tuple[int, dict[str, InARow]]:
    """Make all products with a matrix, as often as they are to follow each other; return how often, and them.

    What is not installed, or saturates on this processor, is left out and named.
    """
    weights, mask = matrix_of(*matrix)
    makers: dict[str, Callable[..., Any]] = {ENCODED: partial(EncodedProduct, lanes, threads)}
    makers |= makers_of(given, weights, mask, matrix[2], threads)
    if shaped is not None:
        makers[SHAPED] = partial(EncodedProduct, shaped, threads)
    probe = np.random.default_rng(5).integers(-128, 128, mask.shape[1], np.int8)
    wanted = weights.astype(np.float32) @ probe.astype(np.float32) if given.runtimes else None
    first: dict[str, Any] = {}
    for name, make in makers.items():
        try:
            first[name] = make()
            if name in RUNTIMES and not np.array_equal(first[name](probe), wanted):
                del first[name]
                print(
                    f"  {name}: not measured: its product is another on this processor (sums that saturate)"
                )
        except (InputError, RuntimeError) as why:
            print(f"  {name}: not measured: {str(why).splitlines()[0][:100]}")
    # so many that the smallest of their forms are twice the last-level cache
    least = min(product.bytes_read for product in first.values())
    layers = given.layers or -(-2 * native.last_cache_bytes() // least)
    made = {}
    for name, product in first.items():
        if isinstance(product, OnnxRuntimeInt8):  # it takes its layers together
            made[name] = InARow([makers[name](layers=layers)])
        else:
            made[name] = InARow([product, *(makers[name]() for _ in range(1, layers))])
    return layers, made


class DecodedInARow:
    """What decoding the layers of a model takes, and copying what comes out."""

    def __init__(self, layers: list[EncodedProduct]) -> None:
        self._layers = layers
        self._decoded = [layer.decode_lines() for layer in layers]
        self._copies = [np.zeros_like(decoded) for decoded in self._decoded]
        self.size = self._copies[0].size  # of one

    def decode(self) -> None:
        for layer, decoded in zip(self._layers, self._decoded, strict=True):
            layer.decode_lines(decoded)

    def copy(self) -> None:
        for decoded, copy in zip(self._decoded, self._copies, strict=True):
            np.copyto(copy, decoded)


def one(
    lanes: LaneMatrix, products: dict[str, InARow], layers: int, threads: int, batch: int, repeats: int
) -> dict[str, Any]:
    """Measure one matrix, `layers` times in a row; print its table and return its figures."""
    rows, columns = lanes.scan.rows, lanes.scan.columns
    encoded, rivals = products[ENCODED], {name: row for name, row in products.items() if name != ENCODED}
    integers = np.random.default_rng(7).integers(-128, 128, (batch, columns), np.int8)
    floats = lanes.number_format.is_float
    factors = integers.astype(np.float32) if floats else integers
    wanted = encoded(factors)
    for name, product in rivals.items():
        if not np.array_equal(product(integers), wanted):
            raise SystemExit(f"{name} disagrees with the encoded product")
    decoding = DecodedInARow(encoded.layers)
    work: dict[str, Callable[[], object]] = {ENCODED: lambda: encoded(factors)}
    work |= {name: (lambda product=product: product(integers)) for name, product in rivals.items()}
    work |= {"decode": decoding.decode, "copy": decoding.copy}
    with one_blas_thread():
        taken = {
            name: Timing(tuple(seconds / layers for seconds in timing.seconds))
            for name, timing in measure(work, repeats).items()
        }
    kept = int(np.count_nonzero(lanes.encoded.mask))
    payload = lanes.encoded.blocks * lanes.code.n_in
    print(
        f"\n{rows} x {columns}, {lanes.number_format.name}, {threads} thread(s), batch {batch}, {layers} in a row, "
        f"{encoded.layers[0].instructions}, {lanes.code.spec}: "
        f"payload {100 * (payload / kept - 1):.2f} % over the care bits, {lanes.patch_rows.size} patches"
    )
    weights = rows * columns * batch
    read = {name: product.bytes_read for name, product in products.items()}
    for name in read:
        print(
            f"  {name:26s} {rate(taken[name], weights):>32s} G weights/s, reads {read[name] / 2**20:7.1f} MiB; "
            f"encoded is {ratio(taken[name], taken[ENCODED])} as fast, "
            f"{min(taken[name].seconds) / min(taken[ENCODED].seconds):.3g} x fastest by fastest"
        )
    for name in ("decode", "copy"):
        print(f"  {name:26s} {rate(taken[name], decoding.size):>32s} GB/s")
    print(f"  decoding runs at {ratio(taken['copy'], taken['decode'])} the speed of copying what it decodes")
    print(f"  against the best bitmap: {best_bitmap(taken)}")
    return {
        "rows": rows, "columns": columns, "dtype": lanes.number_format.name, "threads": threads, "batch": batch,
        "layers": layers, "instructions": encoded.layers[0].instructions, "code": lanes.code.spec, "bytes_read": read,
        "seconds": {name: list(timing.seconds) for name, timing in taken.items()},
    }  # fmt: skip


def best_bitmap(taken: dict[str, Timing]) -> str:
    """Say how the encoded product compares with the bitmap kernel of the best median."""
    bitmaps = [name for name in taken if name.startswith("bitmap")]
    if not bitmaps:
        return "not measured"
    best = min(bitmaps, key=lambda name: taken[name].median)
    return f"{ratio(taken[best], taken[ENCODED])} ({best})"


def rate(timing: Timing, amount: int) -> str:
    """Say what was done in a second: median, and the slowest and fastest run."""
    rates = [amount / seconds / 1e9 for seconds in timing.seconds]
    return f"{amount / timing.median / 1e9:.2f} ({min(rates):.2f} .. {max(rates):.2f})"


def processor() -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def prepare(
    size: int, sparsity: float, dtype: str, max_k: int | None, beam: int, jobs: int
) -> tuple[LaneMatrix, LaneMatrix | None]:
    """Encode a matrix, in a process of its own: under a bitmap and, with a beam, under a shaped mask."""
    weights, mask = matrix_of(size, sparsity, dtype)
    plain = encode_lanes(weights, dtype, mask=mask, max_k=max_k)
    if not beam or dtype not in ("int8", "int4") or sparsity < 0.8:
        return plain, None
    how: dict[str, Any] = {"mask_code": "shaped", "beam": beam, "jobs": jobs}
    return plain, encode_lanes(weights, dtype, mask=mask, max_k=max_k, **how)


def main() -> None:
    given = parsed()
    began = time.monotonic()
    sizes, repeats = ([2048], 5) if given.quick else (given.size, given.repeats)
    print(f"{processor()}; {', '.join(native.available_sets())}")
    figures = []
    matrices = [(n, s, dtype) for n in sizes for dtype in given.dtype for s in given.sparsity]
    with ProcessPoolExecutor(given.jobs, multiprocessing.get_context("spawn")) as pool:
        started = [
            pool.submit(prepare, *matrix, given.max_k, given.shaped, given.jobs) for matrix in matrices
        ]
        encoded = [
            future.result() for future in started
        ]  # all, so that nothing else runs when times are taken
    for number, matrix in enumerate(matrices):
        lanes, shaped = encoded.pop(0)
        for threads in given.threads:
            if given.seconds and time.monotonic() - began > given.seconds:
                print(
                    f"{given.seconds:.0f} s are over: not measured: {matrices[number:]}, from {threads} thread(s)"
                )
                return
            products = None  # of fewer threads: no room for both
            layers, products = products_of(given, matrix, lanes, shaped, threads)
            for batch in given.batch:
                figures.append(
                    {"sparsity": matrix[1], **one(lanes, products, layers, threads, batch, repeats)}
                )
                if given.json:
                    found = {"processor": processor(), "command": command_line(), "runs": figures}
                    given.json.write_text(json.dumps(found, indent=1))


def parsed() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2048 x 2048, five repeats")
    parser.add_argument("--size", type=int, nargs="+", default=[4096, 16384])
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.5, 0.7, 0.9])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch", type=int, nargs="+", default=[1])
    parser.add_argument(
        "--layers", type=int, help="matrices in a row; by default so many that no cache holds them"
    )
    parser.add_argument("--dtype", choices=["int8", "int4", "fp16", "fp32"], nargs="+", default=["int8"])
    parser.add_argument("--max-k", type=int, help="by default 64, under a shaped mask 192")
    parser.add_argument("--no-csr", action="store_true", help="leave the CSR products out")
    parser.add_argument(
        "--shaped",
        type=int,
        nargs="?",
        const=256,
        default=0,
        metavar="BEAM",
        help="a shaped mask, too, from S = .8 on: its paths",
    )
    parser.add_argument("--runtimes", action="store_true", help="ONNX Runtime, OpenVINO and PyTorch, too")
    parser.add_argument("--jobs", type=int, default=1, help="processes that encode, before times are taken")
    parser.add_argument("--seconds", type=float, help="start no table after so many")
    parser.add_argument("--json", type=Path, help="every run's seconds, as JSON, after every table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
