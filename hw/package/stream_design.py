"""A component with its streams, their golden words and what a bench does with them: what a package is written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amaranth.lib import wiring


@dataclass(frozen=True)
class StreamWords:
    """A stream and its golden words.

    Attributes
    ----------
    prefix : str
        Of the pins: ``s_axis``, ``s_axis_mask`` ...; pins ``{prefix}_tvalid`` and ``{prefix}_tready`` go with it.
    what : str
        What it carries, in words.
    pins : tuple of (str, int)
        The pins that make a word, lowest first, and their widths.
    words : sequence of int
    file : str
        Name of its files in ``vectors/`` and ``image/``, without ending; the prefix by default.
    """

    prefix: str
    what: str
    pins: tuple[tuple[str, int], ...]
    words: Sequence[int]
    file: str = ""

    @property
    def bits(self) -> int:
        """Width of a word."""
        return sum(width for _, width in self.pins)

    @property
    def placed(self) -> list[tuple[str, int, int]]:
        """Pin, lowest bit and width of each field."""
        return placed(self.pins)


def placed(pins: Sequence[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """Return pin, lowest bit and width of each field of a word made of pins."""
    found, low = [], 0
    for pin, width in pins:
        found.append((pin, low, width))
        low += width
    return found


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a bench plays after the golden tensor: a restart, an error, a change of pins.

    Attributes
    ----------
    name : str
        In a few words, for messages.
    words : mapping of str to sequence of int
        Words of every stream by its prefix, the output's too.
    reset : bool
        Reset before the scene begins.
    cut : bool
        The scene ends when its last output word has come, whatever is still on its way, with a sink that waits for
        some cycles: for a reset in mid-stream, when every buffer is full. Otherwise every input word must have been
        taken, and whatever still comes out is too much.
    compared : bool
        False: the output words are counted, not compared (after an error that makes them meaningless).
    full_rate : bool
        Whether a cycle without a word is held against the design, if it promises the full rate.
    static : mapping of str to int
        Input pins that differ from the design's values in this scene.
    pulses : tuple of str
        Input pins that are 1 for one cycle before the scene begins.
    flags : mapping of str to int
        Output pins that must not be 0 when the scene has ended.
    """

    name: str
    words: Mapping[str, Sequence[int]]
    reset: bool = True
    cut: bool = False
    compared: bool = True
    full_rate: bool = True
    static: Mapping[str, int] = field(default_factory=dict)
    pulses: tuple[str, ...] = ()
    flags: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StreamDesign:
    """A component with its streams, ready to be written.

    Attributes
    ----------
    kind : str
        Which decoder it is (``--decoder``).
    component : wiring.Component
        Its ports are named as they shall be in Verilog.
    header : tuple of str
        Comment at the top of the Verilog.
    inputs : tuple of StreamWords
    output : StreamWords
    latency : int
        Cycles from an input to its output when nothing is in the way.
    outputs_per_cycle : int
        Plane bits given out in a cycle at full rate.
    full_rate : bool
        A word leaves in every cycle in which all inputs are valid and the output ready: a bench that sees less fails.
    endless : bool
        After a tensor's end words of zeros follow until a restart: what comes then is not watched.
    static : mapping of str to (int, int)
        Width and value of further input pins.
    flags : mapping of str to int
        Output pins beside the streams and their widths; 0 unless a scene says otherwise.
    scenes : tuple of Scene
        Played after the golden words.
    images : mapping of str to sequence of int
        By prefix, the words of the whole tensor, where the golden words are only its beginning.
    about : mapping
        Further entries of the manifest.
    """

    kind: str
    component: wiring.Component
    header: tuple[str, ...]
    inputs: tuple[StreamWords, ...]
    output: StreamWords
    latency: int
    outputs_per_cycle: int
    full_rate: bool = True
    endless: bool = False
    static: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    flags: Mapping[str, int] = field(default_factory=dict)
    scenes: tuple[Scene, ...] = ()
    images: Mapping[str, Sequence[int]] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
