"""The pictures of the demo's page, as SVG text to be put into HTML."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xorweave.golden.code.limits import care_bits_distribution, mask_entropy
from xorweave.studies.demo_flow import Outcome

INK, MUTED, GRID = "#222222", "#666666", "#dddddd"
BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#c05621", "#2f855a", "#a0aec0"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "xtick.color": MUTED, "ytick.color": MUTED,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "text.color": INK,
}  # fmt: skip


def svg_text(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element: the same figure gives the same text."""
    text = io.StringIO()
    # ids inside one page must differ from picture to picture
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def _colours(count: int) -> list[str]:
    """Blue for the paper's codes, orange for the last one."""
    return [BLUE] * (count - 1) + [ORANGE]


def errors_plot(outcomes: Sequence[Outcome]) -> str:
    """Draw the unmatched bits of every block along the stream, one strip a code, all on one scale."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.05 * len(outcomes) + 0.7), layout="constrained")
        axes = figure.subplots(len(outcomes), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        highest = max(1, *(int(outcome.unmatched_per_block.max(initial=0)) for outcome in outcomes))
        for axis, outcome, colour in zip(axes, outcomes, _colours(len(outcomes)), strict=True):
            wrong = outcome.unmatched_per_block
            place = (np.arange(wrong.size) + 0.5) / wrong.size * 100
            axis.fill_between(place, wrong, step="mid", color=colour, linewidth=0)
            axis.grid(axis="y", color=GRID, linewidth=0.6)
            axis.set_axisbelow(True)
            axis.set_title(
                f"{outcome.label}: {int(wrong.sum())} unmatched of {outcome.record['care_bits']} care bits, "
                f"at most {int(wrong.max(initial=0))} in a block",
                loc="left", fontsize=9.5,
            )  # fmt: skip
            axis.set_xlim(0, 100)
            axis.set_ylim(0, 1.05 * highest)
        axes[-1].set_xlabel("position in the stream, % of its blocks")
        figure.supylabel("unmatched bits in a block, all planes", fontsize=10)
        return svg_text(figure, "errors")


def care_bits_plot(before: Outcome, after: Outcome, sparsity: float) -> str:
    """Draw how many care bits the blocks hold, in row-major order and interleaved, against the binomial."""
    n_out = int(before.record["n_out"])
    expected = care_bits_distribution(sparsity, n_out)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        pair = figure.subplots(1, 2, sharex=True, sharey=True)
        top = 0
        for axis, outcome, title, colour in (
            (pair[0], before, "row-major order", BLUE),
            (pair[1], after, "interleaved", ORANGE),
        ):
            counts = np.bincount(outcome.kept_per_block[:-1], minlength=n_out + 1)
            top = max(top, int(np.flatnonzero(counts).max()))
            axis.bar(np.arange(n_out + 1), counts / counts.sum(), width=0.9, color=colour, alpha=0.75,
                     label="this layer")  # fmt: skip
            axis.plot(np.arange(n_out + 1), expected, "o-", color=INK, markersize=2.5, linewidth=0.8,
                      label="binomial")  # fmt: skip
            axis.set_title(title, loc="left", fontsize=10)
            axis.set_xlabel(f"care bits in a block of N_out = {n_out} (one plane)")
            axis.legend(frameon=False)
        pair[0].set_ylabel("share of blocks")
        pair[0].set_xlim(-0.6, top + 1)
        return svg_text(figure, "care")


def _bars(axis: Axes, labels: Sequence[str]) -> None:
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0, labelcolor=INK)
    axis.grid(axis="x", color=GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines["left"].set_visible(False)


def _beside(axis: Axes, end: float, row: int, note: str) -> None:
    axis.annotate(note, (end, row), (5, 0), textcoords="offset points", va="center", fontsize=9)


def memory_plot(outcomes: Sequence[Outcome], n_w: int, sparsity: float) -> str:
    """Draw what is stored for a weight: payload, corrections, mask."""
    kinds = (
        ("payload", "payload_bits", BLUE),
        ("corrections", "correction_bits", ORANGE),
        ("mask", "mask_bits", GREY),
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.42 * len(outcomes) + 1.5), layout="constrained")
        axis = figure.subplots()
        for row, outcome in enumerate(outcomes):
            left = 0.0
            weights = outcome.record["mask_bits"]
            for name, key, colour in kinds:
                width = outcome.record[key] / weights
                axis.barh(row, width, left=left, color=colour, height=0.62, label=name if row == 0 else None)
                left += width
            _beside(axis, left, row, f"{left:.3f} ({n_w / left:.2f}x)")
        limit = n_w * (1.0 - sparsity)
        axis.axvline(limit, color=INK, linewidth=1, linestyle="--")
        axis.axvline(limit + mask_entropy(sparsity), color=MUTED, linewidth=1, linestyle=":")
        axis.text(limit, -0.55, f"care bits {limit:.2f} ", ha="right", va="bottom", fontsize=8.5)
        axis.text(limit + mask_entropy(sparsity), -0.55, f" + mask entropy {limit + mask_entropy(sparsity):.2f}",
                  ha="left", va="bottom", fontsize=8.5, color=MUTED)  # fmt: skip
        _bars(axis, [outcome.label for outcome in outcomes])
        axis.set_xlim(0, axis.get_xlim()[1] * 1.1)
        axis.set_xlabel(f"stored bits a weight (dense: {n_w})")
        figure.legend(frameon=False, ncols=3, loc="outside lower right", fontsize=9)
        return svg_text(figure, "memory")


def gates_plot(outcomes: Sequence[Outcome]) -> str:
    """Draw gate equivalents: the XOR decoder, and what corrections, inversion and mask add."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.42 * len(outcomes) + 1.3), layout="constrained")
        axis = figure.subplots()
        for row, outcome in enumerate(outcomes):
            core, whole = outcome.core.gate_equivalents, outcome.whole.gate_equivalents
            if core is None or whole is None:
                axis.text(0, row, " not measured", va="center", fontsize=9)
                continue
            bits = outcome.whole.outputs_per_cycle or 0
            axis.barh(row, core / 1000, color=BLUE, height=0.62,
                      label="XOR network, shift registers, handshake" if row == 0 else None)  # fmt: skip
            axis.barh(row, (whole - core) / 1000, left=core / 1000, color=ORANGE, height=0.62,
                      label="corrections, inversion, mask" if row == 0 else None)  # fmt: skip
            note = f"{whole / bits:.1f} GE for a bit a cycle, {outcome.patches_per_block} patches a block"
            _beside(axis, whole / 1000, row, note)
        _bars(axis, [outcome.label for outcome in outcomes])
        axis.set_xlim(0, axis.get_xlim()[1] * 1.45)
        axis.set_xlabel("thousand gate equivalents (NAND2 = 1)")
        figure.legend(frameon=False, ncols=2, loc="outside lower right", fontsize=9)
        return svg_text(figure, "gates")
