"""``xorweave encode``: tensors of a file into a container."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from xorweave.golden.files.container import Container
    from xorweave.golden.files.model import PreparedModel
    from xorweave.golden.files.prepare import Preparation
    from xorweave.golden.files.weight_files import WeightFile


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
            help="storage (fewest bits), hardware (fewest gates, one decoder for all tensors) or paper (its format)",
        ),
    ] = "storage",
    overhead: Annotated[
        float, typer.Option(help="With --for hardware: (payload + corrections) / care bits - 1, at most")
    ] = 0.05,
    mask_code: Annotated[str, typer.Option(help="auto, bitmap or shaped")] = "auto",
    values_code: Annotated[str, typer.Option(help="auto, raw or prefix")] = "auto",
    scan: Annotated[str, typer.Option(help="auto, row-major, affine or lanes")] = "auto",
    code: Annotated[
        str,
        typer.Option(help="auto, paper[,n_s=2], KEY=VALUE,... (n_in, n_out, n_s, family, seed), or a name"),
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
    jobs: Annotated[int, typer.Option(help="Threads")] = 1,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an output of another kind")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Encode the tensors of a file losslessly."""
    from xorweave.golden.base.errors import InputError
    from xorweave.golden.files.container import write_container
    from xorweave.golden.files.model import encode_model
    from xorweave.golden.files.outputs import check_output
    from xorweave.golden.files.prepare import Preparation
    from xorweave.golden.files.weight_files import plain_name
    from xorweave.golden.tensor.encode import EncodeOptions

    started = time.perf_counter()
    check_output(out, inputs=[src], force=force)
    if effort != "exact" and not effort.isdecimal():
        raise InputError(f"--effort must be a number or 'exact', not {effort!r}")
    if error_free and corrections not in ("auto", "none"):
        raise InputError(f"--error-free stores no corrections, so --corrections must not be {corrections!r}")
    if network is not None and not effective:
        raise InputError("--network must be given with --effective only")
    choice = _choice(
        goal=goal, overhead=overhead, mask_code=mask_code, values_code=values_code, scan=scan, code=code,
        max_k=max_k, seed=seed, effort=effort, error_free=error_free, transform=transform,
        drop_planes=drop_planes, segments=segments,
    )  # fmt: skip
    options = EncodeOptions(
        encoder=encoder, effort=None if effort == "exact" else int(effort), corrections=corrections, jobs=jobs
    )
    how = Preparation(
        dtype=dtype, sparsity=sparsity, prune=prune, per_row=per_row, seed=seed, negative_zero=negative_zero
    )
    model, file = _read(src, values, mask, how)
    _mention_negative_zeros(model)
    inactivated = _drop_dead(model, file, network) if effective else {}
    said = {
        "source": plain_name(src) + src.suffix, "code": code, "encoder": encoder, "seed": str(seed), "prune": prune,
        "sparsity": str(sparsity), "dtype": str(dtype), "values": str(values), "for": goal,
        "effective": str(effective), "effort": effort, "error_free": str(error_free),
    }  # fmt: skip
    usual = {
        "code": "auto",
        "encoder": "auto",
        "seed": "0",
        "prune": "magnitude",
        "effort": "1",
        "for": "storage",
    }
    info = {key: text for key, text in said.items() if text not in ("None", "False", usual.get(key))}
    with _progress(model) as advance:
        container, carried = encode_model(
            model, choice, options, info=info, metadata=file.metadata, progress=advance
        )
    write_container(out, container)
    report(
        container, out, title=f"{src.name} -> {out.name}", as_json=as_json, carried=carried,
        seconds=time.perf_counter() - started,
    )  # fmt: skip
    if inactivated and not as_json:
        typer.echo(f"{sum(inactivated.values())} kept weights lay on no live path and became don't-cares.")


def _choice(*, code: str, max_k: int | None, seed: int, effort: str, **rest: Any) -> Any:
    from xorweave.golden.choose.choice import Choice
    from xorweave.golden.choose.code_choice import CodeChoice

    beam = 1024 if effort == "exact" else min(32768, 1024 * int(effort))
    parsed = CodeChoice.parse(code, max_k=256 if max_k is None else max_k, seed=seed)
    return Choice(code=parsed, beam=beam, prefix_k=max_k, **rest)


def _read(
    src: Path, values: str | None, mask: Path | None, how: Preparation
) -> tuple[PreparedModel, WeightFile]:
    """Read the source and prepare its tensors; an .smtx mask gets values."""
    from dataclasses import replace

    from xorweave.golden.base.errors import InputError
    from xorweave.golden.files.model import PreparedModel, prepare_model
    from xorweave.golden.files.prepare import Prepared, synthetic_values
    from xorweave.golden.files.safetensors_file import Tensor
    from xorweave.golden.files.weight_files import (
        WeightFile,
        plain_name,
        read_masks,
        read_smtx,
        read_weight_file,
    )

    if src.suffix.lower() == ".smtx":
        if how.sparsity is not None or mask is not None:
            raise InputError(
                "an .smtx file is a mask already: --sparsity and --mask must not be given with it"
            )
        kept = read_smtx(src)
        made, fmt = synthetic_values(kept, values or "uniform", how.dtype or "int8", how.seed)
        name = plain_name(src)
        if not kept.size:
            return PreparedModel({}, {name: Tensor.of(made)}, {name: "empty"}), WeightFile({})
        return PreparedModel({name: Prepared(values=made, number_format=fmt, mask=kept)}), WeightFile({})
    if values is not None:
        raise InputError("--values must be given with an .smtx mask only")
    file = read_weight_file(src)
    masks = read_masks(mask) if mask is not None else {}
    if mask is not None and not masks:
        raise InputError(f"{mask} must hold at least one mask")
    model = prepare_model(file.tensors, replace(how, masks=masks))
    model.carried.update({name: f"left out: {reason}" for name, reason in file.left_out.items()})
    return model, file


