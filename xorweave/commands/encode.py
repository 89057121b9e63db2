"""``xorweave encode``: tensors of a file into a container."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xorweave.commands.console import say, tell
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.printable import listed, printable
from xorweave.golden.base.whole_file import write_whole
from xorweave.library.options_file import FIRST_LINE, read_options
from xorweave.library.words import WORDS, Word, kinds_of

if TYPE_CHECKING:
    from xorweave.library.stored import Encoded


# Weights of a model whose tensors are encoded again to compare; `report` compares larger ones, too.
_MOST_COMPARED = 1 << 27
_FLAGS = ("force", "as_json", "write_options", "sharded")


def encode(
    ctx: typer.Context,
    src: Annotated[
        list[Path],
        typer.Argument(help="Weights: .npy .npz .safetensors .onnx .pt .pth .gguf, shards; or a mask: .smtx"),
    ],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="The container to write (.safetensors); with --sharded a folder"),
    ],
    options: Annotated[
        Path | None,
        typer.Option(help="A TOML file of options, of single tensors, too; what is given here wins over it"),
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
    **words: Any,
) -> None:
    """Encode the tensors of a file losslessly."""
    from xorweave.library.workers import cores, load_ahead, shard_of_job, workers

    started = time.perf_counter()
    force, as_json, write, sharded = (bool(words.pop(name)) for name in _FLAGS)
    given = {name: value for name, value in words.items() if _is_given(ctx, name)}
    jobs = cores() if jobs is None else jobs
    raw = (given.get("mask_code"), given.get("values_code")) == ("bitmap", "raw")
    load_ahead(src, jobs, scheduler, raw=raw)

    import xorweave
    from xorweave.commands.console import meter
    from xorweave.golden.files.finished import Finished
    from xorweave.golden.files.outputs import check_output, check_output_folder
    from xorweave.golden.files.shards import shard_files

    if sharded and shard is not None:
        raise InputError("a part of a model must be one file: shard and sharded must not be given together")
    inputs = [*src, *_named_files(given, options)]
    if sharded:
        if len(src) > 1:
            raise InputError("sharded needs one source, whose files the output is divided like")
        shard_files(src[0])
        check_output_folder(out, inputs=inputs)
    else:
        check_output(out, inputs=inputs, force=force)
    beside = _options_beside(out, options, force) if write or options is not None else None
    finished = Finished.beside(out, xorweave.__version__)
    if not resume:
        finished.clear()
    with (
        workers(src, jobs, scheduler, raw=raw) as executor,
        meter() as show,
        show.task("encoding") as advance,
    ):
        encoded = xorweave.encode(
            src, options=options, shard=shard_of_job(shard), jobs=jobs, executor=executor, finished=finished,
            progress=advance, **given,
        )  # fmt: skip
    for remark in encoded.remarks:
        tell(remark)
    encoded.save(out, force=force, sharded=sharded)
    if beside is not None:
        write_whole(beside, encoded.options)
    finished.clear()
    seconds = time.perf_counter() - started
    report(
        encoded,
        title=f"{', '.join(path.name for path in src)} -> {out.name}",
        as_json=as_json,
        seconds=seconds,
        own=_own_codes(encoded),
    )


def _own_codes(encoded: Encoded) -> dict[str, Any] | None:
    """Return what one code for all costs over codes of their own, where there are several tensors with one."""
    from xorweave.commands.console import meter
    from xorweave.library.model_record import own_codes_entry
    from xorweave.library.own_codes import own_codes

    if sum(encoded[name].counted.weights for name in encoded) > _MOST_COMPARED:
        return None
    with meter() as show, show.task("codes of their own") as advance:
        return own_codes_entry(own_codes(encoded, progress=advance))


def _named_files(given: Mapping[str, Any], options: Path | None) -> list[Path]:
    """Return the files beside the weights that are read: masks and networks that are named here or by the options."""
    said = [given]
    if options is not None:
        file = read_options(options)
        said += [file.words, *(table.words for table in file.tables)]
    names = [word.name for word in WORDS if word.is_path]
    return [Path(words[name]) for words in said for name in names if words.get(name) is not None]


def _is_given(ctx: typer.Context, name: str) -> bool:
    """Whether an option was given: what is not leaves the options file its say."""
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _options_beside(out: Path, options: Path | None, force: bool) -> Path:
    """Return where the options are written; never over those that are read, nor over another file."""
    beside = out.with_name(f"{out.stem}.options.toml")
    if not beside.exists():
        return beside
    if options is not None and options.exists() and beside.samefile(options):
        raise InputError(f"the options must lie elsewhere than in {beside}, which is written")
    if not force and not (beside.is_file() and beside.read_bytes().startswith(FIRST_LINE.encode())):
        raise InputError(f"{beside} is a file of another kind: remove it first, or replace it with force")
    return beside


def _parameters() -> list[inspect.Parameter]:
    """Return the parameters of the command: the words of `encode` stand between those that are its own."""
    own = list(inspect.signature(encode, eval_str=True).parameters.values())[:-1]
    words = [_parameter(word) for word in WORDS]
    flags = {
        "sharded": "Write a folder of files as the source's, with their index",
        "write_options": "Write OUT.options.toml beside the output, as --options takes it; done with --options, too",
        "force": "Replace an output of another kind",
        "as_json": "Print one JSON object",
    }
    last = [
        _flag(name, f"--{name.removeprefix('as_').replace('_', '-')}", about) for name, about in flags.items()
    ]
    seed = words.pop()
    return [*own[:3], *words, *own[3:], seed, *last]


def _parameter(word: Word) -> inspect.Parameter:
    if word.default is False:
        return _flag(word.name, f"--{word.option}", word.about)
    kinds = (
        [Path] if word.name == "mask" else [kind for kind in kinds_of(word.name) if kind in (str, int, float)]
    )
    kind: Any = kinds[-1]
    default: Any = word.default
    if word.default is None:
        kind = kind | None
    elif word.default == ():
        kind, default = list[str] | None, None
    elif kind is str:
        default = str(word.default)
    option = typer.Option(f"--{word.option}", help=word.about)
    return inspect.Parameter(
        word.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _flag(name: str, option: str, about: str) -> inspect.Parameter:
    annotation = Annotated[bool, typer.Option(option, help=about)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)


# typer reads the signature: with it the words are options
encode.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in _parameters()]
)
encode.__annotations__ = {each.name: each.annotation for each in encode.__signature__.parameters.values()}  # type: ignore[attr-defined]


def report(
    encoded: Encoded,
    *,
    title: str,
    as_json: bool,
    seconds: float | None = None,
    own: dict[str, Any] | None = None,
) -> None:
    """Print the figures of stored tensors, as a table or as JSON.

    Parameters
    ----------
    seconds : float, optional
        What encoding took from start to end, choosing included.
    own : dict, optional
        What one code for all tensors costs over codes of their own (`own_codes_entry`).
    """
    from xorweave.commands.console import percent, print_json, print_table
    from xorweave.golden.files.carried import SCALE_OF

    summary = encoded.summary()
    records, total = summary["tensors"], summary["total"]
    if as_json:
        if seconds is not None:
            total["seconds"] = seconds
        if own is not None:
            total |= {f"overhead_{kind}": own["all"][kind] for kind in ("alike", "fewest")}
            for record in records:
                costs = own["each"].get(record["name"], {})
                record |= {f"overhead_{kind}": costs.get(kind) for kind in ("alike", "fewest")}
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
    if own is not None:
        _print_own_codes(own)
    reasons: dict[str, list[str]] = {}
    for name, reason in summary["carried"].items():
        if reason.startswith(SCALE_OF):
            reason = f"{SCALE_OF}a quantised tensor"  # one line for all
        told = reason if reason.startswith("left out: ") else f"carried unchanged ({reason})"
        reasons.setdefault(told, []).append(name)
    packed = [record["name"] for record in records if record["values_code"] == "packed"]
    if packed:
        reasons["packed at no fixed rate (every code would take more bits)"] = packed
    for reason, names in reasons.items():
        say(f"{reason}: {printable(listed(names))}")


def _print_own_codes(own: dict[str, Any]) -> None:
    """Print what one code for all costs over codes of their own, layer by layer."""
    from xorweave.commands.console import percent, print_table

    def row(name: str, costs: dict[str, float]) -> list[str]:
        return [name, *(percent(costs[kind], 2) for kind in ("shared", "alike", "fewest"))]

    rows = [row(name, costs) for name, costs in own["each"].items()]
    columns = ("tensor", "one code for all", "its own, as few gates", "its own, fewest bits")
    print_table("(payload + corrections) / care bits - 1", columns, [*rows, row("all", own["all"])])
