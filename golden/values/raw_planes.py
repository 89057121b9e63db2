"""Raw planes: plane q of a weight is bit q of its word, as in the paper; some may be inverted, or constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import Words
from xorweave.golden.values.coder import Span
from xorweave.golden.values.transforms import TRANSFORMS, forward, inverse


@dataclass(frozen=True)
class RawPlanes:
    """The value coder of the paper: all n_w planes are care bits wherever the mask is 1.

    Parameters
    ----------
    n_w : int
        Bits of a word, 1 to 32.
    inversion : int
        n_w-bit word; its bit q says that plane q is stored inverted.
    constant_planes : int
        n_w-bit word; its bit q says that plane q is not in the payload: its symbol bits are all 0.
    transform : str
        Name of the map of words (``xorweave.golden.values.transforms``) undone after the inversion.

    Raises
    ------
    InputError
        A word has more than n_w bits, or there is no such transform.
    """

    n_w: int
    inversion: int = 0
    constant_planes: int = 0
    transform: str = "none"

    def __post_init__(self) -> None:
        for name in ("inversion", "constant_planes"):
            if not 0 <= getattr(self, name) < 1 << self.n_w:
                raise InputError(f"{name} must have {self.n_w} bits, not be {getattr(self, name)}")
        if self.transform not in TRANSFORMS:
            raise InputError(f"transform must be one of {', '.join(TRANSFORMS)}, not {self.transform!r}")

    @property
    def kind(self) -> str:
        return "raw"

    @property
    def planes(self) -> int:
        return self.n_w

    @property
    def spans(self) -> list[Span]:
        return [(0, self.n_w)]

    @property
    def stored_planes(self) -> list[int]:
        """Bits of the word that the payload holds, lowest first."""
        return [q for q in range(self.n_w) if not self.constant_planes >> q & 1]

    def targets(self, words: Words, kept: NDArray[np.bool_]) -> tuple[Words, list[NDArray[np.bool_]]]:
        mapped = forward(self.transform, words, self.n_w)
        stored = ((1 << self.n_w) - 1) & ~self.constant_planes
        if self.inversion or self.constant_planes:
            mapped = (mapped ^ mapped.dtype.type(self.inversion)) & mapped.dtype.type(stored)
        return mapped, [kept]

    def words_of(self, planes: Words, word: np.dtype) -> Words:
        words = planes if not self.inversion else planes ^ planes.dtype.type(self.inversion)
        return inverse(self.transform, words, self.n_w).astype(word, copy=False)