def _mention_negative_zeros(model: PreparedModel) -> None:
    from xorweave.golden.files.prepare import is_negative_zero

    zeros = sum(int(is_negative_zero(i.values, i.number_format)[i.mask].sum()) for i in model.work.values())
    if zeros:
        typer.echo(
            f"xorweave: {zeros} kept weights are -0.0; with --negative-zero pruned they are zeros like others",
            err=True,
        )


def _drop_dead(model: PreparedModel, file: WeightFile, network: str | None) -> dict[str, int]:
    """Narrow the masks of a network to its live weights, in place; return how many fell away of each."""
    from dataclasses import replace

    from xorweave.golden.base.errors import InputError
    from xorweave.golden.base.number_format import to_bfloat16
    from xorweave.golden.network.effective import make_effective
    from xorweave.golden.network.matching import resolve_network
    from xorweave.golden.network.network_files import as_arrays, stored_order

    if not file.tensors:
        raise InputError("--effective needs the weights of a network, not an .smtx mask")
    arrays, direct = as_arrays(file.tensors), {name: item.mask for name, item in model.work.items()}
    found = resolve_network(network, arrays, order=stored_order(file.metadata), ordered=file.ordered)
    if found.remark:
        typer.echo(f"xorweave: {found.remark}", err=True)
    alive = make_effective(arrays, direct, found)
    for name, item in model.work.items():
        model.work[name] = replace(item, mask=alive.masks[name])
    for name, values in alive.biases.items():
        narrow = to_bfloat16(values) if model.plain[name].dtype == "BF16" else values
        model.plain[name] = replace(model.plain[name], values=narrow)
    return alive.inactivated


class _progress:
    """A progress bar over the weights of a model."""

    def __init__(self, model: PreparedModel) -> None:
        from xorweave.commands.console import meter

        self._weights = {name: item.values.size for name, item in model.work.items()}
        self._done = dict.fromkeys(self._weights, 0.0)
        self._meter = meter()

    def __enter__(self) -> Any:
        self._task = self._meter.__enter__().task("encoding")
        show = self._task.__enter__()
        total = max(1, sum(self._weights.values()))

        def advance(name: str, share: float) -> None:
            self._done[name] = share
            show(sum(self._weights[key] * part for key, part in self._done.items()) / total)

        return advance

    def __exit__(self, *error: Any) -> None:
        self._task.__exit__(*error)
        self._meter.__exit__(*error)


def report(
    container: Container,
    path: Path,
    *,
    title: str,
    as_json: bool,
    carried: dict[str, str] | None = None,
    seconds: float | None = None,
) -> None:
    """Print the figures of a container, as a table or as JSON.

    Parameters
    ----------
    path : Path
        The file.
    carried : dict of str to str
        What is not encoded, and why.
    seconds : float, optional
        What encoding took from start to end, choosing included.
    """
    from xorweave.commands.console import percent, print_json, print_table, printable
    from xorweave.golden.files.container import directory_bytes
    from xorweave.golden.tensor.figures import tensor_record, total_record

    figures = {name: container.figures(name) for name in container.encoded}
    records: list[dict[str, Any]] = [
        {**tensor_record(name, container.encoded[name], found), "gates_per_weight": _gates(container, name)}
        for name, found in figures.items()
    ]
    total: dict[str, Any] = total_record(figures.values(), 8 * directory_bytes(path))
    carried = carried if carried is not None else dict.fromkeys(container.plain, "carried")
    if as_json:
        extra = {"seconds": seconds} if seconds is not None else {}
        print_json({"tensors": records, "total": {**total, **extra}, "carried": carried})
        return

    def row(name: str, record: dict[str, Any], form: str, rate: str) -> list[str]:
        bits, over, gates = (
            record[key] for key in ("bits_per_weight_with_mask", "over_bound", "gates_per_weight")
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
            f"{r['n_in']} -> {r['n_out']}, K {r['constraint_length']}",
        )
        for r in records
    ]
    if len(rows) > 1:
        rows.append(row("total", {**total, "gates_per_weight": None}, "", ""))
    columns = (
        "tensor", "values, mask", "rate", "sparsity", "bits/weight", "x bound", "overhead", "memory saved",
        "GE/weight",
    )  # fmt: skip
    print_table(title, columns, rows)
    reasons: dict[str, list[str]] = {}
    for name, reason in carried.items():
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        print(f"carried unchanged ({reason}): {printable(listed)}")


def _gates(container: Container, name: str) -> float | None:
    """Estimate the decoder's gate equivalents for one weight a cycle; None where the hardware room is not there."""
    del container, name
    return None
