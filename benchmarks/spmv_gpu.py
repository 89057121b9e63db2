"""Encoded products on a GPU, against a bitmap, cuBLAS and cuSPARSE, on the shapes of current language models.

    python benchmarks/spmv_gpu.py                     everything; needs an NVIDIA GPU and the extra `gpu`
    python benchmarks/spmv_gpu.py --shapes 4096x4096 --sparsity 0.9 --batches 1
    python benchmarks/spmv_gpu.py --plan              what would be read and decoded; needs no GPU
    python benchmarks/spmv_gpu.py --source DIR        the kernels' sources, to be compiled and looked at; needs none

Random masks and INT8 values. Times are of the device's events around a product (for ours the layout of the vectors
and the patches included), with the caches flushed before each repeat. The results, with the GPU, its clocks and
versions, are written to benchmarks/results/. Without a GPU: one line, exit status 2.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.spmv.gpu import gpu_absence, gpu_figures
from xorweave.golden.spmv.kernels import SOURCES, product_source
from xorweave.golden.spmv.tiled import choose_tile_code, tile_matrix

SHAPES = ("4096x4096", "11008x4096", "4096x11008", "8192x8192", "28672x8192")
SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BATCHES = (1, 2, 4, 8, 16)
RESULTS = Path(__file__).parent / "results"


def random_layer(
    rows: int, columns: int, sparsity: float, seed: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return INT8 weights and a random mask."""
    rng = np.random.default_rng(seed)
    mask = rng.random((rows, columns), np.float32) >= sparsity
    return np.where(mask, rng.integers(-128, 128, mask.shape, np.int8), np.int8(0)), mask


def plan(shapes: list[tuple[int, int]], sparsities: list[float], seed: int, encode: bool) -> None:
    """Print the codes chosen and the bits a weight that a product reads: no GPU is asked.

    Without `encode` the patches are not known and not counted.
    """
    print("| shape | S | format | code | groups (warps) | patches | bits a weight | of dense FP16 |")
    print("|---|---|---|---|---|---|---|---|")
    for rows, columns in shapes:
        for sparsity in sparsities:
            weights, mask = random_layer(rows, columns, sparsity, seed)
            for name in ("int8", "fp16"):
                fmt = number_format(name)
                if encode:
                    values = weights if name == "int8" else weights.astype(np.float16)
                    tiled = tile_matrix(values, name, mask=mask, seed=seed)
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
    """Print medians and quartiles, and how many times faster than cuBLAS FP16."""
    print(
        "| shape | S | batch | product | median us | quartiles | bytes | share of copy bandwidth "
        "| x cuBLAS FP16 | agrees |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for result in results:
        products = result["products"]
        dense = {p["batch"]: p["median"] for p in products if p["name"] == "cuBLAS FP16" and "median" in p}
        for p in products:
            head = f"| {result['rows']} x {result['columns']} | {result['sparsity']} | {p['batch']} | {p['name']}"
            if "failed" in p:
                print(f"{head} | failed: {p['failed']} | | | | | |")
                continue
            times = f"{dense[p['batch']] / p['median']:.2f}" if p["batch"] in dense else "not measured"
            print(
                f"{head} | {p['median']:.1f} | {p['low']:.1f} .. {p['high']:.1f} | {p['bytes_read']} | "
                f"{p['share_of_copy_bandwidth']:.2f} | {times} | {'yes' if p['agrees'] else 'NO'} |"
            )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), help="ROWSxCOLUMNS")
    parser.add_argument("--sparsity", nargs="+", type=float, default=list(SPARSITIES))
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--warm-ups", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="threads of the encoder")
    parser.add_argument("--plan", action="store_true", help="print what would be decoded, and stop")
    parser.add_argument(
        "--encode", action="store_true", help="with --plan: encode, and count the patches too"
    )
    parser.add_argument("--source", type=Path, help="write the kernels' sources to this folder, and stop")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    options = parser.parse_args()
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
    results: list[dict[str, Any]] = []
    for rows, columns in shapes:
        for sparsity in options.sparsity:
            weights, mask = random_layer(rows, columns, sparsity, options.seed)
            try:
                figures = gpu_figures(
                    weights, mask, tuple(options.batches), warm_ups=options.warm_ups, repeats=options.repeats,
                    seed=options.seed, jobs=options.jobs,
                )  # fmt: skip
            except InputError as error:
                print(error, file=sys.stderr)
                return 2
            assert figures is not None
            results.append({"rows": rows, "columns": columns, "sparsity": sparsity, **figures})
            if sys.stderr.isatty():
                print(f"{rows} x {columns}, S = {sparsity}", file=sys.stderr)
    table(results)
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    provenance = {
        "command": " ".join(["python", "benchmarks/spmv_gpu.py", *sys.argv[1:]]),
        "when": when,
        "python": platform.python_version(),
        "warm_ups": options.warm_ups,
        "repeats": options.repeats,
        "seed": options.seed,
    }
    options.output.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "_" for c in results[0]["device"]["gpu"]) if results else "none"
    path = options.output / f"spmv_gpu_{name}.json"
    path.write_text(json.dumps({"provenance": provenance, "results": results}, indent=1) + "\n")
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
