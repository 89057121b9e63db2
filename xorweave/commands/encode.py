"""``xorweave encode``: tensors of a file into a container."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from xorweave.commands.console import meter, percent, print_json, print_table
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import to_bfloat16
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.choose.prepare import (
    Preparation,
    Prepared,
    check_dtype,
    is_encodable,
    is_negative_zero,
    prepare,
    scale_names,
    sort_tensors,
    synthetic_values,
)
from xorweave.golden.files.container import Container, write_container
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.files.weight_files import plain_name, read_masks, read_smtx, read_weight_file
from xorweave.golden.network.effective import make_effective
from xorweave.golden.network.matching import resolve_network
from xorweave.golden.network.network_files import as_arrays, stored_order
from xorweave.golden.tensor.figures import tensor_record, total_record
from xorweave.golden.tensor.stream import EncodedTensor


def encode(
    src: Annotated[
        Path,
        typer.Argument(help="Weights: .npy .npz .safetensors .onnx .pt .pth, shards; or a mask: .smtx"),
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The container to write (.safetensors)")],
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
    negative_zero: Annotated[
        str,
        typer.Option(help="Where zeros are the mask, -0.0 is kept (bit for bit) or pruned (reads back as 0)"),
    ] = "kept",
    per_row: Annotated[
        bool, typer.Option("--per-row", help="One scale for each row when quantising")
    ] = False,
    code: Annotated[
        str,
        typer.Option(help="auto, paper[,n_s=2], KEY=VALUE,... (n_in, n_out, n_s, family, seed), or a name"),
    ] = "auto",
    max_k: Annotated[int, typer.Option(help="Longest window that --code auto may choose")] = 256,
    encoder: Annotated[str, typer.Option(help="auto, elimination or viterbi")] = "auto",
    effort: Annotated[
        str, typer.Option(help="Alternatives elimination keeps for each plane: 1 (greedy) or more, or exact")
    ] = "1",
    corrections: Annotated[
        str, typer.Option(help="auto, paper, joint, plane, bounded[:PATCHES A BLOCK] or none")
    ] = "auto",
    error_free: Annotated[
        bool, typer.Option("--error-free", help="Find a code that needs no corrections at all")
    ] = False,
    transform: Annotated[
        str,
        typer.Option(help="none, difference, sign-magnitude or auto: a map that may make planes constant"),
    ] = "none",
    drop_planes: Annotated[
        bool, typer.Option("--drop-planes", help="Leave (nearly) constant planes out of the payload")
    ] = False,
    effective: Annotated[
        bool, typer.Option("--effective", help="Drop weights that no live path of the network uses")
    ] = False,
    network: Annotated[
        str | None,
        typer.Option(help="With --effective: a named network, a .json description or an .onnx file"),
    ] = None,
    segments: Annotated[
        int | None, typer.Option(help="Cut each tensor into so many segments, for decoders side by side")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Threads")] = 1,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Encode the tensors of a file losslessly."""
    if out.suffix.lower() != ".safetensors":
        raise InputError(f"the container must be named .safetensors, not {out.name!r}")
    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent} to write into")
    if segments is not None and not 1 <= segments <= 4096:
        raise InputError(f"--segments must be between 1 and 4096, not {segments}")
    if segments is not None and error_free:
        raise InputError("--segments must be given without --error-free, which chooses long segments itself")
    if jobs < 1:
        raise InputError(f"--jobs must be at least 1, not {jobs}")
    if effort != "exact" and not effort.isdecimal():
        raise InputError(f"--effort must be a number or 'exact', not {effort!r}")
    if error_free and corrections not in ("auto", "none"):
        raise InputError(f"--error-free stores no corrections, so --corrections must not be {corrections!r}")
    if network is not None and not effective:
        raise InputError("--network must be given with --effective only")
    choice = CodeChoice.parse(code, max_k=max_k, seed=seed)

    plain: dict[str, Tensor] = {}
    work: dict[str, Prepared] = {}
    metadata: dict[str, str] = {}
    scales: dict[str, str] = {}
    if src.suffix.lower() == ".smtx":
        if sparsity is not None or mask is not None:
            raise InputError(
                "an .smtx file is a mask already: --sparsity and --mask must not be given with it"
            )
        check_dtype(dtype)
        kept = read_smtx(src)
        made, fmt = synthetic_values(kept, values or "uniform", dtype or "int8", seed)
        if kept.size:
            work[plain_name(src)] = Prepared(values=made, number_format=fmt, mask=kept)
        else:
            plain[plain_name(src)] = Tensor.of(made)
    else:
        if values is not None:
            raise InputError("--values must be given with an .smtx mask only")
        file = read_weight_file(src)
        tensors, metadata = file.tensors, file.metadata
        masks = read_masks(mask) if mask is not None else {}
        if mask is not None and not masks:
            raise InputError(f"{mask} must hold at least one mask")
        encodable = [name for name, tensor in tensors.items() if is_encodable(tensor)]
        if len(masks) == 1 and len(encodable) == 1:
            masks = {encodable[0]: next(iter(masks.values()))}  # one mask for one tensor needs no name
        how = Preparation(
            dtype=dtype,
            sparsity=sparsity,
            prune=prune,
            per_row=per_row,
            seed=seed,
            masks=masks,
            negative_zero=negative_zero,
        )
        chosen, carried = sort_tensors(tensors, how)
        plain = {name: tensors[name] for name in carried}
        work = {name: prepare(name, tensor, how) for name, tensor in chosen.items()}
        scales = scale_names([name for name, item in work.items() if item.scale is not None], tensors)
        for name, own in scales.items():
            scale = work[name].scale
            assert scale is not None
            plain[own] = Tensor.of(scale)
        for name, reason in (carried | file.left_out).items():
            if not reason.startswith(("rank", "empty")):
                kept = "carried unchanged" if name in carried else "left out"
                typer.echo(f"xorweave: {name} is {kept}: {reason}", err=True)

    zeros = sum(int(is_negative_zero(i.values, i.number_format)[i.mask].sum()) for i in work.values())
    if zeros:
        typer.echo(
            f"xorweave: {zeros} kept weights are -0.0; with --negative-zero pruned they are zeros like others",
            err=True,
        )

    inactivated: dict[str, int] = {}
    if effective:
        if src.suffix.lower() == ".smtx":
            raise InputError("--effective needs the weights of a network, not an .smtx mask")
        arrays, direct = as_arrays(tensors), {name: item.mask for name, item in work.items()}
        found = resolve_network(network, arrays, order=stored_order(metadata), ordered=file.ordered)
        if found.remark:
            typer.echo(f"xorweave: {found.remark}", err=True)
        alive = make_effective(arrays, direct, found)
        work = {name: replace(item, mask=alive.masks[name]) for name, item in work.items()}
        for name, values in alive.biases.items():
            narrow = to_bfloat16(values) if plain[name].dtype == "BF16" else values
            plain[name] = replace(plain[name], values=narrow)
        inactivated = alive.inactivated

    encoded: dict[str, EncodedTensor] = {}
    with meter() as show:
        for name, item in work.items():
            with show.task(name) as advance:
                encoded[name] = (choice.encode_error_free if error_free else choice.encode)(
                    item.values,
                    item.number_format,
                    item.mask,
                    encoder=encoder,
                    effort=None if effort == "exact" else int(effort),
                    corrections=corrections,
                    transform=transform,
                    drop_planes=drop_planes,
                    **({} if segments is None else {"segments": segments}),
                    jobs=jobs,
                    progress=advance,
                )
    info = {
        "source": plain_name(src) + src.suffix, "code": code, "encoder": encoder, "seed": str(seed), "prune": prune,
        "sparsity": str(sparsity), "dtype": str(dtype), "values": str(values),
        "effective": str(effective), "effort": effort, "error_free": str(error_free),
        "metadata": json.dumps(metadata), "scales": json.dumps(scales),
    }  # fmt: skip
    write_container(out, Container(encoded=encoded, plain=plain, info=info))
    report(encoded, as_json=as_json, title=f"{src.name} -> {out.name}")
    if inactivated and not as_json:
        typer.echo(f"{sum(inactivated.values())} kept weights lay on no live path and became don't-cares.")


def report(encoded: dict[str, EncodedTensor], *, as_json: bool, title: str) -> None:
    """Print the figures of encoded tensors, as a table or as JSON."""
    records = [tensor_record(name, item) for name, item in encoded.items()]
    total = total_record(encoded.values())
    if as_json:
        print_json({"tensors": records, "total": total})
        return

    def row(name: str, record: dict[str, object], code: str) -> list[str]:
        return [
            name, code, percent(record.get("sparsity"), 1), percent(record["efficiency"], 3),
            percent(record["overhead"], 3), percent(record["memory_reduction"]),
            percent(record["memory_reduction_with_mask"]), f"{record['seconds']:.2f}",
        ]  # fmt: skip

    rows = [
        row(str(r["name"]), r, f"{r['n_in']} -> {r['n_out']}, K = {r['constraint_length']}") for r in records
    ]
    if len(rows) > 1:
        rows.append(row("total", total, ""))
    columns = (
        "tensor", "code", "sparsity", "E", "overhead", "memory reduction", "with mask", "seconds",
    )  # fmt: skip
    print_table(title, columns, rows)
