"""The value coders that can be asked for by name, each with what chooses it, and the codes of its groups, for words."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.book_choice import GATE_PRICE, CodedValues, choose_book, windows_of
from xorweave.golden.choose.group_rates import Beside, choose_rates
from xorweave.golden.values.coder import ValueCoder
from xorweave.golden.values.raw_planes import RawPlanes


class Chooser(Protocol):
    """Chooses a value coder and the codes of its groups; None where it has none that pays.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (length,), scan order
        What each position must read as.
    kept : ndarray of bool, same shape
        The mask as its decoder gives it, false ones included.
    max_k : int, optional
        Longest window of any group; by default the one that pays.
    n_out : int, optional
        The block, where it is settled already.
    beside : Beside, optional
        A mask that is encoded in the same blocks.
    quick : bool
        Try less: a third of the time for half a percent more bits.
    gates : float
        Share of the bits that a gate equivalent of the decoder, for one weight a cycle, must save.
    """

    def __call__(
        self,
        words: Words,
        kept: NDArray[np.bool_],
        number_format: NumberFormat,
        *,
        max_k: int | None = None,
        n_out: int | None = None,
        beside: Beside | None = None,
        quick: bool = False,
        gates: float = GATE_PRICE,
    ) -> CodedValues | None: ...


def with_codes(
    values: ValueCoder,
    words: Words,
    kept: NDArray[np.bool_],
    number_format: NumberFormat,
    *,
    max_k: int | None = None,
    n_out: int | None = None,
    smooth: bool = False,
    beside: Beside | None = None,
    quick: bool = False,
    gates: float = GATE_PRICE,
) -> CodedValues | None:
    """Choose the codes of the groups of any value coder; None where no window is long enough. See `Chooser`.

    With `smooth` every block is judged by those beside it, too (`choose_rates`).
    """
    care = values.targets(words, kept)[1]
    groups = [(first, end, bits) for (first, end), bits in zip(values.spans, care, strict=True)]
    cost, outputs, sizes = choose_rates(
        groups,
        words.size,
        number_format.n_w,
        windows_of(max_k)[:: 2 if quick else 1],
        n_out=n_out,
        smooth=smooth,
        gate_price=gates,
        beside=beside,
    )
    if not math.isfinite(cost):
        return None
    return CodedValues(values, outputs, tuple(sizes[: len(groups)]), cost, tuple(sizes[len(groups) :]))


def choose_raw(
    words: Words,
    kept: NDArray[np.bool_],
    number_format: NumberFormat,
    *,
    max_k: int | None = None,
    n_out: int | None = None,
    beside: Beside | None = None,
    quick: bool = False,
    gates: float = GATE_PRICE,
) -> CodedValues | None:
    """Choose the code of raw planes; see `Chooser`."""
    return with_codes(
        RawPlanes(number_format.n_w),
        words,
        kept,
        number_format,
        max_k=max_k,
        n_out=n_out,
        beside=beside,
        quick=quick,
        gates=gates,
    )


CHOOSERS: dict[str, Chooser] = {"raw": choose_raw, "prefix": choose_book}


def settle_block(
    choose: Chooser, words: Words, kept: NDArray[np.bool_], number_format: NumberFormat, *, max_k: int | None
) -> CodedValues | None:
    """Settle value coder and block of words whose mask is known only about; None where no coder pays."""
    found = choose(words, kept, number_format, max_k=max_k)
    if found is None:
        return None
    return with_codes(found.values, words, kept, number_format, max_k=max_k, smooth=True)
