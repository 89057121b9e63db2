"""Bars that are made of parts: what each stands for, how long it is, and what is said beside it.

They are drawn in HTML, so that their text has the size of the page's text on every screen. No bar is cut off: the
longest fills the picture, and what would make all others short has no bar but its figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One line of the picture.

    Attributes
    ----------
    label : str
    parts : sequence of float
        Lengths, one for each kind; none for a line without a bar.
    note : str
        Said beside it.
    marks : sequence of (float or None)
        Where its marks stand.
    """

    label: str
    parts: Sequence[float]
    note: str
    marks: Sequence[float | None] = ()

    @property
    def end(self) -> float:
        """The length of the bar, marks included."""
        return max([sum(self.parts), *(mark for mark in self.marks if mark is not None)])


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A picture.

    Attributes
    ----------
    about : str
        What the bars show, for those who do not see them; the figures are appended.
    kinds : sequence of (str, str)
        Name and colour of each part: a class of the stylesheet, ``c1`` to ``c6``.
    marks : sequence of str
        Name of each mark.
    bars : sequence of Bar
    """

    about: str
    kinds: Sequence[tuple[str, str]]
    bars: Sequence[Bar]
    marks: Sequence[str] = ()

    @property
    def told(self) -> str:
        """The picture in words."""
        return f"{self.about}: {'; '.join(f'{bar.label}: {bar.note}' for bar in self.bars)}."

    def share(self, length: float) -> str:
        """Return a length as percent of the picture's width."""
        widest = max([bar.end for bar in self.bars], default=0.0)
        return f"{100 * length / widest if widest else 0:.3f}%"
