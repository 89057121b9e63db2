"""The paper's figure of sparse products, for this machine, measured once and kept beside the cells."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xorweave import __version__
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.whole_file import write_whole
from xorweave.studies.paper_tables import Table
from xorweave.studies.spmv_figure import BATCHES, Point, normalized_times

WHOLE: dict[str, Any] = {
    "size": 2048,
    "sparsities": [0.6, 0.7, 0.8, 0.9],
    "batches": [*BATCHES],
    "repeats": 7,
}
QUICK: dict[str, Any] = {"size": 1024, "sparsities": [0.7, 0.9], "batches": [1, 16], "repeats": 5}


def measured_products(
    path: Path, setting: dict[str, Any], progress: Callable[[float], None] = lambda _: None
) -> list[Point]:
    """Return the times of products of a setting: those in the file, or measured now and written there.

    Raises
    ------
    InputError
        The file is no such record.
    """
    key = {"xorweave": __version__, **setting}
    if path.exists():
        try:
            kept = json.loads(path.read_text("utf-8"))
            if kept["setting"] == key:
                return [Point(**point) for point in kept["points"]]
        except (ValueError, KeyError, TypeError):
            raise InputError(
                f"{path} must be a record of measured products; remove it to measure anew"
            ) from None
    points = normalized_times(**setting, progress=progress)
    write_whole(path, json.dumps({"setting": key, "points": [asdict(point) for point in points]}, indent=1))
    return points


def product_table(points: list[Point], setting: dict[str, Any]) -> Table:
    """Return the times over the dense product, a row for each product and sparsity."""
    batches = sorted({point.batch for point in points})
    found = {(point.product, point.sparsity, point.batch): point for point in points}
    rows = []
    for product, sparsity in dict.fromkeys((point.product, point.sparsity) for point in points):
        cells = [found[product, sparsity, batch] for batch in batches]
        rows.append(
            [
                product,
                f"{sparsity:.1f}",
                *(f"{c.normalized:.2f} ({c.lowest:.2f} .. {c.highest:.2f})" for c in cells),
            ]
        )
    size = setting["size"]
    return Table(
        "Time of products, over the dense one",
        f"Random masks and INT8 values of {size} x {size} on this machine, one thread: time over that of the dense "
        f"float32 product of the same batch in the same round; median of {setting['repeats']} (lowest .. highest). "
        "`encoded` multiplies what is stored, CSR is the paper's Algorithm 1. On a busy machine the spread is wide.",
        ("product", "S", *(f"batch {batch}" for batch in batches)),
        rows,
    )
