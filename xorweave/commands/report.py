"""``xorweave report``: a stored model as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xorweave.commands.console import say


def report(
    src: Annotated[
        list[Path],
        typer.Argument(help="A container written by encode; or several: parts or shards of a model"),
    ],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The page to write (.html)")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of another kind")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object: the page's figures")
    ] = False,
) -> None:
    """Write one page about a model: bits against the bound, care bits, decoder, what was carried and why."""
    import xorweave
    from xorweave.commands.console import meter, print_json
    from xorweave.golden.base.errors import InputError
    from xorweave.golden.base.whole_file import write_whole
    from xorweave.golden.files.outputs import check_output
    from xorweave.library.model_record import model_record

    if out is not None:
        from xorweave.pages.provenance import machine
        from xorweave.pages.report_page import conclusion, report_page

        check_output(out, inputs=src, force=force, suffix=".html")
    elif not as_json:
        raise InputError("a page to write (-o report.html) or --json must be given")
    opened = xorweave.open(*src)
    model = src[0].name if len(src) == 1 else f"{src[0].name} and {len(src) - 1} more"
    with meter() as show, show.task(model) as advance:
        record = model_record(opened, progress=advance)
    if out is not None:
        write_whole(out, report_page(model, record, machine()))
    if as_json:
        print_json(record)
    else:
        say(conclusion(model, record))
        say(f"{out} shows it.")
