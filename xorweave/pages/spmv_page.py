"""The results of ``xorweave spmv`` as JSON, CSV and one page that needs no network."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.ticker import LogLocator, NullLocator

from xorweave.golden.base.printable import sheet_cell
from xorweave.golden.base.whole_file import write_whole
from xorweave.pages.page import count, render
from xorweave.pages.plots import LINES, panel
from xorweave.pages.provenance import machine
from xorweave.studies.spmv_figure import Point
from xorweave.studies.spmv_flow import Layer, Row

#: What is written into the folder, and how it begins.
RESULTS = {"spmv.json": '{\n "source": ', "spmv.csv": "layer,rows,cols,", "spmv.html": ""}


def record_of(layers: Sequence[Layer], points: Sequence[Point], source: str) -> dict[str, Any]:
    """Return everything as plain JSON values."""
    return {
        "source": source,
        "machine": machine(),
        "layers": [layer.as_json() for layer in layers],
        "normalized": [asdict(point) for point in points],
    }


def write_results(
    folder: Path | None, layers: Sequence[Layer], points: Sequence[Point], *, source: str
) -> dict[str, Any]:
    """Write spmv.json, spmv.csv and spmv.html into a folder (made if it is not there); return the JSON object."""
    record = record_of(layers, points, source)
    if folder is not None:
        folder.mkdir(exist_ok=True)
        page = render_page(record, layers, points)
        record_text = json.dumps(record, allow_nan=False, indent=1) + "\n"
        for name, text in zip(RESULTS, (record_text, csv_text(layers), page), strict=True):
            write_whole(folder / name, text)
    return record


def csv_text(layers: Sequence[Layer]) -> str:
    """Return one line a product and layer."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    writer.writerow(["layer", "rows", "cols", "sparsity", "dtype", "batch", *names])
    for layer in layers:
        head = [sheet_cell(layer.name), layer.rows, layer.cols, layer.sparsity, layer.dtype, layer.batch]
        for row in layer.table():
            writer.writerow([*head, *("" if value is None else value for value in asdict(row).values())])
    return text.getvalue()


def normalized_plots(points: Sequence[Point]) -> list[str]:
    """Draw the time of each product over the dense one, by sparsity, one panel a batch, as SVG text."""
    names = product_names(points)
    lowest, highest = min(p.normalized for p in points), max(p.normalized for p in points)
    panels = []
    for batch in sorted({point.batch for point in points}):
        alt = f"Time of each product over that of dense float32, by sparsity, batch {batch}."
        with panel(f"batch {batch}", alt, height=2.8) as drawn:
            for index, product in enumerate(names):
                at = [point for point in points if point.product == product and point.batch == batch]
                drawn.axes.plot(
                    [point.sparsity for point in at],
                    [point.normalized for point in at],
                    color=LINES[index % len(LINES)],
                    marker="o",
                    markersize=3,
                    linewidth=2.4 if index == 0 else 1.2,
                )
            drawn.axes.set_yscale("log")
            drawn.axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            drawn.axes.yaxis.set_major_formatter("{x:g}")  # powers would be smaller than the other text
            drawn.axes.yaxis.set_minor_locator(NullLocator())
            drawn.axes.set_ylim(lowest / 1.2, highest * 1.2)
            drawn.axes.set_title(f"batch {batch}")
            drawn.axes.set_xlabel("sparsity")
            drawn.axes.set_ylabel("time / dense float32")
            drawn.axes.grid()
        panels.append(drawn.svg)
    return panels


def product_names(points: Sequence[Point]) -> list[str]:
    """Return the products of points in the order of their first."""
    return list(dict.fromkeys(point.product for point in points))


def conclusion(layers: Sequence[Layer]) -> str:
    """Say in a sentence which product is fastest over all layers, and how the encoded ones compare."""
    where = "" if len(layers) == 1 else f"Over {len(layers)} layers together: "
    tables = [{row.product: row for row in layer.table()} for layer in layers]
    common = (
        [row for name, row in tables[0].items() if all(name in table for table in tables)] if tables else []
    )

    def total(row: Row, figure: str) -> float | None:
        found = [getattr(table[row.product], figure) for table in tables]
        return None if None in found else sum(found)

    said = [_fastest(common, total), _engines(common, total)]
    if differing := sorted({name for layer in layers for name in layer.differing}):
        said.append(f"products that DIFFER from the integer product: {', '.join(differing)}")
    else:
        said.append("all products agree bit for bit")
    return where + "; ".join(sentence for sentence in said if sentence) + "."


Total = Callable[[Row, str], float | None]


def _fastest(rows: Sequence[Row], total: Total) -> str:
    timed = {
        row.product: seconds for row in rows if (seconds := total(row, "seconds")) is not None and row.fastest
    }
    ours = {row.product: timed[row.product] for row in rows if row.ours and row.product in timed}
    if not timed:
        return "no product was timed"
    best = min(timed, key=lambda product: timed[product])
    said = f"{best} takes the least time of what was measured, {1e6 * timed[best]:.1f} µs"
    if best in ours or not ours:
        return said
    own = min(ours, key=lambda product: ours[product])
    return f"{said}, and {own} {1e6 * ours[own]:.1f} µs, {ours[own] / timed[best]:.2f} times as much"


def _engines(rows: Sequence[Row], total: Total) -> str:
    cycles = {row.product: total(row, "cycles") for row in rows if row.product.startswith("RTL")}
    return ", ".join(
        f"{product} takes {count(number)} cycles" for product, number in cycles.items() if number is not None
    )


def render_page(record: dict[str, Any], layers: Sequence[Layer], points: Sequence[Point]) -> str:
    """Return the page."""
    return render(
        "spmv.html.j2",
        conclusion=conclusion(layers),
        record=record,
        layers=layers,
        products=list(zip(product_names(points), itertools.cycle(LINES))),
        plots=[Markup(svg) for svg in normalized_plots(points)]
        if points
        else [],  # our own SVG, made a moment ago
    )
