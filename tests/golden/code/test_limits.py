from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from xorweave.golden.code import limits


@pytest.mark.parametrize("p", [0.0, 1e-9, 0.1, 0.3, 0.5, 0.77, 1.0])
def test_binary_entropy_is_scipys(p: float) -> None:
    assert limits.binary_entropy(p) == pytest.approx(stats.entropy([p, 1 - p], base=2), abs=1e-12)
    assert limits.mask_entropy(p) == limits.binary_entropy(p)


def test_the_area_under_the_entropy_is_known() -> None:
    # the integral of h over 0 .. 1 is 1 / (2 ln 2)
    assert quad(limits.binary_entropy, 0, 1)[0] == pytest.approx(1 / (2 * math.log(2)), rel=1e-6)


def test_the_entropy_of_values_is_scipys() -> None:
    words = np.random.default_rng(0).geometric(0.3, 5000).astype(np.uint8)
    _values, counts = np.unique(words, return_counts=True)
    assert limits.value_entropy(words) == pytest.approx(stats.entropy(counts, base=2))
    assert limits.value_entropy(np.zeros(0, np.uint8)) == 0.0
    assert limits.value_entropy(np.full(9, 3, np.uint8)) == 0.0
    assert limits.value_entropy(np.arange(256, dtype=np.uint8)) == pytest.approx(8.0)


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("share", [0.05, 0.4, 0.8, 0.95, 0.999])
def test_the_best_efficiency_inverts_the_rate_distortion_function(sparsity: float, share: float) -> None:
    rate = share * limits.rate_limit(sparsity)
    efficiency = limits.best_efficiency(rate, sparsity)
    assert 0.5 < efficiency < 1.0
    # R(D) = 1 - h(D) bits a care bit
    assert 1 - stats.entropy([1 - efficiency, efficiency], base=2) == pytest.approx(share, abs=1e-9)


def test_the_best_efficiency_at_the_ends() -> None:
    assert limits.best_efficiency(0.1, 0.9) == 1.0
    assert limits.best_efficiency(0.3, 0.9) == 1.0
    assert limits.best_efficiency(0.1, 1.0) == 1.0
    assert limits.best_efficiency(0.0, 0.9) == 0.5


def test_the_papers_deviation_at_seventy_percent() -> None:
    # published: .299 for N_out = floor(8 / .3) = 26 (.2996: cut off, not rounded)
    assert math.floor(1000 * limits.care_bits_deviation(0.7, 26)) == 299


@pytest.mark.parametrize("sparsity, n_out", [(0.6, 20), (0.9, 80)])
def test_care_bits_of_a_block_are_binomial(sparsity: float, n_out: int) -> None:
    share = limits.care_bits_distribution(sparsity, n_out)
    assert share.shape == (n_out + 1,) and share.sum() == pytest.approx(1)
    counts = np.arange(n_out + 1)
    mean = (share * counts).sum()
    deviation = math.sqrt((share * (counts - mean) ** 2).sum())
    assert mean == pytest.approx((1 - sparsity) * n_out)
    assert deviation / mean == pytest.approx(limits.care_bits_deviation(sparsity, n_out))


def test_the_overflow_law_against_a_reflected_walk() -> None:
    # blocks bring 8 columns, care bits of 80 positions at 10 % take them: a queue between 0 and the buffer
    sparsity, buffer = 0.9, 120
    rng = np.random.default_rng(1)
    counts = rng.binomial(80, 1 - sparsity, 200_000)
    free, lost = 0, 0
    for count in counts.tolist():
        free = min(free, buffer) + 8 - count
        if free < 0:
            lost -= free
            free = 0
    # of the care bits; the law is for small steps, so a tenth of it is what blocks may cost
    assert lost / counts.sum() == pytest.approx(limits.overflow_share(sparsity, buffer), rel=0.15)
