"""The paper's figure for this machine: time of a product, over the dense one, by sparsity and batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from xorweave.golden.mask.masks import random_mask
from xorweave.golden.spmv.libraries import one_blas_thread
from xorweave.studies.spmv_flow import DENSE, calls, products
from xorweave.studies.timing import measure

SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BATCHES = (1, 2, 4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One product at one sparsity and batch: seconds over those of the dense float32 product of the same batch.

    `lowest` and `highest` are the extremes of the repeats, each over the dense product of the same round.
    """

    product: str
    sparsity: float
    batch: int
    normalized: float
    lowest: float
    highest: float


def normalized_times(
    *,
    size: int = 2048,
    sparsities: Sequence[float] = SPARSITIES,
    batches: Sequence[int] = BATCHES,
    repeats: int = 7,
    seed: int = 0,
    progress: Callable[[float], None] = lambda _: None,
) -> list[Point]:
    """Measure all products on one thread, with random masks and uniform INT8 weights of size x size."""
    points = []
    rng = np.random.default_rng(seed)
    for done, sparsity in enumerate(sparsities):
        mask = random_mask((size, size), sparsity, seed)
        matrix = np.where(mask, rng.integers(-128, 128, mask.shape), 0).astype(np.int8)
        made, _missing = products(matrix, mask, "int8", 1, seed)
        for step, batch in enumerate(batches):
            vectors = rng.integers(-128, 128, (batch, size)).astype(np.int8)
            given = vectors[0] if batch == 1 else vectors
            with one_blas_thread():
                taken = measure(calls(made, given), repeats)
            dense = taken[DENSE].seconds
            for label, timing in taken.items():
                shares = sorted(a / b for a, b in zip(timing.seconds, dense, strict=True))
                points.append(
                    Point(
                        product=label,
                        sparsity=sparsity,
                        batch=batch,
                        normalized=shares[len(shares) // 2],
                        lowest=shares[0],
                        highest=shares[-1],
                    )
                )
            progress((done + (step + 1) / len(batches)) / len(sparsities))
    return points
