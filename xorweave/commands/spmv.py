"""``xorweave spmv``: one sparse matrix times a vector, in hardware and in software, every result compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xorweave.commands.console import meter, percent, print_json, print_table, say
from xorweave.golden.base.errors import InputError

if TYPE_CHECKING:
    from xorweave.studies.spmv_figure import Point
    from xorweave.studies.spmv_flow import Layer
    from xorweave.studies.spmv_operand import Operand


def spmv(
    src: Annotated[
        Path,
        typer.Argument(
            help="What encode wrote, as it is stored; or weights: .npy .npz .safetensors .onnx; or a mask: .smtx"
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for spmv.json, spmv.csv and spmv.html")
    ] = None,
    values: Annotated[
        str | None, typer.Option(help="Values for an .smtx mask: uniform (default) or normal")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="int8 or int4 (quantised); default: as it is, int8 for a mask")
    ] = None,
    sparsity: Annotated[
        float | None, typer.Option(help="Share to prune, 0 to 1; default: zeros are the mask")
    ] = None,
    prune: Annotated[str | None, typer.Option(help="magnitude or random", show_default="magnitude")] = None,
    mask: Annotated[Path | None, typer.Option(help="A mask file; every non-zero is a kept weight")] = None,
    only: Annotated[str | None, typer.Option(help="Comma-separated names of tensors")] = None,
    lanes: Annotated[
        int | None,
        typer.Option(
            help="Multiply lanes: those that weights are encoded for, or weights a cycle of what is stored otherwise",
            show_default="64, 8",
        ),
    ] = None,
    batch: Annotated[int, typer.Option(help="Vectors multiplied at once")] = 1,
    threads: Annotated[str, typer.Option(help="Threads of the software products, comma-separated")] = "1,2",
    repeats: Annotated[int, typer.Option(help="Timed runs of each product")] = 7,
    rtl: Annotated[bool, typer.Option("--rtl/--no-rtl", help="Simulate the engines")] = True,
    gates: Annotated[
        bool, typer.Option("--gates", help="Also map the engines to gates (takes minutes)")
    ] = False,
    liberty: Annotated[
        Path | None, typer.Option(help="Liberty file for --gates: area, and time at the clock reached")
    ] = None,
    clock: Annotated[float | None, typer.Option(help="MHz asked of --liberty")] = None,
    figure: Annotated[
        bool, typer.Option("--figure", help="Also times by sparsity and batch, over dense 2048 x 2048")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of values, vectors and codes")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Multiply each layer by a vector: simulated engines, processor, GPU where there is one."""
    from xorweave.pages.spmv_page import write_results
    from xorweave.studies.spmv_figure import normalized_times
    from xorweave.studies.spmv_flow import GateOptions, measure_layer

    counts = _threads(threads)
    if out is not None:
        _check_folder(out)
    if clock is not None and liberty is None:
        raise InputError("--clock must be given with --liberty only")
    if liberty is not None and not liberty.is_file():
        raise InputError(f"there is no Liberty file {liberty}")
    weights_only = {
        "values": values, "dtype": dtype, "sparsity": sparsity, "prune": prune, "mask": mask,
    }  # fmt: skip
    work = _operands(src, weights_only, lanes, seed)
    if only is not None:
        for name in only.split(","):
            if name not in work:
                raise InputError(f"--only must name tensors among {', '.join(work)}, not {name!r}")
        work = {name: work[name] for name in only.split(",")}
    mapping = GateOptions(liberty=liberty, clock_mhz=clock) if gates or liberty is not None else None
    layers: list[Layer] = []
    points: list[Point] = []
    with meter() as show:
        for name, read in work.items():
            with show.task(name) as advance:
                layers.append(
                    measure_layer(
                        read(), batch=batch, repeats=repeats, threads=counts, simulate=rtl, lanes=lanes,
                        gates=mapping, seed=seed, progress=advance,
                    )
                )  # fmt: skip
        if figure:
            with show.task("2048 x 2048, by sparsity and batch") as advance:
                points = normalized_times(repeats=repeats, seed=seed, progress=advance)
    record = write_results(out, layers, points, source=src.name)
    if as_json:
        print_json(record)
    else:
        for layer in layers:
            _print(layer)
        if points:
            _print_points(points)
        if out is not None:
            say(f"written: {out / 'spmv.json'}, spmv.csv and spmv.html")
    if not all(layer.agree for layer in layers):
        raise typer.Exit(1)


