"""Every real tensor in every format: writes a CSV, row by row, smallest tensors first.

    python benchmarks/codecs_table.py DATA -o codecs.csv [--largest 300000] [--paper-largest 70000] [--beam 4096]

DATA is a folder of real inputs: ``.smtx`` masks (each with uniform and with normal INT8 values) and ``.npz``, ``.npy``
and ``.safetensors`` weights that hold zeros (each in its own format and quantised to INT8). Rows are written as they
are measured, so the run can be interrupted. Every lossless row was decoded and compared.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import Row, all_codecs, bounds, measure
from xorweave.golden.codecs.xor_code import ShapedXorCode
from xorweave.golden.errors import InputError
from xorweave.golden.prepare import Preparation, is_encodable, prepare, synthetic_values
from xorweave.golden.weight_files import read_smtx, read_weights


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


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--largest", type=int, default=300_000, help="most weights of a tensor")
    parser.add_argument(
        "--paper-largest", type=int, default=70_000, help="most weights for the exact encoder"
    )
    parser.add_argument("--beam", type=int, default=4096, help="paths of the shaped mask's search")
    arguments = parser.parse_args()
    with arguments.out.open("w", newline="") as file:
        writer = csv.writer(file)
        fields = list(Row("", "", True).as_dict())
        writer.writerow(["tensor", "values", "shape", "dtype", "sparsity", *fields])
        for name, kind, tensor in real_tensors(arguments.data, arguments.largest):
            print(f"{name} {kind} {tensor.shape}", file=sys.stderr, flush=True)
            shape = "x".join(map(str, tensor.shape))
            head = [name, kind, shape, tensor.number_format.name, f"{1 - tensor.kept / tensor.n:.6f}"]
            rows = []
            for codec in all_codecs():
                if codec.name == "xor-paper" and tensor.n > arguments.paper_largest:
                    rows.append(
                        Row(codec.name, codec.title, True, note="not measured: tensor too large here")
                    )
                    continue
                if isinstance(codec, ShapedXorCode):
                    codec.beam = arguments.beam
                rows.append(measure(codec, tensor))
            for row in rows + bounds(tensor):
                cells = row.as_dict()
                writer.writerow(head + ["" if cell is None else cell for cell in cells.values()])
            file.flush()


if __name__ == "__main__":
    main()
