"""Every weight file of a folder through encode, verify and decode, and compared with what another reader finds in it.

    python benchmarks/every_file.py DATA -o every_file.csv [--goal hardware] [--largest 10000000]

Files that `encode` reads are encoded as they are: their own types, their zeros as the mask; F64, which has no code, as
FP32. Masks (``.smtx``) get uniform INT8 values. What is decoded is read by the safetensors library and compared bit for
bit with the source as NumPy, safetensors, onnx or PyTorch (restricted loading) read it: every tensor of the one must be
in the other. Of a mask it is compared where zeros are. Other files are listed.

A row is written as soon as its file is done, and a file that has one is passed over: a run can be taken up.
Exits with 1 if a tensor came back different, or a file was refused that `encode` should read.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

import xorweave as xw
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.weight_files import SUFFIXES

HEAD = ("file", "goal", "tensors", "encoded", "carried", "left_out", "weights", "equal", "different", "missing",
        "source_bits", "file_bits", "cpu_s", "said")  # fmt: skip
Arrays = dict[str, NDArray]


def other_readers(path: Path) -> Arrays:
    """Read a file without anything of ours; BF16 as its bits."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return {path.stem: np.load(path)}
    if suffix == ".npz":
        with np.load(path) as archive:
            return {name: archive[name] for name in archive.files}
    if suffix == ".safetensors":
        return plain_tensors(path)
    if suffix == ".onnx":
        return _onnx(path)
    import torch

    held = torch.load(path, weights_only=True, map_location="cpu")
    return {name: tensor.detach().numpy() for name, tensor in _flat(held, "").items()}


