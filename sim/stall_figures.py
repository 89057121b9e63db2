"""Stalls of the baseline decoders on a mask, measured in simulation; ours have none, whatever the mask."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.hw.package.baseline_designs import baseline_design
from xorweave.hw.package.package import write_design
from xorweave.hw.rivals.baseline_vectors import relative_entries
from xorweave.sim.run_bench import SimulationResult
from xorweave.sim.simulate import simulate

BASELINES = ("relative-index", "bitmap")


@dataclass(frozen=True)
class StallFigures:
    """What a baseline decoder did with a tensor while every input was valid and the output ready.

    Attributes
    ----------
    decoder : str
    lanes : int
        Entries or values taken in a cycle at most.
    entries : int
        Entries or values of the tensor, fillers included.
    result : SimulationResult
    """

    decoder: str
    lanes: int
    entries: int
    result: SimulationResult

    @property
    def stall_share(self) -> float:
        """Cycles without a block, as a share of all from the first block to the last."""
        busy = self.result.idle_cycles + self.result.blocks
        return self.result.idle_cycles / busy


def measure_stalls(
    words: Words,
    mask: NDArray[np.bool_],
    *,
    decoder: str,
    n_out: int,
    n_w: int,
    lanes: int,
    stalls: str = "none",
    seed: int = 0,
) -> StallFigures:
    """Simulate a baseline decoder on a whole tensor, checking every block.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (n,)
        The weights, in the order they are stored; those the mask prunes are ignored.
    mask : ndarray of bool, shape (n,)
        True = kept.
    decoder : str
        ``relative-index`` (EIE style, 4-bit runs) or ``bitmap``.
    n_out, n_w : int
        Words of a block, bits of a word.
    lanes : int
        Entries or values a beat.
    stalls, seed
        Of the test bench, as in `xorweave.sim.simulate.simulate`.

    Raises
    ------
    InputError
        There is no such decoder, or the mask has another shape.
    """
    if decoder not in BASELINES:
        raise InputError(f"the baseline decoder must be one of {', '.join(BASELINES)}, not {decoder!r}")
    design = baseline_design(decoder, words, mask, n_out=n_out, n_w=n_w, lanes=lanes)
    with tempfile.TemporaryDirectory(prefix="xorweave-stalls-") as scratch:
        write_design(Path(scratch) / "baseline", design)
        result = simulate(Path(scratch) / "baseline", stalls=stalls, seed=seed)
    wanted = np.where(mask, words, words.dtype.type(0))
    entries = len(relative_entries(wanted, mask)) if decoder == "relative-index" else int(mask.sum())
    return StallFigures(decoder=decoder, lanes=lanes, entries=entries, result=result)
