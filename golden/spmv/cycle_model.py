"""How many cycles the SpMV engine takes: a formula of shape, lanes and memory width, and never of the mask."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout

# Cycles from the one in which the last block is taken to the first beat of its results: product, sum, queue
# written, queue read, beat made.
_PIPELINE = 5


@dataclass(frozen=True, kw_only=True)
class SpmvModel:
    """Cycle model of the engine; the tests hold it against simulation, cycle for cycle.

    Attributes
    ----------
    layout : LaneLayout
    load_words : int
        Activations loaded in a cycle.
    result_words : int
        Results sent in a cycle.
    decoder_latency : int
        Cycles from a symbol taken to its block offered (`DecoderConfig.latency`).
    block_bits : int or Fraction
        Symbols, patches and mask of a block: what the memory port brings for it.
    bits_per_cycle : int, Fraction or None
        Width of the memory port; None is as wide as a block. The port brings the activations first, then block
        after block.

    Raises
    ------
    InputError
        A pass's results cannot leave during the next pass, or the port has no width.
    """

    layout: LaneLayout
    load_words: int
    result_words: int
    decoder_latency: int = 1
    block_bits: int | Fraction = 0
    bits_per_cycle: int | Fraction | None = None

    def __post_init__(self) -> None:
        if self.result_beats > self.layout.cols:
            raise InputError(
                f"a pass's results must leave during the next pass: {self.layout.lanes} lanes need more than "
                f"{self.result_words} result words a cycle with {self.layout.cols} columns"
            )
        if self.bits_per_cycle is not None and self.bits_per_cycle <= 0:
            raise InputError(f"the memory port must have a width above 0, not {self.bits_per_cycle}")

    @property
    def load_beats(self) -> int:
        """Cycles that loading the activations takes: about cols / load_words."""
        return max(length for _, length in self.layout.load_chunks(self.load_words))

    @property
    def result_beats(self) -> int:
        """Cycles that the results of L rows take to leave."""
        return -(-self.layout.lanes // self.result_words)

    @property
    def cycles_per_block(self) -> Fraction:
        """Cycles that the memory port takes for a block; at most 1 while it does not bound the engine."""
        if self.bits_per_cycle is None:
            return Fraction(0)
        return Fraction(self.block_bits) / Fraction(self.bits_per_cycle)

    def _taken(self, block: int) -> int:
        """Cycle in which a block is taken, counted from 0 at the end of reset."""
        per_block = self.cycles_per_block
        if not per_block:
            # symbols need not wait for the activations
            return max(self.load_beats, self.decoder_latency) + block
        arrives = -(-((block + 1) * per_block.numerator) // per_block.denominator) - 1
        return self.load_beats + self.decoder_latency + max(block, arrives)

    @property
    def cycles(self) -> int:
        """Cycles from the end of reset to the last result."""
        layout, beats = self.layout, self.result_beats
        groups = layout.interleave  # of the last pass; those before have left
        return 1 + max(
            self._taken(layout.blocks - groups + k) + _PIPELINE + (groups - k) * beats - 1
            for k in range(groups)
        )

    @property
    def constant(self) -> int:
        """cycles - blocks. Without a narrow memory port: load + 5 + interleave * (result_beats - 1)."""
        return self.cycles - self.layout.blocks


def projected_model(
    rows: int,
    cols: int,
    *,
    lanes: int,
    sparsity: float,
    n_w: int = 8,
    overhead: float = 0.05,
    interleave: int = 16,
    load_words: int = 16,
    result_words: int = 4,
    max_k: int = 128,
    bytes_per_cycle: float | None = None,
) -> SpmvModel:
    """Return the model of a layer that is too large to simulate: a projection, no measurement.

    Parameters
    ----------
    rows, cols, lanes, interleave
        As in `LaneLayout.fitting`.
    sparsity : float
        Share of pruned weights, taken to be spread as the code needs it.
    n_w : int
    overhead : float
        Of the encoded bits over the care bits; N_in is rounded up.
    load_words, result_words : int
    max_k : int
        Constraint length: settles the lead.
    bytes_per_cycle : float, optional
        Width of the memory port.

    Raises
    ------
    InputError
        A size is out of range.
    """
    if not 0.0 <= sparsity < 1.0:
        raise InputError(f"sparsity must be at least 0 and below 1, not {sparsity}")
    n_in = min(lanes, max(1, int(np.ceil(lanes * (1.0 - sparsity) * (1.0 + overhead) - 1e-9))))
    fitting = LaneLayout.fitting(rows, cols, lanes, interleave=interleave)
    layout = LaneLayout(
        rows=rows,
        cols=cols,
        lanes=lanes,
        interleave=fitting.interleave,
        lead=0 if n_in == lanes else max(0, max_k // n_in - 1),
    )
    return SpmvModel(
        layout=layout,
        load_words=min(load_words, lanes, cols),
        result_words=min(lanes, max(result_words, -(-lanes // cols))),
        block_bits=n_in * n_w + lanes,
        bits_per_cycle=None
        if bytes_per_cycle is None
        else Fraction(bytes_per_cycle).limit_denominator(1000) * 8,
    )
