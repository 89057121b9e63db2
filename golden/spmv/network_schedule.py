"""In which order one engine takes the layers of several batches, how many cycles that is, and what lies outside."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout

# From the cycle in which a block is taken to the first beat of its group: product, sum, queue written, queue read, beat
# made; bias, product, rounding.
_PIPELINE = 8


@dataclass(frozen=True, kw_only=True)
class NetworkSchedule:
    """The layers of a network, for so many batches of vectors, one after the other through an engine with two rings.

    Batches that are in flight together take turns: layer 1 of each, then layer 2 of each. A layer's activations are the
    results of the layer before, so they may be sent only when the last of those has left; with two batches in flight
    that happens while the other's blocks are taken.

    Parameters
    ----------
    layouts : sequence of LaneLayout
        Of the layers, in their order.
    batches : int
    in_flight : int
        Batches that take turns.
    waits : bool
        A layer waits for the one before. If not, its activations are at hand, and come from somewhere else.

    Raises
    ------
    InputError
        A number is below 1.
    """

    layouts: Sequence[LaneLayout]
    batches: int
    in_flight: int = 2
    waits: bool = True

    def __post_init__(self) -> None:
        for name in ("batches", "in_flight"):
            if operator.index(getattr(self, name)) < 1:
                raise InputError(f"{name} of a schedule must be at least 1, not {getattr(self, name)}")

    @cached_property
    def order(self) -> list[tuple[int, int]]:
        """Batch and layer of each piece of work."""
        groups = range(0, self.batches, self.in_flight)
        return [
            (batch, layer)
            for first in groups
            for layer in range(len(self.layouts))
            for batch in range(first, min(first + self.in_flight, self.batches))
        ]

    @cached_property
    def needs(self) -> list[int | None]:
        """Of each piece of work, the place in `order` of the one whose results it takes."""
        at = {piece: place for place, piece in enumerate(self.order)}
        return [at[batch, layer - 1] if layer and self.waits else None for batch, layer in self.order]

    def cycles(self, *, load_words: int, result_words: int) -> int:
        """Return the cycles from the end of reset to the last result, where nothing outside stalls.

        Parameters
        ----------
        load_words, result_words : int
            Activations loaded, and results sent, in a cycle.
        """
        left: list[int] = []  # the cycle in which the last result of each piece leaves
        sent = swapped = (
            ends
        ) = -1  # when results last left, the rings last changed places, a block was last taken
        for (_, layer), need in zip(self.order, self.needs, strict=True):
            layout = self.layouts[layer]
            asked = swapped + 1
            first = max(asked, -1 if need is None else left[need]) + 1
            swapped = max(first + max(length for _, length in layout.load_chunks(load_words)) - 1, ends)
            ends = swapped + layout.blocks
            last_turns = ends - layout.interleave
            for lap in range(layout.passes):
                laps_after = (layout.passes - 1 - lap) * layout.cols * layout.interleave
                for turn in range(1, layout.interleave + 1):
                    ready = last_turns + turn - laps_after + _PIPELINE
                    sent = max(ready, sent + 1) + -(-layout.lanes // result_words) - 1
            left.append(sent)
        return sent + 1

    @property
    def words_outside(self) -> int:
        """Most activations of one vector of every batch that lie outside at once, made or given and not yet loaded.

        A layer's results lie there from its first block until the layer that takes them begins; what comes from
        somewhere else, while the piece of work before is taken. What the last layer gives is not counted.
        """
        held = [0] * len(self.order)
        for place, (_, layer) in enumerate(self.order):
            need = self.needs[place]
            for earlier in range(max(0, place - 1) if need is None else need, place):
                held[earlier] += self.layouts[layer].cols
        return max(self.layouts[0].cols, *held)
