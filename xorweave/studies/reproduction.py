"""The paper's experiments, measured: its code and its exact encoder (Algorithm 3) on random and on real masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import NumberFormat
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.limits import best_efficiency, care_bits_deviation
from xorweave.golden.files.prepare import synthetic_values
from xorweave.golden.files.weight_files import read_smtx
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.tensor.encode import EncodeOptions
from xorweave.golden.tensor.figures import figures_of

SPARSITIES = (0.6, 0.7, 0.8, 0.9)
HISTORIES = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """The paper's code on one mask, and this project's own choice beside it.

    Attributes
    ----------
    name : str
    weights, kept, n_out : int
    sparsity : float
    variation, variation_random : float
        Coefficient of variation of the care bits in a block (row-major): measured, and of a random mask.
    efficiency : tuple of float
        E for N_s = 0, 1, 2.
    best_efficiency : float
        The largest E that any code of this rate can have; 1 below the limit.
    memory_reduction, memory_reduction_with_mask : float
        Of the paper's code with N_s = 2 and its correction format; without and with the mask.
    auto_overhead : float
        (payload + corrections) / care bits - 1 of ``--code auto``.
    auto_memory_reduction, auto_memory_reduction_with_mask : float
    """

    name: str
    weights: int
    kept: int
    n_out: int
    sparsity: float
    variation: float
    variation_random: float
    efficiency: tuple[float, ...]
    best_efficiency: float
    memory_reduction: float
    memory_reduction_with_mask: float
    auto_overhead: float
    auto_memory_reduction: float
    auto_memory_reduction_with_mask: float


def reproduce_mask(
    name: str, mask: NDArray[np.bool_], dtype: str, kind: str, seed: int, progress: Callable[[float], None]
) -> Reproduced:
    """Run the paper's code (N_s = 0, 1, 2, exact encoder, row-major) and ``--code auto`` on one mask.

    Parameters
    ----------
    kind : {"uniform", "normal"}
        Of the values.
    """
    values, fmt = synthetic_values(mask, kind, dtype, seed)
    efficiency: list[float] = []
    ratios: Mapping[str, float] = {}
    n_out = 0
    for n_s in HISTORIES:
        ratios, n_out = _encode(f"paper,n_s={n_s}", values, fmt, mask, "viterbi", seed)
        efficiency.append(ratios["efficiency"])
        progress((n_s + 1) / 4)
    auto, _ = _encode("auto", values, fmt, mask, "auto", seed)
    progress(1.0)
    kept = int(np.count_nonzero(mask))
    counts = np.add.reduceat(mask.reshape(-1).astype(np.int64), np.arange(0, mask.size, n_out))[:-1]
    sparsity = 1.0 - kept / mask.size
    return Reproduced(
        name=name,
        weights=mask.size,
        kept=kept,
        n_out=n_out,
        sparsity=sparsity,
        variation=float(counts.std() / counts.mean()) if counts.size and counts.any() else 0.0,
        variation_random=care_bits_deviation(sparsity, n_out) if 0.0 < sparsity < 1.0 else 0.0,
        efficiency=tuple(efficiency),
        best_efficiency=best_efficiency(8 / n_out, sparsity),
        memory_reduction=ratios["memory_reduction"],
        memory_reduction_with_mask=ratios["memory_reduction_with_mask"],
        auto_overhead=auto["overhead"],
        auto_memory_reduction=auto["memory_reduction"],
        auto_memory_reduction_with_mask=auto["memory_reduction_with_mask"],
    )


def _encode(
    code: str, values: NDArray, fmt: NumberFormat, mask: NDArray[np.bool_], encoder: str, seed: int
) -> tuple[Mapping[str, float], int]:
    encoded = CodeChoice.parse(code, seed=seed).encode(
        values, fmt, mask, options=EncodeOptions(encoder=encoder)
    )
    ratios = figures_of(encoded).ratios()
    return {name: 0.0 if value is None else value for name, value in ratios.items()}, encoded.code.n_out


def synthetic_masks(weights: int, seed: int) -> dict[str, NDArray[np.bool_]]:
    """Return a random mask for each sparsity of the paper's synthetic data."""
    return {f"random, S = {s}": random_mask((1, weights), s, seed) for s in SPARSITIES}


def real_masks(folder: Path, largest: int) -> dict[str, NDArray[np.bool_]]:
    """Read every .smtx mask below a folder that has at most `largest` weights, by its path there.

    Raises
    ------
    InputError
        There is no such folder, or no such mask.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} of .smtx masks")
    found = {}
    for path in sorted(folder.rglob("*.smtx")):
        mask = read_smtx(path)
        if 0 < mask.size <= largest and mask.any():
            found[str(path.relative_to(folder))] = mask
    if not found:
        raise InputError(
            f"{folder} must hold .smtx masks of at most {largest} weights; --largest allows more"
        )
    return found
