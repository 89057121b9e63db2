"""Every real tensor in every format: writes a CSV, row by row, smallest tensors first; sums it up.

    python benchmarks/codecs_table.py DATA -o codecs.csv [--largest 300000] [--paper-largest 10000]
        [--slow-largest 300000] [--only NAME,...]
    python benchmarks/codecs_table.py --summary codecs.csv [-o bits.csv]

DATA is a folder of real inputs: ``.smtx`` masks (each with uniform and with normal INT8 values) and ``.npz``, ``.npy``
and ``.safetensors`` weights that hold zeros (each in its own format and quantised to INT8). A row is written as soon as
it is measured, and rows that the file already holds are not measured again: a run can be interrupted and taken up.
Every lossless row was decoded and compared.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import Row, all_codecs, bounds, measure
from xorweave.golden.files.prepare import Preparation, is_encodable, prepare, synthetic_values
from xorweave.golden.files.weight_files import read_smtx, read_weights

SLOW = ("xor", "xor-raw", "weightless")
_FOR_SPEED = 60_000  # weights of a tensor whose seconds are no longer those of setting up
HEAD = ("tensor", "values", "shape", "dtype", "sparsity")


def real_tensors(data: Path, largest: int) -> Iterator[tuple[str, str, PrunedTensor]]:
    """Yield (name, values, tensor); tensors without zeros, with fewer than 256 or too many weights are left out."""
    masks = []
    for path in sorted(data.rglob("*.smtx")):
        mask = read_smtx(path)
        if 256 <= mask.size <= largest:
            masks.append((mask.size, str(path.relative_to(data)), mask))
    weights = []
    for path in sorted([*data.rglob("*.npz"), *data.rglob("*.npy"), *data.rglob("*.safetensors")]):
        try:
            found = read_weights(path)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for name, tensor in found.items():
            zeros = tensor.values.size - np.count_nonzero(tensor.values)
            if (
                is_encodable(tensor)
                and 256 <= tensor.values.size <= largest
                and zeros > 0.3 * tensor.values.size
            ):
                weights.append((tensor.values.size, f"{path.relative_to(data)}:{name}", tensor))
    for _, name, item in sorted([*masks, *weights], key=lambda entry: entry[:2]):
        if isinstance(item, np.ndarray):
            for kind in ("uniform", "normal"):
                values, form = synthetic_values(item, kind, "int8", 0)
                yield name, f"{kind} int8", PrunedTensor.from_values(values, form, item)
            continue
        for dtype in (None, "int8"):
            try:
                ready = prepare(name, item, Preparation(dtype=dtype))
            except InputError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            if dtype is None and ready.number_format.name == "int8":
                continue
            yield name, "own", PrunedTensor.from_values(ready.values, ready.number_format, ready.mask)


def group_of(head: dict[str, str]) -> str:
    """Name the kind of tensor a row is about."""
    if head["tensor"].endswith(".smtx"):
        return f"DLMC masks, {head['values']}"
    return "real INT8" if head["dtype"] == "int8" else "real FP32, INT16"


def by_tensor(path: Path) -> dict[tuple[str, str, str], dict[str, dict[str, str]]]:
    """Read a file of this script: rows by tensor, then by format."""
    found: dict[tuple[str, str, str], dict[str, dict[str, str]]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["tensor"], row["values"], row["dtype"]), {})[row["codec"]] = row
    return found


def summarise(path: Path, wide: Path | None) -> None:
    """Print, for every format and kind of tensor, its bits over the entropy bound, and how often it is smallest.

    The median is over tensors; n counts those the format was measured on, whose bits together, over their bounds
    together, come last. Formats that were not measured are left out. Wide: also write a file with a line for
    each tensor and the bits of every format.
    """
    tensors = by_tensor(path)
    formats = [codec.name for codec in all_codecs()]
    lossy = {codec.name for codec in all_codecs() if not codec.lossless}
    kinds = sorted({group_of(next(iter(rows.values()))) for rows in tensors.values()})
    ratios: dict[tuple[str, str], list[float]] = {}
    together: dict[tuple[str, str], tuple[int, int]] = {}
    smallest: dict[tuple[str, str], int] = {}
    speeds: dict[str, list[tuple[float, float, int]]] = {}
    counts = dict.fromkeys(kinds, 0)
    for rows in tensors.values():
        first = next(iter(rows.values()))
        kind = group_of(first)
        counts[kind] += 1
        weights = math.prod(map(int, first["shape"].split("x")))
        bound = int(rows["bound-entropy"]["bits"])
        bits = {name: int(rows[name]["bits"]) for name in formats if name in rows and rows[name]["bits"]}
        for name, value in bits.items():
            ratios.setdefault((name, kind), []).append(value / bound)
            sums = together.get((name, kind), (0, 0))
            together[name, kind] = sums[0] + value, sums[1] + bound
            row = rows[name]
            seconds = float(row["encode_seconds"]), float(row["decode_seconds"])
            if weights >= _FOR_SPEED:
                speeds.setdefault(name, []).append((*seconds, weights))
        lossless = {name: value for name, value in bits.items() if rows[name]["lossless"] == "True"}
        winner = min(lossless, key=lambda name: lossless[name])
        smallest[winner, kind] = smallest.get((winner, kind), 0) + 1
        fixed = {name: value for name, value in lossless.items() if rows[name]["rate"] == "fixed"}
        winner = min(fixed, key=lambda name: fixed[name])
        smallest[f"fixed {winner}", kind] = smallest.get((f"fixed {winner}", kind), 0) + 1
    print(
        "bits over the entropy bound: median (n) / smallest lossless / smallest of fixed rate / all together\n"
    )
    print(
        "| format | "
        + " | ".join(f"{kind} ({counts[kind]})" for kind in kinds)
        + " | us a weight, encode, decode |"
    )
    print("|---" * (len(kinds) + 2) + "|")
    for name in formats:
        cells = []
        for kind in kinds:
            found = ratios.get((name, kind))
            won, fixed_won = smallest.get((name, kind), 0), smallest.get((f"fixed {name}", kind), 0)
            all_bits, all_bounds = together.get((name, kind), (0, 1))
            told = f"{won} / {fixed_won} / {all_bits / all_bounds:.3f}"
            cells.append(f"{np.median(found):.3f} ({len(found)}) / {told}" if found else "not measured")
        if set(cells) == {"not measured"}:
            continue
        pace = "not measured"
        if name in speeds:
            encoding, decoding, weights = np.sum(np.array(speeds[name]), axis=0)
            pace = f"{1e6 * encoding / weights:.2f}, {1e6 * decoding / weights:.2f}"
        print(f"| {name}{' (lossy)' if name in lossy else ''} | " + " | ".join(cells) + f" | {pace} |")
    if wide is None:
        return
    names = [*formats, "bound-raw-values", "bound-entropy"]
    with wide.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*HEAD, *names])
        for rows in tensors.values():
            first = next(iter(rows.values()))
            bits_of = [rows[name]["bits"] if name in rows else "" for name in names]
            writer.writerow([first[field] for field in HEAD] + bits_of)


def limit_of(name: str, arguments: argparse.Namespace) -> int:
    """Return the most weights a tensor may have for this format to be measured."""
    if name == "xor-paper":
        return int(arguments.paper_largest)
    return int(arguments.slow_largest if name in SLOW else arguments.largest)


def measure_all(arguments: argparse.Namespace) -> None:
    """Write the rows that are not in the file yet."""
    chosen = [codec for codec in all_codecs() if arguments.only is None or codec.name in arguments.only]
    done = set()
    if arguments.out.exists():
        with arguments.out.open(newline="") as file:
            done = {(row["tensor"], row["values"], row["codec"]) for row in csv.DictReader(file)}
    with arguments.out.open("a", newline="") as file:
        writer = csv.writer(file)
        if not done:
            writer.writerow([*HEAD, *Row("", "", True).as_dict()])
        for name, kind, tensor in real_tensors(arguments.data, arguments.largest):
            shape = "x".join(map(str, tensor.shape))
            head = [name, kind, shape, tensor.number_format.name, f"{1 - tensor.kept / tensor.n:.6f}"]

            def write(row: Row, key: list[str] = head) -> None:
                if (key[0], key[1], row.codec) not in done:
                    cells = row.as_dict().values()
                    writer.writerow(key + ["" if cell is None else cell for cell in cells])
                    file.flush()

            for row in bounds(tensor):
                write(row)
            for codec in chosen:
                if (name, kind, codec.name) in done or tensor.n > limit_of(codec.name, arguments):
                    continue
                print(f"{name} {kind} {tensor.shape} {codec.name}", file=sys.stderr, flush=True)
                write(measure(codec, tensor))


def main() -> None:
    """Measure and write, or sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--largest", type=int, default=300_000, help="most weights of a tensor")
    parser.add_argument("--paper-largest", type=int, default=10_000, help="the same for the exact encoder")
    parser.add_argument("--slow-largest", type=int, default=300_000, help=f"the same for {', '.join(SLOW)}")
    parser.add_argument("--only", type=lambda text: text.split(","), help="formats, by their names")
    parser.add_argument("--summary", type=Path, help="print the summary of a finished file")
    arguments = parser.parse_args()
    if arguments.summary is not None:
        summarise(arguments.summary, arguments.out)
    elif arguments.data is None or arguments.out is None:
        parser.error("DATA and -o OUT are needed, or --summary FILE")
    else:
        measure_all(arguments)


if __name__ == "__main__":
    main()
