"""What an engine's netlist claims to be, in terms of sizes: what its reference is written from."""

from __future__ import annotations

from dataclasses import dataclass

from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.synth.proof.shape import DecoderShape

SUM, ACTIVATION, RECORD = (
    32,
    8,
    54,
)  # bits of a sum, an activation, and of bias, multiplier and shift together


@dataclass(frozen=True, kw_only=True)
class EngineShape:
    """A decoder, lanes that multiply and accumulate behind it, and what feeds and empties them.

    Attributes
    ----------
    decoder : DecoderShape
        Without a mask stage: the engine has one of its own.
    layout : LaneLayout
        Of the one matrix, or the largest of all layers.
    batch, load_words, result_words : int
    described : bool
        The shape comes with a descriptor for every layer; there are two rings of activations, one of which is loaded
        while the other is used, and a requantiser stands behind the sums.
    """

    decoder: DecoderShape
    layout: LaneLayout
    batch: int
    load_words: int
    result_words: int
    described: bool

    @property
    def sums(self) -> int:
        """Bits of a lane's sums."""
        return self.batch * SUM

    @property
    def activation(self) -> int:
        """Bits of the activations of all vectors at one column."""
        return self.batch * ACTIVATION

    @property
    def line(self) -> int:
        """Words of a delay line that serves rings of any length: two at least."""
        return max(2, -(-self.layout.cols // self.layout.lanes))

    @property
    def fields(self) -> list[tuple[str, int]]:
        """Fields of a descriptor, the lowest first, and their bits; each is one less than it says, but for the lead."""
        cols = max(1, (self.layout.cols - 1).bit_length())
        return [
            ("beats", cols),
            ("cols", cols),
            ("turns", max(1, (self.layout.interleave - 1).bit_length())),
            ("passes", 12),
            ("lead", 10),
            ("shorter", (self.line - 1).bit_length()),
            ("longer", self.layout.lanes),
        ]

    def ports(self) -> list[tuple[str, str, int]]:
        """Return every port but clk and rst as (direction, name, width)."""
        lanes = self.layout.lanes
        found = [port for port in self.decoder.ports() if not port[1].startswith("m_axis_")]
        streams = [("s_axis_mask", lanes), ("s_axis_x", self.load_words * self.activation)]
        if self.described:
            streams.append(("s_axis_layer", sum(width for _, width in self.fields)))
            streams.append(("s_axis_scale", self.result_words * RECORD))
            found.append(("output", "stalled", 1))
        for prefix, width in streams:
            found += [("input", f"{prefix}_tdata", width), ("input", f"{prefix}_tvalid", 1)]
            found.append(("output", f"{prefix}_tready", 1))
        return [
            *found,
            ("output", "m_axis_tdata", self.result_words * self.sums),
            ("output", "m_axis_tlast", 1),
            ("output", "m_axis_tvalid", 1),
            ("input", "m_axis_tready", 1),
        ]
