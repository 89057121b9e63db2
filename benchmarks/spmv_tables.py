"""The tables of docs/spmv.md and docs/spmv-gpu.md, from the records that spmv_cpu.py and spmv_gpu.py wrote.

python benchmarks/spmv_tables.py benchmarks/results/spmv_cpu_xeon_2.json [...]      (times and ratios, run by run)
python benchmarks/spmv_tables.py benchmarks/results/spmv_gpu_NVIDIA_H200.jsonl      (a table for each shape)
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

ENCODED, SHAPED, BITMAP = "encoded", "encoded, shaped mask", "bitmap INT8"
BESIDE = (
    "dense INT8", "CSR float32, SciPy", "CSR float32, PyTorch", "dense INT8, ONNX Runtime", "dense INT8, OpenVINO",
    "sparse INT8, OpenVINO",
)  # fmt: skip


def over(slower: list[float], faster: list[float]) -> str:
    """Return how often `faster` is as fast, run by run: the median, and the least and most."""
    ratios = [a / b for a, b in zip(slower, faster, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} .. {max(ratios):.2f})"


def cpu_row(run: dict[str, Any]) -> list[str]:
    """Return the cells of one run of spmv_cpu.py."""
    seconds, weights = run["seconds"], run["rows"] * run["columns"] * run["batch"]
    ours = seconds[ENCODED]
    bitmaps = [name for name in seconds if name.startswith(BITMAP)]
    best = min(bitmaps, key=lambda name: median(seconds[name]), default=None)
    rates = sorted(weights / taken / 1e9 for taken in ours)
    shaped = "-"
    if SHAPED in seconds:
        read = run["bytes_read"]
        shaped = f"{over(ours, seconds[SHAPED])}, {read[SHAPED] / read[ENCODED]:.2f} of its bytes"
    return [
        f"{run['rows']} x {run['columns']}, {run['dtype']}",
        *(str(run.get(name, 1)) for name in ("layers", "threads", "batch", "sparsity")),
        f"{median(rates):.1f} ({rates[0]:.1f} .. {rates[-1]:.1f})",
        over(seconds[best], ours) if best else "-",
        *(over(seconds[name], ours) if name in seconds else "-" for name in BESIDE),
        over(seconds["copy"], seconds["decode"]),
        shaped,
    ]  # fmt: skip


def cpu_table(files: list[Path]) -> None:
    """Print one table of all runs."""
    head = [
        "matrix, format", "in a row", "threads", "batch", "S", "encoded, G weights/s", "x best bitmap",
        *(f"x {name}" for name in BESIDE), "decoding x copying", "shaped mask x encoded",
    ]  # fmt: skip
    rows = [cpu_row(run) for file in files for run in json.loads(file.read_text(encoding="utf-8"))["runs"]]
    filled = [i for i in range(len(head)) if any(row[i] != "-" for row in rows)]
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row[i] for i in filled)} |")


def gpu_tables(file: Path) -> None:
    """Print a table for each shape: microseconds at every batch, and the share of a copy's bandwidth at the first."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    runs = [line for line in lines if "microseconds" in line]
    for shape in sorted({(run["rows"], run["columns"]) for run in runs}):
        of_shape = [run for run in runs if (run["rows"], run["columns"]) == shape]
        sparsities = sorted({run["sparsity"] for run in of_shape})
        batches = sorted({run["batch"] for run in of_shape})
        print(f"\n{shape[0]} x {shape[1]}, batch {' / '.join(map(str, batches))}\n")
        print(f"| product | {' | '.join(f'S = {sparsity}' for sparsity in sparsities)} |")
        print(f"|{'---|' * (len(sparsities) + 1)}")
        for name in dict.fromkeys(run["name"] for run in of_shape):
            cells = []
            for sparsity in sparsities:
                by = {
                    run["batch"]: run
                    for run in of_shape
                    if (run["name"], run["sparsity"]) == (name, sparsity)
                }
                cell = " / ".join(f"{by[batch]['median']:.3g}" if batch in by else "-" for batch in batches)
                if batches[0] in by:
                    cell += f" ({by[batches[0]]['share_of_copy_bandwidth']:.2f})"
                cells.append(cell)
            print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    files = parser.parse_args().files
    for file in files:
        if file.suffix == ".jsonl":
            gpu_tables(file)
    if runs := [file for file in files if file.suffix == ".json"]:
        cpu_table(runs)


if __name__ == "__main__":
    main()
