"""Pruning with the code in mind: lossy by choice, within a leeway that is given.

Which weights near the threshold are kept is left to the search that encodes the mask (`soft_mask`), and values are
quantised to words that a book stores in few bits (`cheaper_words`). As many weights are kept as without. Encoding what
comes of it is lossless, as ever, and takes fewer bits than the entropy of the plainly pruned tensor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.arrangement import Arrangement
from xorweave.golden.choose.choice import settled_before_mask
from xorweave.golden.choose.even_scan import even_scan
from xorweave.golden.choose.mask_choice import ZERO_BITS, encode_shaped
from xorweave.golden.choose.values_choice import CHOOSERS
from xorweave.golden.mask.coders import ShapedMask
from xorweave.golden.mask.soft_mask import (
    FEE_BITS,
    LEAST_STEEPNESS,
    MOST_STEEPNESS,
    fees_of,
    soft_code,
)
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.values.cheaper_words import cheaper_words
from xorweave.golden.values.quantize import highest_word, quantize, quantize_to

MOST_FLIPS = 0.3
_SMALLEST = 256
_DENSEST = 0.36  # beyond it a shaped mask costs as much as a bitmap
_SCAN_K = 192
_FIRST = 4.0  # steepness times the share of flips that it leads to, about
_TRIES = 4
# Share of the leeway that a search should take, before what is beyond it is taken back; fewer paths take more of it.
_AIM, _GLANCED_AIM, _NEAR = 0.93, 1.05, 0.07
_GLANCE_BEAM = 256
_PATCH = 24.0  # bits of a patch, about: what is dearer to drop is patched

Progress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Leeway:
    """What encodable pruning may do to a tensor.

    Attributes
    ----------
    flips : float
        Share of the kept weights that may be dropped for others, 0 to 0.3.
    lost : float, optional
        Share of the kept weights' sum of magnitudes that may be lost with that, too.
    dtype : {"int8", "int4"}, optional
        The integers that `encode` will be asked for: values are rounded for them. By default values stay as they are.
    step : float
        Steps of dtype that the grid of the values has, 1 or more: none moves farther than one of the grid.
    per_row : bool
        One scale for each row.
    beam : int
        Paths of the mask's search.
    seed : int

    Raises
    ------
    InputError
        A number is out of range.
    """

    flips: float = 0.1
    lost: float | None = None
    dtype: str | None = None
    step: float = 1.0
    per_row: bool = False
    beam: int = 1024
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.flips <= MOST_FLIPS:
            raise InputError(f"the share of flips must be between 0 and {MOST_FLIPS}, not {self.flips}")
        if self.lost is not None and not 0 <= self.lost <= 1:
            raise InputError(f"the share of |w| that may be lost must be between 0 and 1, not {self.lost}")
        if self.dtype not in (None, "int8", "int4"):
            raise InputError(f"values can be rounded for int8 or int4, not for {self.dtype!r}")
        if not 1 <= self.step <= 64:
            raise InputError(f"a step of the values must be between 1 and 64 of dtype, not {self.step}")
        if self.step != 1 and self.dtype is None:
            raise InputError("a step must be given with the dtype whose steps it counts")
        if self.beam < 1:
            raise InputError(f"the beam must be at least 1, not {self.beam}")


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What encodable pruning did to a tensor beside plain pruning to the same number of weights.

    Attributes
    ----------
    weights, kept : int
        All, and those that are kept now; plain pruning keeps `dropped` - `added` more.
    dropped, added : int
        Flips: weights that plain pruning keeps and that are dropped, and others that are kept instead.
    magnitude : float
        Sum of the magnitudes of what plain pruning keeps.
    lost : float
        Of that, what is lost: dropped less added.
    largest_dropped : float
        Largest magnitude dropped, over the smallest that plain pruning keeps; 0 if none is.
    rounded : int
        Kept values that are not what plain quantising makes of them.
    largest_error, error : float
        Of the kept values, in steps of the dtype: the largest, and the root of the mean square; plain quantising has
        0.5 and 0.29.
    """

    weights: int
    kept: int
    dropped: int
    added: int
    magnitude: float
    lost: float
    largest_dropped: float
    rounded: int = 0
    largest_error: float = 0.0
    error: float = 0.0

    def to_dict(self) -> dict[str, int | float]:
        """Return the attributes by name."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Encodable:
    """A tensor pruned for the code.

    Attributes
    ----------
    values : ndarray, the weights' shape and dtype
        0 where it is pruned.
    arranged : Arrangement or None
        To lie beside it for `encode`; None where nothing was arranged.
    moved : Moved
    """

    values: NDArray
    arranged: Arrangement | None
    moved: Moved


def prune_encodable(
    values: NDArray[np.floating],
    plain: NDArray[np.bool_],
    leeway: Leeway,
    progress: Progress | None = None,
    before: Arrangement | None = None,
) -> Encodable:
    """Prune a tensor to as many weights as a plain mask keeps, within a leeway.

    Parameters
    ----------
    values : ndarray of float, any shape
    plain : ndarray of bool, same shape
        What pruning by magnitude keeps.
    leeway : Leeway
    progress : callable, optional
        Called with the share that is done.
    before : Arrangement, optional
        What an earlier pruning arranged. Where it holds a mask for what the plain one keeps, as after training under
        it, that mask stays and no weight is dropped.

    Raises
    ------
    InputError
        The weights are not finite, or the plain mask keeps a smaller one than it drops.
    """
    if not np.isfinite(values).all():
        raise InputError(
            "weights must be finite to be pruned for the code, but there is a NaN or an infinity"
        )
    size = np.abs(values.reshape(-1).astype(np.float64))
    wanted = plain.reshape(-1) & (size > 0)
    count = int(np.count_nonzero(wanted))
    if count and count < size.size and size[wanted].min() < size[~wanted].max():
        raise InputError("encodable pruning must start from a mask that keeps the largest weights")
    scan, mask, kept = Interleaver(size.size), None, wanted
    if before is not None and before.pays(wanted, FORMATS[leeway.dtype or "int8"].n_w):
        scan, mask = before.scan, before.mask
    elif leeway.flips and leeway.lost != 0 and size.size >= _SMALLEST and 0 < count <= _DENSEST * size.size:
        scan, mask, kept = _Softly(values, wanted, size, leeway).search(progress or (lambda share: None))
    ones = 0 if mask is None else int(np.count_nonzero(mask.decode()))
    least = float(size[wanted].min()) if count else 0.0
    rounded, scale, errors = _rounded(
        values, kept.reshape(values.shape), leeway, least=least, zeros=max(0, ones - count)
    )
    arranged = None
    if mask is not None or scale is not None:
        arranged = Arrangement(scan, mask, leeway.dtype or "" if scale is not None else "", scale)
    return Encodable(rounded, arranged, replace(_flips(size, wanted, kept), **errors))


def _flips(size: NDArray[np.float64], plain: NDArray[np.bool_], kept: NDArray[np.bool_]) -> Moved:
    dropped, added = plain & ~kept, kept & ~plain
    return Moved(
        weights=size.size,
        kept=int(np.count_nonzero(kept)),
        dropped=int(np.count_nonzero(dropped)),
        added=int(np.count_nonzero(added)),
        magnitude=float(size[plain].sum()),
        lost=float(size[dropped].sum() - size[added].sum()),
        largest_dropped=float(size[dropped].max() / size[plain].min()) if dropped.any() else 0.0,
    )


class _Softly:
    """The search for a mask of one tensor within the leeway."""

    def __init__(
        self, values: NDArray, plain: NDArray[np.bool_], size: NDArray[np.float64], leeway: Leeway
    ) -> None:
        self.plain, self.size, self.leeway = plain, size, leeway
        self.count = int(np.count_nonzero(plain))
        self.form = FORMATS[leeway.dtype or "int8"]
        integers, _ = quantize(
            values * plain.reshape(values.shape), self.form.name, "row" if leeway.per_row else "tensor"
        )
        words = self.form.to_words(integers).reshape(-1)
        told = settled_before_mask(CHOOSERS["prefix"], words, words != 0, self.form, None, leeway.seed)
        self.block = None if told is None else told.n_out

    def search(self, progress: Progress) -> tuple[Interleaver, ShapedMask | None, NDArray[np.bool_]]:
        """Return scan, mask and kept weights in the order of the tensor; the plain mask where no book pays."""
        if self.block is None:
            return Interleaver(self.size.size), None, self.plain
        steepness = min(MOST_STEEPNESS, max(LEAST_STEEPNESS, _FIRST / self.leeway.flips))
        beam = min(_GLANCE_BEAM, self.leeway.beam)
        scan = None
        aim = _AIM if beam == self.leeway.beam else _GLANCED_AIM
        for number in range(_TRIES):
            code, threshold = soft_code(
                self.size, self.count, steepness=steepness, zero_bits=ZERO_BITS, n_out=self.block
            )
            if scan is None:
                scan = even_scan(self.plain, self.form.n_w, max_k=_SCAN_K, seed=self.leeway.seed, shaped=code)
            settled, fees = fees_of(threshold.costs(scan.to_scan(self.size)))
            mask = encode_shaped(settled, code, beam=beam, zero_bits=FEE_BITS, fees=fees)
            kept = self._largest(scan.from_scan(mask.decode()))
            used = self._used(kept)
            progress((number + 1) / (_TRIES + 1))
            enough = abs(used - aim) <= _NEAR or (used < aim and steepness == LEAST_STEEPNESS)
            if enough or number == _TRIES - 2:
                if beam == self.leeway.beam:
                    break
                beam, aim = self.leeway.beam, _AIM  # once more, with all paths
                continue
            # flips fall a little slower than the steepness rises
            steepness *= max(0.1, used / aim) ** 1.3
            steepness = min(MOST_STEEPNESS, max(LEAST_STEEPNESS, steepness))
        assert scan is not None
        dear = threshold.costs(self.size) < -_PATCH
        return scan, mask, self._restored(kept, dear)

    def _largest(self, ones: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the largest weights among those whose mask bit is a one, no more than are to be kept."""
        where = np.flatnonzero(ones & (self.size > 0))
        if where.size > self.count:
            where = where[np.argsort(-self.size[where], kind="stable")[: self.count]]
        kept = np.zeros(self.size.size, bool)
        kept[where] = True
        return kept

    def _used(self, kept: NDArray[np.bool_]) -> float:
        """Return the share of the leeway that these kept weights take."""
        flips = _flips(self.size, self.plain, kept)
        shares = [flips.dropped / max(1, self._most_dropped)]
        if self.leeway.lost is not None:
            shares.append(flips.lost / (self.leeway.lost * flips.magnitude))
        return max(shares)

    @property
    def _most_dropped(self) -> int:
        return math.floor(self.leeway.flips * self.count)

    def _restored(self, kept: NDArray[np.bool_], dear: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Take back what is beyond the leeway or too dear, the largest dropped weights first: those are patches."""
        dropped, added = np.flatnonzero(self.plain & ~kept), np.flatnonzero(kept & ~self.plain)
        dropped = dropped[np.argsort(-self.size[dropped], kind="stable")]
        added = added[np.argsort(self.size[added], kind="stable")]
        back = max(dropped.size - self._most_dropped, int(np.count_nonzero(dear[dropped])))
        if self.leeway.lost is not None:
            # lost after the first r are exchanged back; of fewer added ones the rest come back alone
            less = np.zeros(dropped.size)
            less[: min(added.size, dropped.size)] = self.size[added][: dropped.size]
            lost = np.concatenate([[0.0], np.cumsum((self.size[dropped] - less)[::-1])])[::-1]
            within = lost <= self.leeway.lost * self.size[self.plain].sum()
            back = max(back, int(np.argmax(within)))
        if not back:
            return kept
        kept = kept.copy()
        kept[dropped[:back]] = True
        over = int(np.count_nonzero(kept)) - self.count
        kept[added[: max(0, over)]] = False
        return kept


def _rounded(
    values: NDArray[np.floating], kept: NDArray[np.bool_], leeway: Leeway, *, least: float, zeros: int
) -> tuple[NDArray, NDArray[np.float32] | None, dict[str, Any]]:
    """Return the kept values, rounded for the dtype if there is one, its scales, and what that moved.

    A weight below the `least` that plain pruning keeps is taken for one of that magnitude: a book for the words of a
    threshold that is not sharp costs much more than the little that this moves.
    """
    pruned = np.where(kept, values, values.dtype.type(0)).astype(values.dtype, copy=False)
    if leeway.dtype is None or not kept.any():
        return pruned, None, {}
    plain, own = quantize(pruned, leeway.dtype, "row" if leeway.per_row else "tensor")
    scale = (own * np.float32(leeway.step)).astype(np.float32)
    if not np.isfinite(scale).all():
        raise InputError(f"weights so large cannot be quantised with a step of {leeway.step}")
    along = np.broadcast_to(scale.astype(np.float64).reshape((-1,) + (1,) * (values.ndim - 1)), values.shape)
    real = pruned[kept].astype(np.float64) / along[kept]
    words = np.zeros(values.shape, np.int8)
    raised = np.copysign(np.maximum(np.abs(real), least / along[kept]), real)
    words[kept] = cheaper_words(raised, leeway.dtype, highest=highest_word(leeway.dtype), zeros=zeros)
    made = (words * along).astype(values.dtype)
    back = quantize_to(made, leeway.dtype, scale)
    if back is None or not np.array_equal(back, words):
        raise InputError(f"{values.dtype} cannot hold the values that {leeway.dtype} is rounded to")
    errors = np.abs(words[kept] - real) * leeway.step
    nearest = plain[kept].astype(np.float64)
    return (
        made,
        scale,
        {
            "rounded": int(np.count_nonzero(words[kept] * leeway.step != nearest)),
            "largest_error": float(errors.max()),
            "error": float(np.sqrt((errors**2).mean())),
        },
    )
