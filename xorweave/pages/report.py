"""The demo's page: one HTML file with its pictures inside, readable without a network."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from xorweave import __version__
from xorweave.golden.base.whole_file import write_whole
from xorweave.golden.code.limits import care_bits_deviation, mask_entropy
from xorweave.pages.report_plots import care_bits_plot, errors_plot, gates_plot, memory_plot
from xorweave.studies.demo_flow import Outcome


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
    tried : int
        Encodings it took to choose the elimination code.
    seed : int
    seconds : float
        The demo's run time.
    """

    source: str
    mask: NDArray[np.bool_]
    n_w: int
    outcomes: list[Outcome]
    tried: int
    seed: int
    seconds: float


def outcome_record(outcome: Outcome) -> dict[str, Any]:
    """Return the figures of one code as plain JSON values."""
    return {
        **outcome.record,
        "decoded_equal": outcome.decoded_equal,
        "product_equal": outcome.product_equal,
        "patches_per_block": outcome.patches_per_block,
        "network_xor2": outcome.network_xor2,
        "simulation": outcome.simulation.as_json(),
        "core": outcome.core.to_json(),
        "whole": outcome.whole.to_json(),
    }


def _variation(counts: NDArray[np.int64]) -> float:
    return float(counts.std() / counts.mean())


def render_report(report: DemoReport) -> str:
    """Return the page."""
    outcomes = report.outcomes
    ours = outcomes[-1]
    row_major = next((o for o in outcomes if not o.interleaved), ours)
    n_out = int(row_major.record["n_out"])
    interleaved = next((o for o in outcomes if o.interleaved and o.record["n_out"] == n_out), ours)
    sparsity = 1.0 - float(report.mask.mean())
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    environment.filters["percent"] = lambda value, digits=2: f"{100 * value:.{digits}f} %"
    environment.filters["count"] = lambda value: f"{value:,.0f}".replace(",", "\u2009")
    template = environment.from_string(
        resources.files("xorweave.pages").joinpath("report.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        version=__version__,
        report=report,
        outcomes=outcomes,
        sparsity=sparsity,
        ours=ours,
        before=_variation(row_major.kept_per_block[:-1]),
        after=_variation(interleaved.kept_per_block[:-1]),
        binomial=care_bits_deviation(sparsity, n_out),
        n_out=n_out,
        mask_entropy=mask_entropy(sparsity),
        tools=ours.whole.tool_versions,
        simulator=ours.simulation.simulator,
        library=ours.whole.library,
        errors=Markup(errors_plot(outcomes)),  # our own SVG, made a moment ago
        care_bits=Markup(care_bits_plot(row_major, interleaved, sparsity)),
        memory=Markup(memory_plot(outcomes, report.n_w, sparsity)),
        gates=Markup(gates_plot(outcomes)),
    )


def write_report(path: Path, report: DemoReport) -> None:
    """Write the page; it appears whole or not at all."""
    write_whole(path, render_report(report))
