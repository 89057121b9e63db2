"""The results of ``xorweave spmv`` as JSON, CSV and one page that needs no network."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from xorweave.golden.base.whole_file import write_whole
from xorweave.pages.provenance import machine
from xorweave.pages.report_plots import GRID, STYLE, svg_text
from xorweave.studies.spmv_figure import Point
from xorweave.studies.spmv_flow import Layer, Row


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
        for name, text in (
            ("spmv.json", json.dumps(record, allow_nan=False, indent=1) + "\n"),
            ("spmv.csv", csv_text(layers)),
            ("spmv.html", page),
        ):
            write_whole(folder / name, text)
    return record


def csv_text(layers: Sequence[Layer]) -> str:
    """Return one line a product and layer."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Row)]
    writer.writerow(["layer", "rows", "cols", "sparsity", "dtype", "batch", *names])
    for layer in layers:
        head = [layer.name, layer.rows, layer.cols, layer.sparsity, layer.dtype, layer.batch]
        for row in layer.table():
            writer.writerow([*head, *("" if value is None else value for value in asdict(row).values())])
    return text.getvalue()


def normalized_plot(points: Sequence[Point]) -> str:
    """Draw the time of each product over the dense one, by sparsity, one panel a batch, as SVG text."""
    batches = sorted({point.batch for point in points})
    names = list(dict.fromkeys(point.product for point in points))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(batches) + 1.5, 3.6), layout="constrained")
        panels = figure.subplots(1, len(batches), sharey=True, squeeze=False)[0]
        for panel, batch in zip(panels, batches, strict=True):
            for index, name in enumerate(names):
                at = [point for point in points if point.product == name and point.batch == batch]
                strong = index == 0
                panel.plot(
                    [point.sparsity for point in at],
                    [point.normalized for point in at],
                    color=f"C{index}",
                    marker="o",
                    markersize=3,
                    linewidth=2.4 if strong else 1.2,
                    label=name,
                )
            panel.set_yscale("log")
            panel.set_title(f"batch {batch}", fontsize=10, loc="left")
            panel.set_xlabel("sparsity")
            panel.grid(color=GRID, linewidth=0.6)
        panels[0].set_ylabel("time / dense float32")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=9)
        return svg_text(
            figure, "normalized", "Time of each product over that of dense float32, by sparsity and batch"
        )


def render_page(record: dict[str, Any], layers: Sequence[Layer], points: Sequence[Point]) -> str:
    """Return the page."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    environment.filters["count"] = lambda value: f"{value:,.0f}".replace(",", "\u2009")
    environment.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    environment.filters["micro"] = lambda value: "–" if value is None else f"{1e6 * value:.1f}"
    template = environment.from_string(
        resources.files("xorweave.pages").joinpath("spmv.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        record=record,
        layers=layers,
        # our own SVG, made a moment ago
        plot=Markup(normalized_plot(points)) if points else None,
    )
