"""The pictures of the demo's page, as SVG text to be put into HTML."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xorweave.golden.code.limits import care_bits_distribution, mask_entropy
from xorweave.studies.demo_flow import Outcome, Plain

INK, MUTED, GRID = "#222222", "#666666", "#dddddd"
BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#c05621", "#2f855a", "#a0aec0"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 10, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "xtick.color": MUTED, "ytick.color": MUTED,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "text.color": INK,
}  # fmt: skip


def svg_text(figure: Figure, name: str, alt: str) -> str:
    """Return a figure as an SVG element with a text in its place: the same figure gives the same SVG."""
    text = io.StringIO()
    # ids inside one page must differ from picture to picture
    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    whole = text.getvalue()
    told = f'<svg role="img" aria-label={quoteattr(alt)}'
    return told + whole[whole.index("<svg") + len("<svg") :]


def _colour(outcome: Outcome) -> str:
    """Blue for the paper's codes, orange for the others."""
    return BLUE if outcome.record["corrections"].startswith("paper") else ORANGE


def errors_plot(outcomes: Sequence[Outcome]) -> str:
    """Draw the unmatched bits of every block along the stream, one strip a code, all on one scale."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.05 * len(outcomes) + 0.7), layout="constrained")
        axes = figure.subplots(len(outcomes), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        highest = max(1, *(int(outcome.unmatched_per_block.max(initial=0)) for outcome in outcomes))
        for axis, outcome in zip(axes, outcomes, strict=True):
            wrong = outcome.unmatched_per_block
            place = (np.arange(wrong.size) + 0.5) / wrong.size * 100
            axis.fill_between(place, wrong, step="mid", color=_colour(outcome), linewidth=0)
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
        told = "; ".join(f"{o.label}: {int(o.unmatched_per_block.sum())}" for o in outcomes)
        return svg_text(figure, "errors", f"Unmatched bits along the stream. In all, {told}.")


def care_bits_plot(outcomes: Sequence[Outcome]) -> str:
    """Draw how many weights under the mask the blocks of each form hold, against the binomial."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.2), layout="constrained")
        axes = figure.subplots(1, len(outcomes), squeeze=False)[0]
        for axis, outcome in zip(axes, outcomes, strict=True):
            n_out = int(outcome.record["n_out"])
            counts = np.bincount(outcome.kept_per_block, minlength=n_out + 1)
            density = float(outcome.kept_per_block.sum()) / (outcome.blocks * n_out)
            expected = care_bits_distribution(1.0 - density, n_out)
            axis.bar(np.arange(n_out + 1), counts / counts.sum(), width=0.9, color=_colour(outcome), alpha=0.75,
                     label="this layer")  # fmt: skip
            axis.plot(np.arange(n_out + 1), expected, "o-", color=INK, markersize=2.5, linewidth=0.8,
                      label="binomial")  # fmt: skip
            order = "row-major order" if outcome.row_major else "its own scan order"
            axis.set_title(f"{outcome.label}: {order}", loc="left", fontsize=10)
            axis.set_xlabel(f"kept weights in a block of {n_out}")
            axis.set_xlim(-0.6, int(np.flatnonzero(counts).max()) + 1)
            axis.legend(frameon=False)
        axes[0].set_ylabel("share of blocks")
        told = ", ".join(outcome.label for outcome in outcomes)
        return svg_text(figure, "care", f"Kept weights a block beside a random mask's: {told}.")


