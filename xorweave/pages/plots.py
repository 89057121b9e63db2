"""Pictures with axes, as SVG text to be put into HTML: panels narrow enough for a phone, laid side by side where there
is room. So their text has one size everywhere."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.sax.saxutils import quoteattr

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, GRID = "#222222", "#555555", "#dddddd"
BLUE, ORANGE = "#2b6cb0", "#c05621"
#: Colours of lines, each readable on white.
LINES = (BLUE, ORANGE, "#2f855a", "#805ad5", "#4a5568", "#b83280", "#0e7490", "#975a16")
_WIDTH = 3.6  # inches: 346 pixels
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "font.family": "sans-serif", "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 9.5, "axes.titlesize": 9.5, "axes.edgecolor": MUTED, "axes.labelcolor": INK, "xtick.color": MUTED,
    "ytick.color": MUTED, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": False, "text.color": INK,
    "axes.titlelocation": "left", "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.6,
}  # fmt: skip


class Panel:
    """One picture while it is drawn, and its SVG text afterwards."""

    def __init__(self, axes: Axes) -> None:
        self.axes, self.svg = axes, ""


@contextmanager
def panel(key: str, alt: str, *, height: float = 2.3) -> Iterator[Panel]:
    """Lend axes to draw on; afterwards the panel's `svg` is an SVG element with `alt` in its place.

    Parameters
    ----------
    key : str
        Unlike that of any other picture of the page: the same figure with the same key gives the same SVG.
    alt : str
    height : float
        In inches.
    """
    with mpl.rc_context({**STYLE, "svg.hashsalt": key}):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        drawn = Panel(figure.subplots())
        yield drawn
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    whole = text.getvalue()
    drawn.svg = f'<svg role="img" aria-label={quoteattr(alt)}' + whole[whole.index("<svg") + len("<svg") :]
