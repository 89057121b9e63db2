"""The demo's page: one HTML file with its pictures inside, readable without a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from xorweave.golden.base.whole_file import write_whole
from xorweave.golden.code.limits import care_bits_deviation, mask_entropy
from xorweave.pages.codec_table import GateTable
from xorweave.pages.demo_plots import care_bits_plots, errors_plots, gates_bars, memory_bars
from xorweave.pages.page import render
from xorweave.studies.demo_flow import Outcome, Plain, advice


@dataclass(frozen=True, kw_only=True)
class DemoReport:
    """What the page is made of.

    Attributes
    ----------
    source : str
        The line that says what the input was.
    mask : ndarray of bool, shape (rows, cols)
    n_w : int
    outcomes : list of Outcome
    plain : Plain
    seed : int
    seconds : float
        The demo's run time.
    """

    source: str
    mask: NDArray[np.bool_]
    n_w: int
    outcomes: list[Outcome]
    plain: Plain
    seed: int
    seconds: float


def with_expander(plain: Plain) -> Plain:
    """Return the bitmap with the gates of its expander, as the table of decoders has them."""
    table = GateTable.stored()
    gates = table.of("bitmap")["decoder_ge_per_weight"]
    return replace(plain, gates_per_weight=gates, gates_from=f"{table.setting}; {table.command}")


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """Return the figures of one form as plain JSON values."""
    return {
        **outcome.record,
        "option": outcome.option,
        "decoded_equal": outcome.decoded_equal,
        "product_equal": outcome.product_equal,
        "blocks": outcome.blocks,
        "patches_per_block": outcome.patches_per_block,
        "gates_per_weight": outcome.gates_per_weight,
        "estimated_gates": sum(outcome.estimate.values()),
        "simulation": outcome.simulation.as_json(),
        "synthesis": outcome.synthesis.to_json() if outcome.synthesis is not None else None,
        "reason": outcome.reason,
    }


def _variation(counts: NDArray[np.int64]) -> float | None:
    """Return the coefficient of variation of whole blocks; None where there are too few."""
    counts = counts[:-1]
    return float(counts.std() / counts.mean()) if counts.size > 1 and counts.any() else None


def _spread(outcome: Outcome) -> dict[str, Any]:
    """Return how unevenly the weights under the mask fall on a form's blocks, beside a random mask's."""
    n_out = int(outcome.record["n_out"])
    density = float(outcome.kept_per_block.sum()) / (outcome.blocks * n_out)
    return {
        "label": outcome.label,
        "n_out": n_out,
        "variation": _variation(outcome.kept_per_block),
        "binomial": care_bits_deviation(1.0 - density, n_out),
    }


def compared_scans(outcomes: list[Outcome]) -> list[Outcome]:
    """Return a form in row-major order and one in another, under a bitmap if there is such a one."""
    fixed = [outcome for outcome in outcomes if outcome.row_major][-1:]
    moved = [outcome for outcome in outcomes if not outcome.row_major]
    return fixed + sorted(moved, key=lambda outcome: outcome.record["mask_code"] != "bitmap")[:1]


def render_report(report: DemoReport) -> str:
    """Return the page."""
    outcomes = report.outcomes
    sparsity = 1.0 - float(report.mask.mean())
    scans = compared_scans(outcomes)
    made = next((o.synthesis for o in outcomes if o.synthesis is not None), None)
    return render(
        "demo.html.j2",
        conclusion=advice(outcomes, report.plain),
        report=report,
        outcomes=outcomes,
        plain=report.plain,
        weights=report.mask.size,
        spreads=[_spread(outcome) for outcome in scans],
        mask_entropy=mask_entropy(sparsity),
        tools=made.tool_versions if made is not None else {},
        library=made.library if made is not None else "none",
        simulator=outcomes[-1].simulation.simulator,
        errors=[Markup(picture) for picture in errors_plots(outcomes)],  # our own SVG, made a moment ago
        care_bits=[Markup(picture) for picture in care_bits_plots(scans)],
        memory=memory_bars(outcomes, report.plain, report.n_w, sparsity, report.mask.size),
        gates=gates_bars(outcomes),
    )


def write_report(path: Path, report: DemoReport) -> None:
    """Write the page; it appears whole or not at all."""
    write_whole(path, render_report(report))
