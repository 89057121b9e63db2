"""Encoded products on a GPU, against a bitmap, cuBLAS and cuSPARSE, on the shapes of current language models.

    python benchmarks/spmv_gpu.py                     everything; needs an NVIDIA GPU and the extra `gpu`
    python benchmarks/spmv_gpu.py --shapes 4096x4096 --sparsity 0.9 --batches 1
    python benchmarks/spmv_gpu.py --check --jobs 12 --seconds 300   on many cores: encodes and compiles ahead
    python benchmarks/spmv_gpu.py --plan              what would be read and decoded; needs no GPU
    python benchmarks/spmv_gpu.py --source DIR        the kernels' sources, to be compiled and looked at; needs none

Random masks and INT8 values. Times are of the device's events around a product (for ours the layout of the vectors
and the patches included), with other data in the caches before each repeat. The results, with the GPU, its clocks and
versions, are written to benchmarks/results/ line by line. Without a GPU: one line, exit status 2.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import platform
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.tile_code import choose_tile_code
from xorweave.golden.spmv.gpu import CupyDevice, compile_kernels, gpu_absence
from xorweave.golden.spmv.gpu_figures import time_products
from xorweave.golden.spmv.gpu_rivals import BitmapTileProduct, DeltaProduct
from xorweave.golden.spmv.kernels import SOURCES, product_source
from xorweave.golden.spmv.stored_product import StoredProduct
from xorweave.golden.spmv.tile_product import TileProduct
from xorweave.golden.spmv.tiled import TiledMatrix, tile_matrix
from xorweave.studies.timing import command_line

SHAPES = ("4096x4096", "11008x4096", "4096x11008", "8192x8192", "28672x8192")
SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BATCHES = (1, 2, 4, 8, 16)
CHECKED = (1, 2, 4, 8, 16)  # batches
CHECKED_MATRICES = (
    (333, 1000, 0.5, "int8"), (4096, 4096, 0.9, "int8"), (333, 1000, 0.8, "int4"), (2048, 2048, 0.9, "int4"),
    (333, 1000, 0.5, "fp16"), (4096, 4096, 0.9, "fp16"),
)  # fmt: skip
RESULTS = Path(__file__).parent / "results"


def random_layer(
    rows: int, columns: int, sparsity: float, seed: int, name: str = "int8"
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return whole numbers as weights of a format, and a random mask."""
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns), np.float32) >= sparsity
    low, high = (-8, 8) if name == "int4" else (-128, 128)
    weights = np.where(mask, rng.integers(low, high, mask.shape, np.int8), np.int8(0))
    return weights.astype(np.float16 if name == "fp16" else np.int8), mask


def plan(shapes: list[tuple[int, int]], sparsities: list[float], seed: int, encode: bool) -> None:
    """Print the codes chosen and the bits a weight that a product reads: no GPU is asked.

    Without `encode` the patches are not known and not counted.
    """
    print("| shape | S | format | code | groups (warps) | patches | bits a weight | of dense FP16 |")
    print("|---|---|---|---|---|---|---|---|")
    for rows, columns in shapes:
        for sparsity in sparsities:
            for name in ("int8", "fp16"):
                fmt = number_format(name)
                weights, mask = random_layer(rows, columns, sparsity, seed, name)
                if encode:
                    tiled = tile_matrix(weights, name, mask=mask, seed=seed)
                    code, order, patches = tiled.code, tiled.order, f"{tiled.patch_rows.size:,}"
                    bits = 8 * tiled.bytes_read / mask.size
                else:
                    code, order = choose_tile_code(mask, fmt, seed=seed)
                    bits = order.lanes * (code.n_in * fmt.n_w + code.n_out) / mask.size
                    patches = "not counted"
                sizes = f"{code.n_in} -> {code.n_out}, N_s = {code.n_s}"
                print(
                    f"| {rows} x {columns} | {sparsity} | {name} | {sizes} | {order.groups} | {patches} "
                    f"| {bits:.2f} | {bits / 16:.3f} |",
                    flush=True,
                )


