from __future__ import annotations

import numpy as np
import pytest

from tests.golden.encoders.plain_elimination import plain_elimination
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code


def expected_dependent(counts: list[int], n_in: int, n_s: int) -> float:
    """The model, step by step in plain Python."""
    free, dependent = 0.0, 0.0
    for count in counts:
        free = min(free, n_in * n_s) + n_in
        for _ in range(count):
            chance = 0.5**free
            dependent += chance
            free -= 1 - chance
    return dependent


@pytest.mark.parametrize("n_in, n_s, mean", [(4, 0, 4), (8, 2, 8), (16, 7, 16), (16, 7, 12), (3, 3, 9)])
def test_the_compiled_queue_is_the_plain_one(n_in: int, n_s: int, mean: float) -> None:
    counts = np.random.default_rng(n_in).poisson(mean, 300)
    result = forecast(counts, n_in, n_s)
    assert result.dependent == pytest.approx(
        expected_dependent(counts.tolist(), n_in, n_s), rel=1e-5, abs=1e-6
    )
    assert result.payload_bits == 300 * n_in


def test_a_single_block_against_the_ranks_of_random_matrices() -> None:
    # c random equations in n unknowns: the expected rank is known by recursion on the free columns
    n_in, count = 6, 7
    chance_of_rank = np.zeros(n_in + 1)
    chance_of_rank[0] = 1.0
    for _ in range(count):
        stay = chance_of_rank * 2.0 ** (np.arange(n_in + 1) - n_in)
        chance_of_rank = stay + np.append(0, (chance_of_rank - stay)[:-1])
    dependent = count - (chance_of_rank * np.arange(n_in + 1)).sum()
    assert forecast(np.array([count]), n_in, 0).dependent == pytest.approx(dependent, rel=0.1)


@pytest.mark.parametrize("n_in, n_s, n_out", [(8, 3, 16), (16, 7, 30)])
def test_the_forecast_agrees_with_real_eliminations_on_average(n_in: int, n_s: int, n_out: int) -> None:
    rng = np.random.default_rng(7)
    real, foretold = [], []
    for seed in range(6):
        mask = rng.random(n_out * 120) < n_in / n_out * 1.01
        code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed)
        targets = rng.integers(0, 1 << 32, mask.size).astype(np.uint32)
        # 32 planes: a dependent equation is unmatched in one of them, but for one case in 2^32
        real.append(np.count_nonzero(plain_elimination(code, targets, mask)))
        foretold.append(forecast(mask.reshape(-1, n_out).sum(axis=1), n_in, n_s).dependent)
    spread = np.sqrt(sum(foretold)) + 0.05 * sum(foretold)
    assert sum(foretold) > 20
    assert abs(sum(real) - sum(foretold)) < 4 * spread


def test_no_care_bit_is_no_dependent_equation() -> None:
    assert forecast(np.zeros(5, np.int64), 8, 2).dependent == 0.0
    assert forecast(np.zeros(0, np.int64), 8, 2).payload_bits == 0
