"""The code for a matrix on lanes: N_out is the number of lanes, N_in follows from the mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.family import window_use
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.tensor.corrections import expected_patch_bits
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.solvers import default_segment_blocks
from xorweave.golden.tensor.stored import EncodedTensor

# A code is called error-free if it is expected to meet fewer dependent equations than this in the whole matrix.
_ERROR_FREE = 0.05
# Higher rates tried where the first one left a bit unmatched after all.
_TRIES = 4
# A segment's start would need a lead of its own: segments are as long as memory allows.
_SEGMENT_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class LanePlan:
    """A layout with start column and lead settled, the code for it, and the forecast behind the choice.

    Attributes
    ----------
    layout : LaneLayout
    code : Code
    expected_overhead : float
        (payload + corrections) / care bits - 1, foretold; 0 without a care bit.
    """

    layout: LaneLayout
    code: Code
    expected_overhead: float


def best_start_column(counts: NDArray[np.integer], n_in: int, layout: LaneLayout) -> int:
    """Return the start column from which encoded bits run behind care bits least (the cyclic lemma).

    Parameters
    ----------
    counts : ndarray of int, shape (passes * cols * interleave,)
        Care bits of each block of the layout with start column 0 and no lead.
    """
    first_pass = counts[: layout.cols * layout.interleave].reshape(layout.cols, layout.interleave).sum(axis=1)
    surplus = np.cumsum(n_in * layout.interleave - first_pass)
    return int((np.argmin(surplus) + 1) % layout.cols)


def rank_lane_plans(
    mask: NDArray[np.bool_],
    layout: LaneLayout,
    n_w: int,
    *,
    max_k: int = 128,
    error_free: bool = True,
    family: str = "paired",
    seed: int = 0,
) -> list[LanePlan]:
    """Choose N_in, start column and lead for a matrix on lanes by the queue model; the best plan first.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, cols)
        True = kept.
    layout : LaneLayout
        Its start column and lead are replaced.
    n_w : int
        Bits of a weight.
    max_k : int
        The hardware budget: the constraint length may not exceed it, unless N_in alone does.
    error_free : bool
        Take the lowest rate expected to leave no bit unmatched, so that the hardware needs no correction stage;
        otherwise the fewest bits, corrections included.
    family : str
        Generator family.
    seed : int
        Of the generator matrix.

    Returns
    -------
    list of LanePlan
        The last one is the identity code of rate 1, which never fails.

    Raises
    ------
    InputError
        max_k is below 4.
    """
    if max_k < 4:
        raise InputError(f"the constraint length must be allowed to be at least 4, not {max_k}")
    lanes = layout.lanes
    layout = replace(layout, start_column=0, lead=0)
    counts = layout.arrange(mask, False).sum(axis=1)
    kept = int(counts.sum())
    needed = kept / layout.blocks
    found: list[tuple[float, LanePlan]] = []

    def overhead(bits: float) -> float:
        return bits / (kept * n_w) - 1.0 if kept else 0.0

    lowest = max(1, math.floor(needed * 0.98))
    for n_in in range(lowest, min(lanes - 1, max(lowest + 4, math.ceil(1.5 * needed))) + 1):
        n_s = max(0, max_k // n_in - 1)
        start = best_start_column(counts, n_in, layout)
        turned = np.roll(counts.reshape(layout.passes, layout.cols, layout.interleave), -start, axis=1)
        foretold = forecast(
            np.concatenate([np.zeros(n_s, np.int64), turned.reshape(-1)]), n_in, n_s, window_use(family)[0]
        )
        cost = foretold.payload_bits * n_w + expected_patch_bits(
            foretold.dependent, layout.blocks * lanes, n_w, n_w
        )
        if cost >= layout.blocks * lanes * n_w or (error_free and foretold.dependent > _ERROR_FREE):
            continue
        plan = LanePlan(
            layout=replace(layout, start_column=start, lead=n_s),
            code=Code.from_family(family, n_in=n_in, n_out=lanes, n_s=n_s, seed=seed),
            expected_overhead=overhead(cost),
        )
        found.append((cost, plan))
    identity = Code.from_family("identity", n_in=lanes, n_out=lanes, n_s=0)
    dense = LanePlan(layout=layout, code=identity, expected_overhead=overhead(layout.blocks * lanes * n_w))
    return [plan for _, plan in sorted(found, key=lambda item: item[0])] + [dense]


def encode_planned(
    values: NDArray, number_format: NumberFormat, mask: NDArray[np.bool_], plan: LanePlan
) -> EncodedTensor:
    """Encode a matrix, shape (rows, cols), with a layout and a code already chosen; see `encode_on_lanes`."""
    layout = plan.layout
    return encode_tensor(
        values,
        number_format,
        plan.code,
        mask=mask,
        scan=layout,
        options=EncodeOptions(
            encoder="elimination",
            segment_blocks=default_segment_blocks(plan.code, layout.length, _SEGMENT_BYTES),
        ),
    )


def encode_on_lanes(
    values: NDArray,
    number_format: NumberFormat,
    mask: NDArray[np.bool_],
    layout: LaneLayout,
    *,
    max_k: int = 128,
    error_free: bool = True,
    family: str = "paired",
    seed: int = 0,
) -> EncodedTensor:
    """Encode a matrix for lanes, its scan being a `LaneLayout`, with the best code of `rank_lane_plans`.

    Parameters
    ----------
    values : ndarray, shape (rows, cols), dtype ``number_format.storage``
    number_format : NumberFormat
    mask : ndarray of bool, shape (rows, cols)
        True = kept.
    layout : LaneLayout
        Its start column and lead are replaced.
    error_free : bool
        Believe a rate only when its decoded stream shows no unmatched bit, else go to the next one.

    Raises
    ------
    InputError
        Shapes or dtypes do not fit.
    """
    plans = rank_lane_plans(
        mask, layout, number_format.n_w, max_k=max_k, error_free=error_free, family=family, seed=seed
    )
    for plan in [*plans[:_TRIES], plans[-1]]:
        encoded = encode_planned(values, number_format, mask, plan)
        if not error_free or encoded.patches.positions.size == 0:
            return encoded
    raise AssertionError("the identity code leaves no bit unmatched")


def encode_layers_on_lanes(
    layers: Sequence[NDArray],
    number_format: NumberFormat,
    lanes: int,
    *,
    interleave: int | None = None,
    max_k: int = 64,
    family: str = "paired",
    seed: int = 0,
) -> list[EncodedTensor]:
    """Encode the matrices of several layers for one engine: one code, the one that the densest of them takes.

    Parameters
    ----------
    layers : sequence of ndarray, shape (rows, cols), dtype ``number_format.storage``
        What is 0 is pruned. A matrix of fewer columns than lanes gets columns of zeros.
    number_format : NumberFormat
    lanes : int
    interleave : int, optional
        Most rows that a lane takes in turn; by default all of them.
    max_k, family, seed
        As in `rank_lane_plans`; bits may be left unmatched, and are corrected.

    Returns
    -------
    list of EncodedTensor
        One a layer, their scans `LaneLayout` of these lanes, their codes equal.
    """
    n_w = number_format.n_w
    wide = [np.pad(w, ((0, 0), (0, max(0, lanes - w.shape[1])))) for w in layers]
    layouts = [LaneLayout.fitting(w.shape[0], w.shape[1], lanes, interleave=interleave) for w in wide]
    plans = [
        rank_lane_plans(w != 0, layout, n_w, max_k=max_k, error_free=False, family=family, seed=seed)[0]
        for w, layout in zip(wide, layouts, strict=True)
    ]
    code = max((plan.code for plan in plans), key=lambda code: code.n_in)
    found = []
    for w, layout in zip(wide, layouts, strict=True):
        counts = layout.arrange(w != 0, False).sum(axis=1)
        start = best_start_column(counts, code.n_in, layout)
        # a lead is as long as the window, but no tenth of a small layer
        lead = min(code.n_s, layout.blocks // 10)
        plan = LanePlan(
            layout=replace(layout, start_column=start, lead=lead), code=code, expected_overhead=0.0
        )
        found.append(encode_planned(w, number_format, w != 0, plan))
    return found