def _bars(axis: Axes, labels: Sequence[str]) -> None:
    axis.set_yticks(range(len(labels)), labels)
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0, labelcolor=INK)
    axis.grid(axis="x", color=GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.spines["left"].set_visible(False)


def _beside(axis: Axes, end: float, row: int, note: str) -> None:
    axis.annotate(note, (end, row), (5, 0), textcoords="offset points", va="center", fontsize=9)


def memory_plot(outcomes: Sequence[Outcome], plain: Plain, n_w: int, sparsity: float, weights: int) -> str:
    """Draw what is stored for a weight: payload, corrections, mask, side information; the bitmap last."""
    kinds = (
        ("values", "payload_bits", BLUE),
        ("corrections", "correction_bits", ORANGE),
        ("mask", "mask_bits", GREY),
        ("header, book, checksums", "side_bits", GREEN),
    )
    stored = [(o.label, [o.record[key] / weights for _, key, _ in kinds]) for o in outcomes]
    stored.append(
        ("bitmap, packed values", [plain.value_bits / weights, 0.0, plain.mask_bits / weights, 0.0])
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.42 * len(stored) + 1.5), layout="constrained")
        axis = figure.subplots()
        for row, (_, widths) in enumerate(stored):
            left = 0.0
            for (name, _, colour), width in zip(kinds, widths, strict=True):
                axis.barh(row, width, left=left, color=colour, height=0.62, label=name if row == 0 else None)
                left += width
            _beside(axis, left, row, f"{left:.3f} ({n_w / left:.2f}x)")
        limit = n_w * (1.0 - sparsity)
        axis.axvline(limit, color=INK, linewidth=1, linestyle="--")
        axis.axvline(limit + mask_entropy(sparsity), color=MUTED, linewidth=1, linestyle=":")
        axis.text(limit, -0.55, f"care bits {limit:.2f} ", ha="right", va="bottom", fontsize=8.5)
        axis.text(limit + mask_entropy(sparsity), -0.55, f" + mask entropy {limit + mask_entropy(sparsity):.2f}",
                  ha="left", va="bottom", fontsize=8.5, color=MUTED)  # fmt: skip
        _bars(axis, [label for label, _ in stored])
        axis.set_xlim(0, axis.get_xlim()[1] * 1.1)
        axis.set_xlabel(f"stored bits a weight (dense: {n_w})")
        figure.legend(frameon=False, ncols=4, loc="outside lower right", fontsize=9)
        told = "; ".join(f"{label}: {sum(widths):.3f}" for label, widths in stored)
        return svg_text(figure, "memory", f"Stored bits a weight. {told}.")


_PARTS = (
    ("XOR networks", "networks", BLUE), ("shift registers", "registers", "#90cdf4"), ("words", "words", GREEN),
    ("mask", "mask", GREY), ("patches", "patches", ORANGE), ("buffers, control", "buffers", "#e2e8f0"),
)  # fmt: skip


def gates_plot(outcomes: Sequence[Outcome]) -> str:
    """Draw gate equivalents for one weight a cycle: estimated part by part, and the synthesised total as a mark."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.42 * len(outcomes) + 1.5), layout="constrained")
        axis = figure.subplots()
        for row, outcome in enumerate(outcomes):
            left, n_out = 0.0, int(outcome.record["n_out"])
            for name, key, colour in _PARTS:
                width = outcome.estimate.get(key, 0.0) / n_out
                axis.barh(row, width, left=left, color=colour, height=0.62, label=name if row == 0 else None)
                left += width
            made = outcome.gates_per_weight
            if made is not None:
                axis.plot(
                    [made], [row], "D", color=INK, markersize=5, label="synthesised" if row == 0 else None
                )
            note = "synthesis not measured" if made is None else f"{made:.1f} synthesised"
            _beside(axis, max(left, made or 0.0), row, f"{note}, {outcome.patches_per_block} patches a block")
        _bars(axis, [outcome.label for outcome in outcomes])
        axis.set_xlim(0, axis.get_xlim()[1] * 1.45)
        axis.set_xlabel("gate equivalents for one weight a cycle (NAND2 = 1)")
        figure.legend(frameon=False, ncols=4, loc="outside lower right", fontsize=9)
        told = "; ".join(
            f"{o.label}: {'not measured' if o.gates_per_weight is None else f'{o.gates_per_weight:.1f}'}"
            for o in outcomes
        )
        return svg_text(figure, "gates", f"Gate equivalents for one weight a cycle, synthesised. {told}.")
