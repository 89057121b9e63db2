"""An encoded tensor: all that a decoder reads, software or hardware."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.code.code import Code
from xorweave.golden.scan.interleaver import Interleaver


@dataclass(frozen=True, eq=False)
class Patches:
    """Corrections in the form every format boils down to: where the decoder's word is wrong, and by what.

    Attributes
    ----------
    positions : ndarray of int64, shape (p,)
        Scan positions, strictly increasing.
    differences : ndarray of unsigned words, shape (p,)
        Exclusive-or of the wanted and the decoded word, never 0.
    """

    positions: NDArray[np.int64]
    differences: Words


@dataclass(frozen=True, eq=False)
class EncodedTensor:
    """One tensor as a fixed-to-fixed stream. All planes share mask and generator, so symbols are kept as words.

    Attributes
    ----------
    shape : tuple of int
        Shape of the tensor; its weights are flattened row by row and then put in scan order.
    number_format : NumberFormat
    code : Code
    interleaver : Interleaver
    segment_blocks : int
        Blocks from one start of stream to the next: before block t with t % segment_blocks == 0 the shift
        registers are cleared. A tensor that is one segment has segment_blocks == number of blocks.
    symbols : ndarray of unsigned words, shape (blocks, n_in)
        ``symbols[t, b]`` holds bit b of x_t of every plane: bit q of the word belongs to plane q.
    mask : ndarray of bool, shape (n,), in scan order
        True = kept. Positions where it is False read back as zero.
    patches : Patches
        Corrections, applied to the decoder's words before `inversion`.
    correction_format : str
        ``none``, ``paper`` or ``joint``...: how the patches are stored and counted.
    inversion : int
        n_w-bit word; its bit q says that plane q is stored inverted (xor after correction, before the mask).
    constant_planes : int
        n_w-bit word; its bit q says that plane q is not in the payload: its symbol bits are all 0.
    transform : str
        Name of the map of words (``xorweave.golden.values.transforms``) undone after the inversion, before the mask.
    """

    shape: tuple[int, ...]
    number_format: NumberFormat
    code: Code
    interleaver: Interleaver
    segment_blocks: int
    symbols: Words
    mask: NDArray[np.bool_]
    patches: Patches
    correction_format: str
    inversion: int = 0
    constant_planes: int = 0
    transform: str = "none"
    encoder: str = ""
    seconds: float = 0.0

    @property
    def n(self) -> int:
        """Number of weights."""
        return int(self.mask.size)

    @property
    def stored_planes(self) -> list[int]:
        """The planes that the payload holds, lowest first."""
        return [q for q in range(self.number_format.n_w) if not self.constant_planes >> q & 1]

    @property
    def blocks(self) -> int:
        """Number of blocks of n_out scan positions; the last one is padded with don't-cares."""
        return int(self.symbols.shape[0])
