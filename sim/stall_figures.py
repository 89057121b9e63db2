"""Stalls of the baseline decoders on a mask, measured in simulation; ours have none, whatever the mask."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.hw.package.verilog import structured_verilog
from xorweave.hw.rivals.baseline_vectors import beats, packed_blocks, relative_entries
from xorweave.hw.rivals.bitmap_expander import BitmapExpander
from xorweave.hw.rivals.relative_index import RelativeIndexDecoder
from xorweave.sim.run_bench import Port, SimulationResult, run_bench

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
    if mask.shape != words.shape or words.ndim != 1:
        raise InputError(f"mask and words must be flat and of one shape, not {mask.shape} and {words.shape}")
    wanted = np.where(mask, words, words.dtype.type(0))
    blocks = packed_blocks(wanted, n_out, n_w)
    component: wiring.Component
    if decoder == "relative-index":
        component = RelativeIndexDecoder(n_out, n_w, lanes)
        records = relative_entries(wanted, mask)
        width, stream = 4 + n_w, "i"
    elif decoder == "bitmap":
        component = BitmapExpander(n_out, n_w, lanes)
        records = [int(word) for word in wanted[mask]]
        width, stream = n_w, "values"
    else:
        raise InputError(f"the baseline decoder must be one of {', '.join(BASELINES)}, not {decoder!r}")
    with tempfile.TemporaryDirectory(prefix="xorweave-stalls-") as scratch:
        folder = Path(scratch)

        def port(name: str, fields: tuple[tuple[str, int], ...], values: list[int]) -> Port:
            path = folder / f"{name}.hex"
            path.write_text("".join(f"{value:x}\n" for value in values))
            return Port(f"{name}_", fields, path)

        parts = (("records", width * lanes), ("count", lanes.bit_length()), ("last", 1))
        fields = tuple((f"{stream}_{part}", bits) for part, bits in parts)
        inputs = [port(stream, fields, beats(records, width, lanes))]
        if decoder == "bitmap":
            masks = packed_blocks(mask.astype(np.uint8), n_out, 1)
            inputs.append(port("mask", (("mask_payload", n_out),), masks))
        (folder / "baseline.v").write_text(structured_verilog(component, "baseline"))
        result = run_bench(
            [folder / "baseline.v"],
            "baseline",
            inputs,
            port("o", (("o_payload", n_out * n_w),), blocks),
            latency=1,
            static={"restart": 0},
            stalls=stalls,
            seed=seed,
        )
    return StallFigures(decoder=decoder, lanes=lanes, entries=len(records), result=result)