def plain_tensors(path: Path) -> Arrays:
    """Read a safetensors file with its library."""
    with safe_open(path, "numpy") as handle:
        return {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118


def _onnx(path: Path) -> Arrays:
    import onnx
    from onnx import numpy_helper

    found: Arrays = {}

    def walk(graph: Any) -> None:
        for tensor in graph.initializer:
            found[tensor.name] = numpy_helper.to_array(tensor)
        for node in graph.node:
            for attribute in node.attribute:
                if node.op_type == "Constant" and attribute.name == "value" and attribute.t.dims:
                    found[node.output[0]] = numpy_helper.to_array(attribute.t)
                if attribute.HasField("g"):
                    walk(attribute.g)

    walk(onnx.load(path).graph)
    return found


def _flat(held: Any, name: str) -> dict[str, Any]:
    if hasattr(held, "detach"):
        return {name: held}
    found: dict[str, Any] = {}
    items = (
        held.items()
        if isinstance(held, Mapping)
        else enumerate(held)
        if isinstance(held, list | tuple)
        else ()
    )
    for key, value in items:
        found |= _flat(value, f"{name}.{key}" if name else str(key))
    return found


def _mask_of(path: Path) -> NDArray[np.bool_]:
    """Read an .smtx mask line by line."""
    first, offsets, columns = [*path.read_text().split("\n"), ""][:3]
    rows, cols, _ = (int(field) for field in first.split(","))
    mask = np.zeros((rows, cols), bool)
    ends, places = [int(word) for word in offsets.split()], [int(word) for word in columns.split()]
    for row in range(rows):
        mask[row, places[ends[row] : ends[row + 1]]] = True
    return mask


def compare(path: Path, back: Arrays, carried: Mapping[str, str], dtype: str | None) -> Counter[str]:
    """Count tensors that are equal, different, and missing in what was decoded."""
    if path.suffix.lower() == ".smtx":
        (values,) = back.values()
        return Counter({"equal" if not values[~_mask_of(path)].any() and values.any() else "different": 1})
    source, counts = other_readers(path), Counter[str]()
    for name, array in source.items():
        if carried.get(name, "").startswith("left out: "):
            continue
        mask = next((m for m in carried if carried[m] == f"left out: the mask of {name}"), None)
        wanted = array if mask is None else np.where(source[mask] != 0, array, array.dtype.type(0))
        if dtype is not None and wanted.ndim >= 2:
            wanted = wanted.astype(np.float32)
        found = back.get(name)
        if found is None:
            counts["missing"] += 1
        else:
            same = (found.dtype, found.shape) == (wanted.dtype.newbyteorder("="), wanted.shape)
            same = same and found.tobytes() == np.ascontiguousarray(wanted).tobytes()
            counts["equal" if same else "different"] += 1
    counts["different"] += len(set(back) - set(source))
    return counts


def through(path: Path, name: str, goal: str) -> dict[str, object]:
    """Take one file through everything."""
    row: dict[str, object] = dict.fromkeys(HEAD, "") | {"file": name, "goal": goal}
    row["source_bits"] = 8 * path.stat().st_size
    if path.suffix.lower() not in SUFFIXES:
        return row | {"said": "no reader"}
    started = time.process_time()
    words: dict[str, Any] = {"goal": goal}
    if path.suffix.lower() != ".smtx":
        kinds = {array.dtype for array in other_readers(path).values() if array.ndim >= 2}
        words |= {"dtype": "fp32"} if kinds == {np.dtype(np.float64)} else {}
    with tempfile.TemporaryDirectory() as folder:
        stored, decoded = Path(folder) / "m.safetensors", Path(folder) / "back.safetensors"
        try:
            encoded = xw.encode(path, **words)
        except InputError as error:
            return row | {"said": str(error).replace(str(path), path.name)}
        row["file_bits"] = 8 * encoded.save(stored)
        verified = xw.verify(stored)
        xw.open(stored).write_decoded(decoded)
        counts = compare(path, plain_tensors(decoded), encoded.carried, words.get("dtype"))
    left_out = sum(reason.startswith("left out: ") for reason in encoded.carried.values())
    return row | {
        "tensors": len(encoded) + len(encoded.carried), "encoded": verified.tensors,
        "carried": len(encoded.carried) - left_out, "left_out": left_out, "weights": verified.weights,
        **{key: counts[key] for key in ("equal", "different", "missing")},
        "cpu_s": f"{time.process_time() - started:.1f}", "said": f"as {words['dtype']}" if "dtype" in words else "",
    }  # fmt: skip


def _rows(out: Path) -> list[dict[str, str]]:
    if not out.exists():
        return []
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def _is_weight_file(path: Path) -> bool:
    texts = {".md", ".csv", ".upstream", ".wheel", ""}
    return path.is_file() and path.suffix.lower() not in texts and "LICENSE" not in path.name


def summarise(rows: list[dict[str, str]], goal: str) -> bool:
    """Print the counts of one goal; return whether all came back."""
    rows = [row for row in rows if row["goal"] == goal]
    done = [row for row in rows if row["encoded"]]
    total = {key: sum(int(row[key]) for row in done) for key in HEAD[2:12]}
    refused = [row for row in rows if not row["encoded"] and row["said"] != "no reader"]
    kinds = Counter(Path(row["file"]).suffix for row in rows if row["said"] == "no reader")
    print(
        f"{goal}: {len(done)} files, {total['tensors']} tensors: {total['encoded']} encoded, "
        f"{total['carried']} carried, {total['left_out']} left out"
    )
    print(f"equal {total['equal']}, different {total['different']}, missing {total['missing']}")
    print(
        f"{total['weights']} weights; {total['source_bits']} bits of sources, {total['file_bits']} bits of containers"
    )
    print(f"no reader: {', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items())) or 'none'}")
    for row in refused:
        print(f"refused: {row['file']}: {row['said']}")
    return not (total["different"] or total["missing"] or refused)


def main() -> None:
    """Take every file through that has no row yet, and sum up."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("every_file.csv"))
    parser.add_argument(
        "--goal", default="hardware", help="hardware is fast; storage, the default of encode, is not"
    )
    parser.add_argument("--largest", type=int, default=1 << 40, help="bytes of a file at most")
    arguments = parser.parse_args()
    files = sorted(
        filter(_is_weight_file, arguments.data.rglob("*")), key=lambda path: (path.stat().st_size, path)
    )
    files = [path for path in files if path.stat().st_size <= arguments.largest]
    if not files:
        parser.error(f"{arguments.data} must hold files of weights")
    rows = _rows(arguments.out)
    done = {(row["file"], row["goal"]) for row in rows}
    with arguments.out.open("a", newline="") as table:
        writer = csv.DictWriter(table, HEAD)
        if not rows:
            writer.writeheader()
        for count, path in enumerate(files, 1):
            name = str(path.relative_to(arguments.data))
            if (name, arguments.goal) in done:
                continue
            row = through(path, name, arguments.goal)
            writer.writerow(row)
            table.flush()
            rows.append({key: str(value) for key, value in row.items()})
            print(f"{count}/{len(files)} {name} {row['cpu_s']} s {row['said']}", file=sys.stderr, flush=True)
    sys.exit(0 if summarise(rows, arguments.goal) else 1)


if __name__ == "__main__":
    main()