def _check_folder(out: Path) -> None:
    from xorweave.golden.files.outputs import check_output_files
    from xorweave.pages.spmv_page import RESULTS

    if not out.parent.is_dir():
        raise InputError(f"there is no folder {out.parent} to write into")
    check_output_files(out, RESULTS)


def _operands(
    src: Path, weights_only: dict[str, Any], lanes: int | None, seed: int
) -> dict[str, Callable[[], Operand]]:
    """Return what gives each tensor of the source; `weights_only` options have no meaning for a stored one."""
    from xorweave.studies.sources import read_prepared
    from xorweave.studies.spmv_operand import LANES, encoded_operands, holds_stored, stored_operands

    given = {name: value for name, value in weights_only.items() if value is not None}
    if holds_stored(src):
        if given:
            raise InputError(
                f"--{next(iter(given))} must be given with weights only: {src.name} is multiplied as it is stored"
            )
        return stored_operands(src)
    how = {"values": None, "dtype": None, "sparsity": None, "prune": "magnitude", "mask": None, **given}
    return encoded_operands(
        read_prepared(src, **how, seed=seed), lanes=LANES if lanes is None else lanes, seed=seed
    )


def _threads(text: str) -> tuple[int, ...]:
    from xorweave.golden.spmv.native import MOST_THREADS

    parts = text.split(",")
    if not all(part.isdecimal() and 1 <= int(part) <= MOST_THREADS for part in parts):
        raise InputError(f"--threads must be numbers from 1 to {MOST_THREADS}, comma-separated, not {text!r}")
    return tuple(sorted({int(part) for part in parts}))


def _print(layer: Layer) -> None:
    from xorweave.sim.spmv_run import SpmvRun

    title = f"{layer.name}: {layer.rows} x {layer.cols}, {layer.dtype}, S = {percent(layer.sparsity, 1)}"
    columns = (
        "product",
        "cycles",
        "time",
        "spread",
        "bytes read",
        "bytes a cycle",
        "slots used",
        "over dense",
    )
    rows = [
        [
            row.product, "-" if row.cycles is None else f"{row.cycles:,.0f}", _time(row.seconds),
            "-" if row.fastest is None else f"{_time(row.fastest)} .. {_time(row.slowest)}",
            f"{row.bytes_read:,.0f}", "-" if row.bytes_per_cycle is None else f"{row.bytes_per_cycle:.2f}",
            percent(row.slots_used, 1),
            "-" if row.speed_up is None else f"{row.speed_up:.2f} x",
        ]
        for row in layer.table()
    ]  # fmt: skip
    print_table(title, columns, rows)
    stored = layer.stored
    say(
        f"stored: scan {stored['scan']}; mask {stored['mask_code']}; values {stored['values_code']}; corrections "
        f"{stored['corrections']}; {stored['bytes']:,} bytes read a product, "
        + ("as they lie in the file" if stored["from_file"] else "encoded once, here")
    )
    if layer.engine is not None:
        each = "" if isinstance(layer.engine, SpmvRun) else f" of {layer.engine.block_cycles} cycles"
        say(
            f"{layer.engine.label} engine: {layer.engine.blocks} blocks{each} + {layer.engine.constant} cycles, "
            f"whatever the mask; {layer.engine.stall_cycles} stall cycles, {layer.engine.mismatches} mismatches"
        )
    if layer.csr is not None:
        say(
            f"CSR engine: fullest lane {percent(layer.csr.imbalance, 1)} above the mean, "
            f"{percent(layer.csr.wait_share, 1)} of lane cycles wait for a bank"
        )
    agree = "all products agree bit for bit" if layer.agree else f"DIFFERING: {', '.join(layer.differing)}"
    say(agree)
    for line in layer.missing:
        say(f"not measured: {line}")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{1e6 * seconds:.1f} us" if seconds < 0.1 else f"{seconds:.3f} s"


def _print_points(points: list[Point]) -> None:
    batches = sorted({point.batch for point in points})
    sparsities = sorted({point.sparsity for point in points})
    products = list(dict.fromkeys(point.product for point in points))
    by = {(point.product, point.sparsity, point.batch): point.normalized for point in points}
    for batch in batches:
        rows = [[name, *(f"{by[name, s, batch]:.3f}" for s in sparsities)] for name in products]
        print_table(
            f"2048 x 2048, batch {batch}: time over the dense float32 product (median), by sparsity",
            ("product", *(f"S = {s}" for s in sparsities)),
            rows,
        )
