"""Where every weight goes: what a manifest and a Verilog header say of a tensor's order."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.scan.live import LiveScan
from xorweave.golden.scan.walk import Walk, walk_of
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.package.vectors import raw_planes


def _scan(tensor: EncodedTensor) -> str:
    scan = tensor.scan
    if isinstance(scan, LaneLayout):
        return (
            f"lanes: weight r of block b = {scan.lead} + (pass * {scan.cols} + step) * {scan.interleave} + turn is row"
            f" (pass * {scan.interleave} + turn) * {scan.lanes} + r, column ({scan.start_column} + step + tap r) mod"
            f" {scan.cols}; rows beyond {scan.rows - 1}, and the first {scan.lead} blocks, mean nothing"
        )
    if isinstance(scan, LiveScan):
        return (
            f"live: scan position p is element ({scan.offset} + p * {scan.stride}) mod {scan.length} of the matrix of"
            f" live rows and columns, rows first; live are of {scan.rows} rows {_ranges(scan.live_rows)}, of"
            f" {scan.columns} columns {_ranges(scan.live_columns)}; all other weights are 0"
        )
    if not isinstance(scan, Interleaver):
        return _counted(walk_of(scan, tensor.shape), scan.spec.partition(",")[0])
    if scan.is_identity:
        return "row-major: scan position p is element p of the tensor, rows first"
    n = tensor.n
    return f"affine: scan position p is element ({scan.offset} + p * {scan.stride}) mod {n} of the tensor, rows first"


def _ranges(numbers: NDArray[np.int64]) -> str:
    """Write rising numbers as ranges: ``0-3 7``."""
    runs = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return " ".join(f"{run[0]}-{run[-1]}" if run.size > 1 else str(run[0]) for run in runs)


def _counted(walk: Walk, kind: str) -> str:
    """Say what a scan of many loops does by its counters, as the address generator has them."""
    moved = []
    for name, counter in walk.counters.items():
        more = "".join(
            f", {other} {amount} more where it passes {counter.modulus}" for other, amount in counter.carry
        )
        moved.append(
            f"{name} from {counter.start} gains {' '.join(map(str, counter.steps))} mod {counter.modulus}{more}"
        )
    bounds = ", ".join(f"{name} {bound}" for name, bound in walk.bounds.items())
    return (
        f"{kind}: scan positions are counted by loops of {' '.join(map(str, walk.turns))} turns, the innermost first,"
        f" and one around them; where a loop moves on, and those inside it begin again, {'; '.join(moved)};"
        f" what reaches {bounds} means nothing"
    )


def layout_entry(tensor: EncodedTensor, name: str | None) -> dict[str, Any]:
    """Return the manifest's entry: shape, scan, padding, the order of bits, and what is said with its streams.

    That is `block`, which a decoder of several block lengths takes as s_axis_block_length, and `inversion`.
    """
    n_out, n_w = tensor.n_out, tensor.number_format.n_w
    return {
        "tensor": name,
        "shape": list(tensor.shape),
        "weights": tensor.n,
        "scan": _scan(tensor),
        "block": n_out,
        "padding": tensor.blocks * n_out - tensor.scan.length,
        "segment_blocks": tensor.segment_blocks,
        "blocks": tensor.blocks,
        "inversion": raw_planes(tensor).inversion,
        "bits": f"bit q of weight r of a block is bit {n_w} * r + q of m_axis_tdata",
    }


def layout_lines(tensor: EncodedTensor, name: str | None) -> list[str]:
    """Return the same as lines of a header."""
    n_out = tensor.n_out
    shape = " x ".join(map(str, tensor.shape)) or "a single value"
    # other tools read this text: only a name of letters that mean nothing to any of them is repeated here
    title = name if name and re.fullmatch(r"[\w.:/-]{1,80}", name, re.ASCII) else "The tensor"
    text = (
        f"{title} ({shape}): weight r of block t is scan position t * {n_out} + r; {_scan(tensor)}."
        f" {tensor.blocks} blocks, the last one padded with {tensor.blocks * n_out - tensor.scan.length} positions"
        " that mean nothing;"
        f" a stream starts anew every {tensor.segment_blocks} blocks."
    )
    return ["", *textwrap.wrap(text, 110)]
