"""``xorweave encode``: tensors of a file into a container."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xorweave.golden.base.printable import printable

if TYPE_CHECKING:
    from xorweave.library.stored import Encoded


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
    goal: Annotated[
        str,
        typer.Option(
            "--for",
            help="storage (fewest bits), hardware (fewest gates, one decoder for all tensors), products (multiplied "
            "fastest on a processor) or paper (its format)",
        ),
    ] = "storage",
    overhead: Annotated[
        float, typer.Option(help="With --for hardware: (payload + corrections) / care bits - 1, at most")
    ] = 0.05,
    mask_code: Annotated[str, typer.Option(help="auto, bitmap or shaped")] = "auto",
    values_code: Annotated[str, typer.Option(help="auto, raw or prefix")] = "auto",
    scan: Annotated[
        str,
        typer.Option(
            help="auto, row-major, affine, lanes (the engine), cells (products on a processor) or tiles (on a GPU)"
        ),
    ] = "auto",
    code: Annotated[
        str,
        typer.Option(
            help="auto, paper[,n_s=2,invert=0], KEY=VALUE,... (n_in, n_out, n_s, family, seed), or a name"
        ),
    ] = "auto",
    max_k: Annotated[
        int | None,
        typer.Option(help="Longest window that may be chosen; default: 256 for raw planes, 512 for a book"),
    ] = None,
    encoder: Annotated[str, typer.Option(help="auto, elimination or viterbi")] = "auto",
    effort: Annotated[
        str,
        typer.Option(
            help="1 (default) or more: paths of a shaped mask's search, alternatives of a code that is given; or exact"
        ),
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
    include: Annotated[
        list[str] | None,
        typer.Option(help="Encode only tensors whose names match (* and ?); may be given again"),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Carry tensors whose names match; may be given again")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Tensors encoded at once; default: as many as there are cores")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Encode on the workers of a Dask scheduler (tcp://...), which see the same files"),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Encode a part of the tensors: 2/4, or slurm in a job array; see merge"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Take up what an interrupted run to the same output finished")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an output of another kind")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Encode the tensors of a file losslessly."""
    import xorweave
    from xorweave.commands.console import meter
    from xorweave.golden.files.finished import Finished
    from xorweave.golden.files.outputs import check_output
    from xorweave.library.workers import cores, shard_of_job, workers

    started = time.perf_counter()
    check_output(out, inputs=[src], force=force)
    finished = Finished.beside(out, xorweave.__version__)
    if not resume:
        finished.clear()
    jobs = cores() if jobs is None else jobs
    with workers(src, jobs, scheduler) as executor, meter() as show, show.task("encoding") as advance:
        encoded = xorweave.encode(
            src, values=values, dtype=dtype, sparsity=sparsity, prune=prune, mask=mask, negative_zero=negative_zero,
            per_row=per_row, goal=goal, overhead=overhead, mask_code=mask_code, values_code=values_code, scan=scan,
            code=code, max_k=max_k, encoder=encoder, effort=effort, corrections=corrections, error_free=error_free,
            transform=transform, drop_planes=drop_planes, effective=effective, network=network, segments=segments,
            include=include or (), exclude=exclude or (), shard=shard_of_job(shard), jobs=jobs, executor=executor,
            finished=finished, seed=seed, progress=advance,
        )  # fmt: skip
    for remark in encoded.remarks:
        print(f"xorweave: {printable(remark)}", file=sys.stderr)
    encoded.save(out, force=force)
    finished.clear()
    report(
        encoded,
        title=f"{src.name} -> {out.name}",
        as_json=as_json,
        seconds=time.perf_counter() - started,
    )


def report(encoded: Encoded, *, title: str, as_json: bool, seconds: float | None = None) -> None:
    """Print the figures of stored tensors, as a table or as JSON.

    Parameters
    ----------
    seconds : float, optional
        What encoding took from start to end, choosing included.
    """
    from xorweave.commands.console import percent, print_json, print_table

    summary = encoded.summary()
    records, total = summary["tensors"], summary["total"]
    if as_json:
        if seconds is not None:
            total["seconds"] = seconds
        print_json(summary)
        return

    def row(name: str, record: dict[str, Any], form: str, rate: str) -> list[str]:
        bits, over, gates = (
            record.get(key) for key in ("bits_per_weight_with_mask", "over_bound", "gates_per_weight")
        )
        return [
            name, form, rate, percent(record.get("sparsity"), 1),
            "-" if bits is None else f"{bits:.3f}", "-" if over is None else f"{over:.3f}",
            percent(record["overhead"], 2), percent(record["memory_reduction_with_mask"]),
            "-" if gates is None else f"{gates:.0f}",
        ]  # fmt: skip

    rows = [
        row(
            r["name"],
            r,
            f"{r['values_code']}, {r['mask_code']}",
            f"{r['n_in']} -> {r['n_out']}, K {r['constraint_length']}" if r["n_in"] else "-",
        )
        for r in records
    ]
    if len(rows) > 1:
        rows.append(row("total", total, "", ""))
    columns = (
        "tensor", "values, mask", "rate", "sparsity", "bits/weight", "x bound", "overhead", "memory saved",
        "GE/weight",
    )  # fmt: skip
    print_table(title, columns, rows)
    reasons: dict[str, list[str]] = {}
    for name, reason in summary["carried"].items():
        reasons.setdefault(f"carried unchanged ({reason})", []).append(name)
    packed = [record["name"] for record in records if record["values_code"] == "packed"]
    if packed:
        reasons["packed at no fixed rate (every code would take more bits)"] = packed
    for reason, names in reasons.items():
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        print(f"{reason}: {printable(listed)}")
