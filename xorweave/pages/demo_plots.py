"""The pictures of the demo's page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xorweave.golden.code.limits import care_bits_distribution, mask_entropy
from xorweave.pages.bars import Bar, Bars
from xorweave.pages.decoder_parts import PARTS, STORED
from xorweave.pages.plots import BLUE, INK, ORANGE, panel
from xorweave.studies.demo_flow import Outcome, Plain

_MOST_STEPS = 160  # of a strip: a phone has no more to show


def _colour(outcome: Outcome) -> str:
    """Blue for the paper's codes, orange for the others."""
    return BLUE if outcome.record["corrections"].startswith("paper") else ORANGE


def errors_plots(outcomes: Sequence[Outcome]) -> list[str]:
    """Draw the unmatched bits of every block along the stream, one strip a code, all on one scale.

    Of blocks that lie closer together than a picture can show, the worst is drawn.
    """
    highest = max(1, *(int(outcome.unmatched_per_block.max(initial=0)) for outcome in outcomes))
    strips = []
    for number, outcome in enumerate(outcomes):
        wrong = outcome.unmatched_per_block
        total, worst = int(wrong.sum()), int(wrong.max(initial=0))
        steps = min(_MOST_STEPS, wrong.size)
        starts = np.arange(steps) * wrong.size // max(steps, 1)
        shown = np.maximum.reduceat(wrong, starts) if steps else wrong
        alt = f"Unmatched bits along the stream, {outcome.label}: {total} in all, at most {worst} in a block."
        with panel(f"errors {number}", alt, height=1.75) as drawn:
            axes = drawn.axes
            axes.fill_between(
                (np.arange(steps) + 0.5) / max(steps, 1) * 100,
                shown,
                step="mid",
                color=_colour(outcome),
                linewidth=0,
            )
            axes.grid(axis="y")
            axes.set_title(f"{outcome.label}\n{total} in all, at most {worst} in a block")
            axes.set_xlim(0, 100)
            axes.set_ylim(0, 1.05 * highest)
            axes.set_xlabel("position in the stream, % of its blocks")
        strips.append(drawn.svg)
    return strips


def care_bits_plots(outcomes: Sequence[Outcome]) -> list[str]:
    """Draw how many weights under the mask the blocks of each form hold, against the binomial."""
    pictures = []
    for number, outcome in enumerate(outcomes):
        n_out = int(outcome.record["n_out"])
        counts = np.bincount(outcome.kept_per_block, minlength=n_out + 1)
        density = float(outcome.kept_per_block.sum()) / (outcome.blocks * n_out)
        expected = care_bits_distribution(1.0 - density, n_out)
        alt = f"Share of blocks by their kept weights beside a random mask's, {outcome.label}."
        with panel(f"care {number}", alt, height=2.6) as drawn:
            axes = drawn.axes
            axes.bar(np.arange(n_out + 1), counts / counts.sum(), width=0.9, color=_colour(outcome),
                     label="this layer")  # fmt: skip
            axes.plot(np.arange(n_out + 1), expected, "o-", color=INK, markersize=2.5, linewidth=0.8,
                      label="random mask")  # fmt: skip
            order = "row-major order" if outcome.row_major else "its own scan order"
            axes.set_title(f"{outcome.label}: {order}")
            axes.set_xlabel(f"kept weights in a block of {n_out}")
            axes.set_ylabel("share of blocks")
            axes.set_xlim(-0.6, int(np.flatnonzero(counts).max()) + 1)
            axes.legend(frameon=False)
        pictures.append(drawn.svg)
    return pictures


def memory_bars(outcomes: Sequence[Outcome], plain: Plain, n_w: int, sparsity: float, weights: int) -> Bars:
    """What is stored for a weight: payload, corrections, mask, side information; the bitmap last."""
    stored = [(o.label, [o.record[key] / weights for _, key, _ in STORED]) for o in outcomes]
    stored.append(
        ("bitmap, packed values", [plain.value_bits / weights, 0.0, plain.mask_bits / weights, 0.0])
    )
    limit = n_w * (1.0 - sparsity)
    return Bars(
        about="Stored bits a weight, and how many times smaller that is than dense",
        kinds=[(name, colour) for name, _, colour in STORED],
        marks=[f"care bits alone, {limit:.2f}", f"and mask entropy, {limit + mask_entropy(sparsity):.2f}"],
        bars=[
            Bar(label=label, parts=parts, note=f"{sum(parts):.3f} ({n_w / sum(parts):.2f}x)",
                marks=[limit, limit + mask_entropy(sparsity)])
            for label, parts in stored
        ],
    )  # fmt: skip


def gates_bars(outcomes: Sequence[Outcome]) -> Bars:
    """Gate equivalents for one weight a cycle: estimated part by part, and the synthesised total as a mark."""
    bars = []
    for outcome in outcomes:
        n_out = int(outcome.record["n_out"])
        made = outcome.gates_per_weight
        said = "synthesis not measured" if made is None else f"{made:.1f} synthesised"
        bars.append(
            Bar(
                label=outcome.label,
                parts=[outcome.estimate.get(key, 0.0) / n_out for _, key, _ in PARTS],
                note=f"{said}, {outcome.patches_per_block} patches a block",
                marks=[made],
            )
        )
    return Bars(
        about="Gate equivalents for one weight a cycle",
        kinds=[(name, colour) for name, _, colour in PARTS],
        marks=["what synthesis counted"],
        bars=bars,
    )
