"""``xorweave codecs``: the same tensor in every format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xorweave.commands.console import meter, print_json, print_table, say
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.whole_file import write_whole

if TYPE_CHECKING:
    from xorweave.golden.codecs.comparison import Row
    from xorweave.pages.codec_table import Record


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _line(record: Record) -> list[str]:
    from xorweave.pages.codec_table import lossless_text

    return [
        record["title"],
        _number(record["bits_per_weight"]),
        _number(record["bits_per_weight_with_mask"]),
        lossless_text(record),
        _number(record["decoder_ge_per_weight"], 1),
        _number(record["encode_seconds"], 2),
    ]


# 80 columns hold them; the time to decode and what is saved are in --json, --csv and --page
_COLUMNS = ("format", "bits a weight", "with mask", "lossless", "GE a weight", "encode s")
_DECODING = ("format", "rate", "worst stall", "one weight needs", "weights a cycle", "decoder in RTL")


def _decoding(record: Record) -> list[str]:
    cycle = record["decoder_weights_per_cycle"]
    return [
        record["title"],
        record["rate"],
        record["worst_case_stall"],
        record["random_access"],
        "-" if cycle is None else str(cycle),
        record["decoder_note"] or "-",
    ]


def _show(heading: str, records: list[Record]) -> None:
    """Print the formats of a tensor, and under the table what there is to note."""
    print_table(heading, _COLUMNS, [_line(record) for record in records])
    for record in records:
        if record["note"]:
            say(f"  {record['title']}: {record['note']}")


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
        str | None, typer.Option(help="Comma-separated names of formats, slow ones too (see codec in --json)")
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write every row to this file")] = None,
    page_file: Annotated[Path | None, typer.Option("--page", help="Also write one HTML page")] = None,
    seed: Annotated[int, typer.Option(help="Of every random choice")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Store the same tensor in every format: bits a weight with and without mask, lossless or not, how it decodes."""
    from xorweave.golden.codecs.codec import PrunedTensor
    from xorweave.golden.codecs.comparison import all_codecs, bounds, measure, too_slow, total_rows
    from xorweave.golden.files.outputs import check_output
    from xorweave.pages.codec_table import GateTable, csv_text, page, records, tensor_head
    from xorweave.studies.sources import read_prepared

    chosen = all_codecs()
    if only is not None:
        known = {codec.name: codec for codec in chosen}
        names = [name.strip() for name in only.split(",")]
        if unknown := [name for name in names if name not in known]:
            raise InputError(f"--only must name formats among {', '.join(known)}, not {unknown[0]!r}")
        chosen = tuple(known[name] for name in names)
    for wanted, suffix in ((csv_file, ".csv"), (page_file, ".html")):
        if wanted is not None:
            check_output(wanted, inputs=[src], force=None, suffix=suffix)

    ready = read_prepared(
        src, values=values, dtype=dtype, sparsity=sparsity, prune=prune, mask=mask, seed=seed
    )
    tensors = {
        name: PrunedTensor.from_values(item.values, item.number_format, item.mask)
        for name, item in ready.items()
    }
    tables: dict[str, list[Row]] = {}
    with meter() as show:
        for name, tensor in tensors.items():
            with show.task(name) as advance:
                rows = []
                for done, codec in enumerate(chosen, 1):
                    rows.append(measure(codec, tensor, slow=only is not None))
                    advance(done / len(chosen))
            tables[name] = rows + bounds(tensor)
    gates = GateTable.stored()
    total = records(total_rows(tensors, tables), gates)
    shown = [
        {**tensor_head(name, pruned), "codecs": records(tables[name], gates)}
        for name, pruned in tensors.items()
    ]
    if csv_file is not None:
        write_whole(csv_file, csv_text(shown))
    if page_file is not None:
        write_whole(page_file, page(src.name, shown, total, gates))
    if as_json:
        provenance = {"setting": gates.setting, "command": gates.command, "tools": gates.tools}
        print_json({"tensors": shown, "total": total, "decoder_gates": provenance})
        return
    for table in shown:
        shape = "x".join(map(str, table["shape"]))
        _show(f"{table['name']} {shape} {table['dtype']}, S = {table['sparsity']:.3f}", table["codecs"])
    if len(shown) > 1:
        _show(f"all {len(shown)} tensors", total)
    formats = [record for record in shown[0]["codecs"] if not record["codec"].startswith("bound")]
    print_table("how each decodes", _DECODING, [_decoding(record) for record in formats])
    left = [codec.name for codec in chosen if any(too_slow(codec, tensor) for tensor in tensors.values())]
    if left and only is None:
        say(
            f"Left out for large tensors because they are slow: {', '.join(left)}; --only NAME measures them."
        )
    say(f"GE a weight: {gates.setting}; made by {gates.command}.")