def write_sources(
    shapes: list[tuple[int, int]], sparsities: list[float], batches: list[int], seed: int, folder: Path
) -> None:
    """Write the source of every kernel that would run, and how to compile it."""
    folder.mkdir(parents=True, exist_ok=True)
    for rows, columns in shapes:
        for sparsity in sparsities:
            _weights, mask = random_layer(rows, columns, sparsity, seed)
            for name in ("int8", "fp16"):
                code, order = choose_tile_code(mask, number_format(name), seed=seed)
                for batch in batches:
                    path = folder / f"{name}_{rows}x{columns}_{sparsity}_{batch}.cu"
                    path.write_text(product_source(code, order, batch))
                    print(f"nvcc -arch=sm_90 -cubin --ptxas-options=-v -I {SOURCES} {path}")


def table(results: list[dict[str, Any]]) -> None:
    """Print medians and quartiles, and how many times faster than cuBLAS FP16 a product is."""
    print(
        "| shape | S | batch | product | median us | quartiles | bytes | share of copy bandwidth "
        "| x cuBLAS FP16 | agrees |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    key = ("rows", "columns", "sparsity", "batch")
    dense = {
        tuple(p[k] for k in key): p["median"] for p in results if p["name"] == "cuBLAS FP16" and "median" in p
    }
    for p in sorted(results, key=lambda p: tuple(p[k] for k in key)):
        head = f"| {p['rows']} x {p['columns']} | {p['sparsity']} | {p['batch']} | {p['name']}"
        if "failed" in p:
            print(f"{head} | failed: {p['failed']} | | | | | |")
            continue
        at = tuple(p[k] for k in key)
        times = f"{dense[at] / p['median']:.2f}" if at in dense else "not measured"
        print(
            f"{head} | {p['median']:.1f} | {p['low']:.1f} .. {p['high']:.1f} | {p['bytes_read']} | "
            f"{p['share_of_copy_bandwidth']:.2f} | {times} | {'yes' if p['agrees'] else 'NO'} |"
        )


def prepare(
    rows: int, columns: int, sparsity: float, name: str, batches: list[int], seed: int, capability: str
) -> tuple[TiledMatrix, dict[str, bytes]]:
    """Encode a matrix and compile its kernels, in a process of its own."""
    weights, mask = random_layer(rows, columns, sparsity, seed, name)
    tiled = tile_matrix(weights, name, mask=mask, seed=seed)
    sources = [product_source(tiled.code, tiled.order, batch) for batch in batches]
    return tiled, {source: compile_kernels(source, capability) for source in sources}


def check(device: CupyDevice, pool: Executor, seed: int, capability: str) -> list[str]:
    """Compare every kernel on the GPU with exact sums and with the processor's product of the same stored tensor.

    Returns
    -------
    list of str
        What differs.
    """
    different = []
    started = [
        (case, pool.submit(prepare, *case, list(CHECKED), seed, capability)) for case in CHECKED_MATRICES
    ]
    for (rows, columns, sparsity, name), future in started:
        tiled, binaries = future.result()
        for source, binary in binaries.items():
            device.accept(source, binary)
        weights, mask = random_layer(rows, columns, sparsity, seed, name)
        product = TileProduct(tiled, device)
        held = product.dense()
        label = f"{rows} x {columns}, S = {sparsity}, {name}"
        found = {"decoded": held.tobytes() == weights.tobytes()}
        rng = np.random.default_rng(seed)
        for batch in CHECKED:
            vectors = rng.integers(-128, 128, (batch, columns)).astype(np.int8)
            wanted = vectors.astype(np.float64) @ weights.astype(np.float64).T
            got = product(vectors.astype(product.vector_dtype))
            found[f"batch {batch}"] = close(got, wanted, columns)
            if name != "fp16" and batch in (1, 16):
                found[f"processor, batch {batch}"] = bool(
                    np.array_equal(got, StoredProduct(tiled.encoded)(vectors))
                )
            for rival in (BitmapTileProduct, DeltaProduct):
                if name == "int8" or (name == "fp16" and rival is DeltaProduct):
                    other = rival(weights, mask, device)
                    got = other(vectors.astype(other.vector_dtype))
                    found[f"{rival.__name__}, batch {batch}"] = close(got, wanted, columns)
        wrong = [what for what, right in found.items() if not right]
        print(
            f"{label}: {len(found)} checks, {'all agree' if not wrong else 'NOT: ' + '; '.join(wrong)}",
            flush=True,
        )
        different += [f"{label}: {what}" for what in wrong]
    return different


def close(got: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any], columns: int) -> bool:
    """Whether integers are equal, and floats within the rounding of sums of whole numbers in any order."""
    if got.dtype.kind == "i":
        return bool(np.array_equal(got, wanted))
    return bool(np.all(np.abs(got - wanted) <= 2.0**-24 * (columns + 8) * columns * 128.0 * 128.0))


