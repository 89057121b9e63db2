"""What `encode` stores against a bitmap with packed values, on every mask and real tensor: never larger, and as told.

    python benchmarks/never_larger.py DATA -o never_larger.csv [--jobs 2] [--largest 10000000]

DATA is a folder of real inputs: ``.smtx`` masks (each with uniform and with normal INT8 values) and ``.npz``, ``.npy``
and ``.safetensors`` tensors of two sides and more (each in its own format, and quantised to INT8), whether they hold
zeros or not. Each is written by plain ``encode`` to a file and read back; its bytes in the file, header, book and
checksums with them, are compared with what ``codecs`` counts for ours and for bitmap + packed values. The rival is
given the fewest bytes that say what it is: shape, number format, checksum. A directory entry is the same for both.

Smallest first. A row is written as soon as it is measured and not measured again: a run can be taken up.
Exits with 1 if anything is larger, or is told otherwise by ``codecs``, or was not measured.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

import numpy as np

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import measure
from xorweave.golden.codecs.plain import Bitmap
from xorweave.golden.codecs.xor_code import XorCode
from xorweave.golden.files.container import read_container
from xorweave.golden.files.prepare import Preparation, Prepared, is_encodable, prepare, synthetic_values
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.weight_files import read_smtx, read_weights

HEAD = ("tensor", "values", "shape", "dtype", "density", "encode", "codecs", "bitmap", "bare", "form")
Key = tuple[str, str]  # tensor, values


@lru_cache(maxsize=2)
def _read(path: Path) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in read_weights(path).items() if is_encodable(tensor)}


def works(data: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (weights, file or file:tensor, values) of all there is to measure."""
    for path in sorted(data.rglob("*.smtx")):
        size = read_smtx(path).size
        yield from ((size, str(path.relative_to(data)), kind) for kind in ("uniform", "normal") if size)
    for path in sorted([*data.rglob("*.npz"), *data.rglob("*.npy"), *data.rglob("*.safetensors")]):
        try:
            found = _read(path)
        except InputError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        for name, tensor in found.items():
            for kind in ("own", "int8"):
                if kind == "int8" and not np.issubdtype(tensor.values.dtype, np.floating):
                    continue
                if kind == "own" and tensor.dtype == "F64":
                    continue  # has no code of its own
                yield tensor.values.size, f"{path.relative_to(data)}:{name}", kind


def _given(data: Path, name: str, kind: str) -> tuple[Prepared, object, dict[str, str]]:
    """Return the weights, and what `xw.encode` is given for them: the same as on the command line."""
    if name.endswith(".smtx"):
        mask = read_smtx(data / name)
        values, form = synthetic_values(mask, kind, "int8", 0)
        return Prepared(values=values, number_format=form, mask=mask), data / name, {"values": kind}
    file, _, key = name.partition(":")
    tensor = _read(data / file)[key]
    dtype = None if kind == "own" else kind
    words = {} if dtype is None else {"dtype": dtype}
    return prepare(key, tensor, Preparation(dtype=dtype)), {key: tensor.values}, words


def measured(data: Path, name: str, kind: str) -> list[str]:
    """Return the row of one tensor: bits of whole bytes; `bare` is one bit a weight and the words that are not 0.

    Raises
    ------
    RuntimeError
        What was encoded did not come back.
    """
    item, source, words = _given(data, name, kind)
    form = item.number_format
    tensor = PrunedTensor.from_values(item.values, form, item.mask)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "m.safetensors"
        xw.encode(source, **words).save(file)  # type: ignore[arg-type]
        container = read_container(file)
        (stored_name,) = container.encoded
        stored = container.encoded[stored_name]
        entries = container.encoded.entries  # type: ignore[attr-defined]
        size = 8 * int(entries[stored_name].data.size)
        back = form.to_words(container.decode(stored_name)).reshape(-1)
        if not np.array_equal(back, tensor.words):
            raise RuntimeError(f"{name} {kind} came back different")
        form_name = f"{stored.values.kind} {stored.mask_coder.kind}"
    told, rival = measure(XorCode(), tensor).bits, measure(Bitmap(), tensor).bits
    nonzero = int(np.count_nonzero(tensor.words))
    row = (
        name, kind, "x".join(map(str, tensor.shape)), form.name, f"{nonzero / tensor.n:.4f}", size, told, rival,
        tensor.n + nonzero * form.n_w, form_name,
    )  # fmt: skip
    return [str(cell) for cell in row]


def _rows(out: Path) -> dict[Key, dict[str, str]]:
    if not out.exists():
        return {}
    with out.open(newline="") as file:
        return {(row["tensor"], row["values"]): row for row in csv.DictReader(file)}


def summarise(rows: list[dict[str, str]], missing: int) -> bool:
    """Print the counts; return whether nothing is larger, told otherwise or missing."""
    numbers = [{name: int(row[name]) for name in ("encode", "codecs", "bitmap", "bare")} for row in rows]
    larger = [row for row, n in zip(rows, numbers, strict=True) if n["encode"] > n["bitmap"]]
    otherwise = [row for row, n in zip(rows, numbers, strict=True) if n["encode"] != n["codecs"]]
    above = [n["encode"] - n["bare"] for n in numbers if n["encode"] > n["bare"]]
    packed = sum(row["form"].startswith("packed") for row in rows)
    print(f"{len(rows)} tensors measured, {missing} not measured")
    print(f"larger than bitmap + packed values: {len(larger)}")
    print(f"told otherwise by codecs: {len(otherwise)}")
    print(f"stored packed, at no fixed rate: {packed}")
    print(
        f"larger than bitmap and words without any header, shape or checksum: {len(above)}, "
        f"by {max(above, default=0)} bits at most"
    )
    total = {name: sum(n[name] for n in numbers) for name in ("encode", "bitmap")}
    print(f"together {total['encode']} bits against {total['bitmap']}")
    for row in larger + otherwise:
        print(
            f"  {row['tensor']} {row['values']}: {row['encode']}, codecs {row['codecs']}, bitmap {row['bitmap']}"
        )
    return not larger and not otherwise and not missing


def main() -> None:
    """Measure what is not in the file yet, and sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("never_larger.csv"))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--largest", type=int, default=1 << 40, help="most weights of a tensor")
    arguments = parser.parse_args()
    every = sorted(works(arguments.data))
    if not every:
        parser.error(f"{arguments.data} must hold masks or tensors")
    rows = _rows(arguments.out)
    left = [work for work in every if work[1:] not in rows and work[0] <= arguments.largest]
    weights = sum(size for size, _, _ in left)
    done = 0
    with arguments.out.open("a", newline="") as file, ProcessPoolExecutor(arguments.jobs) as pool:
        writer = csv.writer(file)
        if not rows:
            writer.writerow(HEAD)
        futures = {pool.submit(measured, arguments.data, *work[1:]): work for work in left}
        try:
            for count, future in enumerate(as_completed(futures), 1):
                size, name, kind = futures[future]
                row = future.result()
                writer.writerow(row)
                file.flush()
                rows[name, kind] = dict(zip(HEAD, row, strict=True))
                done += size
                share = 100 * done / max(1, weights)
                print(f"{count}/{len(left)} {share:.1f} % {name} {kind}", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    found = [rows[key] for _, *names in every if (key := (names[0], names[1])) in rows]
    sys.exit(0 if summarise(found, len(every) - len(found)) else 1)


if __name__ == "__main__":
    main()
