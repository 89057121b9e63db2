"""How many care bits fall on each block: what a code of fixed rate has to even out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import Words
from xorweave.golden.code.limits import care_bits_deviation
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.golden.values.raw_planes import RawPlanes


@dataclass(frozen=True, kw_only=True)
class CareStatistics:
    """Care bits a block of one plane of a group, over the whole blocks of a tensor (the last, padded one left out).

    Attributes
    ----------
    planes : int
        Planes of the group; each has these care bits.
    n_in, n_out, blocks : int
        Encoded bits and outputs of a block, and whole blocks.
    mean : float or None
        Care bits a block. A code can carry `n_in` on average at most. None where there is no whole block.
    variation : float or None
        Coefficient of variation: standard deviation over mean. None for fewer than two blocks, or without care bits.
    random_variation : float or None
        That of as many care bits at random places: sqrt(S / ((1 - S) n_out)), 1 - S the share of care bits.
    """

    planes: int
    n_in: int
    n_out: int
    blocks: int
    mean: float | None
    variation: float | None
    random_variation: float | None


def care_positions(encoded: EncodedTensor, scanned: Words) -> list[NDArray[np.bool_]]:
    """Return where the care bits of each group of planes are, each of shape (scan.length,).

    Parameters
    ----------
    scanned : ndarray of unsigned words, shape (scan.length,)
        What the tensor decodes to, in scan order. Of raw planes they do not matter: the mask is all.
    """
    if isinstance(encoded.values, RawPlanes):
        return [encoded.mask for _ in encoded.groups]
    if not encoded.groups:
        return []
    return encoded.values.targets(scanned, encoded.mask)[1]


def care_statistics(encoded: EncodedTensor, words: Words) -> tuple[CareStatistics, ...]:
    """Count the care bits of every block, for each group of planes; packed words have none.

    Parameters
    ----------
    words : ndarray of unsigned words, shape (n,)
        What the tensor decodes to, in the order of the tensor.
    """
    scanned = words if isinstance(encoded.values, RawPlanes) else encoded.scan.to_scan(words)
    found = []
    for group, care in zip(encoded.groups, care_positions(encoded, scanned), strict=True):
        n_out = group.code.n_out
        blocks = care.size // n_out
        counts = np.count_nonzero(care[: blocks * n_out].reshape(blocks, n_out), axis=1)
        mean = float(counts.mean()) if blocks else None
        found.append(
            CareStatistics(
                planes=group.planes,
                n_in=group.code.n_in,
                n_out=n_out,
                blocks=blocks,
                mean=mean,
                variation=float(counts.std() / mean) if mean and blocks > 1 else None,
                random_variation=care_bits_deviation(1 - mean / n_out, n_out) if mean else None,
            )
        )
    return tuple(found)
