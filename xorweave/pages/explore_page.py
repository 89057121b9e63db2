"""The page of a sweep: every decoder as a point, and those that no other beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xorweave.pages.page import percent, render

Point = Mapping[str, Any]


def conclusion(points: Sequence[Point], front: Sequence[Point]) -> str:
    """Say in a sentence which decoders no other beats, and where the paper's stand."""
    if not front:
        return "No decoder was measured."

    def told(point: Point) -> str:
        return f"{percent(point['overhead'])}, {point['gate_equivalents_per_output']:.2f} GE an output"

    least, leanest = front[0], front[-1]
    are = "is" if len(front) == 1 else "are"
    said = [f"{len(front)} of {len(points)} decoders {are} beaten by none in both figures"]
    if least is leanest:
        said.append(f"{least['code']} is best in both ({told(least)})")
    else:
        said.append(f"{least['code']} has the least overhead ({told(least)})")
        said.append(f"{leanest['code']} has the fewest gates ({told(leanest)})")
    paper = sum(bool(point["paper"]) for point in front)
    if of := sum(bool(point["paper"]) for point in points):
        said.append(f"of the paper's {of} codes {paper or 'none'} {'are' if paper > 1 else 'is'} among them")
    return "; ".join(said) + "."


def explore_page(points: Sequence[Point], front: Sequence[Point]) -> str:
    """Return the page.

    Parameters
    ----------
    points : sequence of dict
        What `xorweave.studies.explore.explore` measured, without errors.
    front : sequence of dict
        Those that no other beats in overhead and gates, by rising overhead.
    """
    return render("explore.html.j2", conclusion=conclusion(points, front), points=list(points), front=front)