def main() -> int:
    options = parsed()
    try:
        shapes = [
            (int(rows), int(columns)) for rows, columns in (shape.split("x") for shape in options.shapes)
        ]
    except ValueError:
        print(f"shapes must be ROWSxCOLUMNS, not {' '.join(options.shapes)}", file=sys.stderr)
        return 2
    if options.plan:
        plan(shapes, options.sparsity, options.seed, options.encode)
        return 0
    if options.source:
        write_sources(shapes, options.sparsity, options.batches, options.seed, options.source)
        return 0
    if reason := gpu_absence():
        print(reason, file=sys.stderr)
        return 2
    began = time.monotonic()
    device = CupyDevice()
    facts = device.facts()
    print(json.dumps(facts), flush=True)
    bandwidth = device.copy_bandwidth()
    print(f"copying: {bandwidth / 1e9:.0f} GB/s, read and written", flush=True)
    for name in ("int8", "int4", "fp16"):  # compiled once, before there are processes that need it
        tile_matrix(random_layer(64, 256, 0.5, 0, name)[0], name)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"spmv_gpu_{''.join(c if c.isalnum() else '_' for c in facts['gpu'])}.jsonl"
    results: list[dict[str, Any]] = []
    different: list[str] = []
    with (
        ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool,
        path.open("w") as file,
    ):

        def note(record: dict[str, Any]) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()

        note(provenance(options) | {"device": facts | {"copy_bytes_per_second": bandwidth}})
        if options.check:
            different = check(device, pool, options.seed, facts["compute_capability"])
            note({"different": different})
        matrices = [(*shape, sparsity) for shape in shapes for sparsity in options.sparsity]
        started = {
            (matrix, name): pool.submit(
                prepare, *matrix, name, options.batches, options.seed, facts["compute_capability"]
            )
            for matrix in matrices
            for name in ("int8", "fp16")
        }
        for matrix in matrices:
            if options.seconds and time.monotonic() - began > options.seconds:
                print(f"{options.seconds:.0f} s are over: the rest is not measured", flush=True)
                break
            encoded = {}
            for name in ("int8", "fp16"):
                encoded[name.upper()], binaries = started.pop((matrix, name)).result()
                for source, binary in binaries.items():
                    device.accept(source, binary)
            weights, mask = random_layer(*matrix, options.seed)
            head = dict(zip(("rows", "columns", "sparsity"), matrix, strict=True))
            for record in time_products(
                device, weights, mask, encoded, tuple(options.batches), bandwidth,
                warm_ups=options.warm_ups, repeats=options.repeats, seed=options.seed, only=options.only,
            ):  # fmt: skip
                results.append(head | record)
                note(head | record)
            print(f"{time.monotonic() - began:.0f} s: {matrix}", flush=True)
        pool.shutdown(wait=False, cancel_futures=True)
    table(results)
    print(f"\nwritten to {path}")
    wrong = [
        *different,
        *(f"{r['name']}, {r['rows']} x {r['columns']}" for r in results if not r.get("agrees", True)),
    ]
    for line in wrong:
        print(f"DIFFERENT: {line}")
    return int(bool(wrong))


def provenance(options: argparse.Namespace) -> dict[str, Any]:
    """Return what a reader needs to know of how the figures came about."""
    return {
        "command": " ".join(["python", "benchmarks/spmv_gpu.py", *command_line()]),
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "warm_ups": options.warm_ups,
        "repeats": options.repeats,
        "seed": options.seed,
    }


def parsed() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), help="ROWSxCOLUMNS")
    parser.add_argument("--sparsity", nargs="+", type=float, default=list(SPARSITIES))
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES), help="1 to 16")
    parser.add_argument("--only", default="", help="only products whose name begins so")
    parser.add_argument("--check", action="store_true", help="first compare every kernel, at every batch")
    parser.add_argument("--seconds", type=float, help="start no matrix after so many")
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--warm-ups", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes that encode and compile ahead")
    parser.add_argument("--plan", action="store_true", help="print what would be decoded, and stop")
    parser.add_argument(
        "--encode", action="store_true", help="with --plan: encode, and count the patches too"
    )
    parser.add_argument("--source", type=Path, help="write the kernels' sources to this folder, and stop")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
