"""``xorweave codecs``: the same tensor in every format."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from xorweave.console import meter, percent, print_json, print_table
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.comparison import Row, all_codecs, bounds, measure, total_rows
from xorweave.golden.errors import InputError
from xorweave.golden.prepare import Preparation, is_encodable, prepare, synthetic_values
from xorweave.golden.weight_files import read_masks, read_smtx, read_weights


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _line(row: Row) -> list[str]:
    lossless = {True: "yes", False: "no"}[row.lossless]
    if row.verified is None and row.lossless and row.encode_seconds is None:
        lossless = "bound" if row.bits is not None else "-"
    return [
        row.title,
        _number(row.bits_per_weight),
        _number(row.bits_per_weight_with_mask),
        percent(row.memory_reduction_with_mask),
        lossless,
        row.rate or "-",
        _number(row.encode_seconds),
        _number(row.decode_seconds),
        row.note or "-",
    ]  # fmt: skip


_COLUMNS = (
    "format", "bits/weight", "with mask", "saved", "lossless", "rate", "encode s", "decode s", "note",
)  # fmt: skip


def codecs(
    src: Annotated[Path, typer.Argument(help="Weights: .npy .npz .safetensors .onnx; or a mask: .smtx")],
    values: Annotated[
        str | None, typer.Option(help="Values for an .smtx mask: uniform (default) or normal")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="int8 int4 (quantised), fp16 bf16 fp32; default: as it is")
    ] = None,
    sparsity: Annotated[
        float | None, typer.Option(help="Share to prune, 0 to 1; default: zeros are the mask")
    ] = None,
    prune: Annotated[str, typer.Option(help="magnitude or random")] = "magnitude",
    mask: Annotated[Path | None, typer.Option(help="A mask file; every non-zero is a kept weight")] = None,
    only: Annotated[
        str | None, typer.Option(help="Comma-separated names of formats (see the column codec of --json)")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write every row to this file")] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Store the same tensor in every format: bits a weight with and without mask, lossless or not, how it decodes."""
    chosen = all_codecs()
    if only is not None:
        names = [name.strip() for name in only.split(",")]
        known = {codec.name: codec for codec in chosen}
        for name in names:
            if name not in known:
                raise InputError(f"--only must name formats among {', '.join(known)}, not {name!r}")
        chosen = tuple(known[name] for name in names)
    if csv_file is not None and not csv_file.parent.is_dir():
        raise InputError(f"there is no folder {csv_file.parent} to write into")

    tensors: dict[str, PrunedTensor] = {}
    if src.suffix.lower() == ".smtx":
        if sparsity is not None or mask is not None:
            raise InputError(
                "an .smtx file is a mask already: --sparsity and --mask must not be given with it"
            )
        kept = read_smtx(src)
        made, fmt = synthetic_values(kept, values or "uniform", dtype or "int8", seed)
        tensors[src.stem] = PrunedTensor.from_values(made, fmt, kept)
    else:
        if values is not None:
            raise InputError("--values must be given with an .smtx mask only")
        read = {name: found for name, found in read_weights(src).items() if is_encodable(found)}
        masks = read_masks(mask) if mask is not None else {}
        if len(masks) == 1 and len(read) == 1:
            masks = {next(iter(read)): next(iter(masks.values()))}
        how = Preparation(dtype=dtype, sparsity=sparsity, prune=prune, seed=seed, masks=masks)
        for name, found in read.items():
            ready = prepare(name, found, how)
            tensors[name] = PrunedTensor.from_values(ready.values, ready.number_format, ready.mask)
    tensors = {name: tensor for name, tensor in tensors.items() if tensor.n}
    if not tensors:
        raise InputError(f"{src} must hold at least one tensor of two dimensions or more")

    tables: dict[str, list[Row]] = {}
    with meter() as show:
        for name, tensor in tensors.items():
            with show.task(name) as advance:
                rows = []
                for done, codec in enumerate(chosen, 1):
                    rows.append(measure(codec, tensor))
                    advance(done / len(chosen))
            tables[name] = rows + bounds(tensor)
    total = total_rows(tensors, tables)
    if csv_file is not None:
        _write_csv(csv_file, tensors, tables)
    if as_json:
        print_json(
            {
                "tensors": [
                    {
                        "name": name,
                        "shape": list(tensor.shape),
                        "dtype": tensor.number_format.name,
                        "sparsity": 1 - tensor.kept / tensor.n,
                        "codecs": [row.as_dict() for row in tables[name]],
                    }
                    for name, tensor in tensors.items()
                ],
                "total": [row.as_dict() for row in total],
            }
        )
        return
    for name, tensor in tensors.items():
        heading = f"{name} {tensor.shape} {tensor.number_format.name}, S = {1 - tensor.kept / tensor.n:.3f}"
        print_table(heading, _COLUMNS, [_line(row) for row in tables[name]])
    if len(tensors) > 1:
        print_table(f"all {len(tensors)} tensors", _COLUMNS, [_line(row) for row in total])


def _write_csv(path: Path, tensors: dict[str, PrunedTensor], tables: dict[str, list[Row]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        fields = list(Row("", "", True).as_dict())
        writer.writerow(["tensor", "shape", "dtype", "sparsity", *fields])
        for name, tensor in tensors.items():
            shape = "x".join(map(str, tensor.shape))
            head = [name, shape, tensor.number_format.name, f"{1 - tensor.kept / tensor.n:.6f}"]
            for row in tables[name]:
                cells = row.as_dict().values()
                writer.writerow(head + ["" if c is None or c != c else c for c in cells])
