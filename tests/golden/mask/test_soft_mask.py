"""Soft masks: the theory against formulas of its own, the search against every codeword there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.mask.shaped_mask import ShapedMaskCode
from xorweave.golden.mask.shaped_mask_encoder import encode_mask
from xorweave.golden.mask.soft_mask import (
    FEE_BITS,
    SETTLED,
    SoftThreshold,
    chance_of_one,
    fees_of,
    fit_threshold,
    ideal_rate,
    soft_code,
)

MAGNITUDES = np.abs(np.random.default_rng(0).standard_normal(20_000))


@pytest.mark.parametrize("seed", range(6))
def test_with_room_for_every_path_the_search_finds_the_cheapest_mask(seed: int) -> None:
    """Against all 2^14 symbols: ones that must be, and fees of either sign elsewhere."""
    rng = np.random.default_rng(seed)
    code = ShapedMaskCode(n_in=7, n_out=12, parities=2, window=10, taps=4, seed=seed)
    must = rng.random(24) < 0.1
    fees = rng.integers(-20, 8, 24).astype(np.int8)
    found = encode_mask(must, code, cost_of_false_one=0.5, beam=32768, fees=fees)
    every = np.array(
        [
            code.decode(np.array(bits, np.uint8).reshape(2, 7), 24)
            for bits in itertools.product((0, 1), repeat=14)
        ]
    )
    costs = np.where(every, np.maximum(fees, 0), np.maximum(-fees.astype(int), 0))[:, ~must].sum(axis=1)
    possible = every[:, must].all(axis=1)
    paid = np.where(found.decoded, np.maximum(fees, 0), np.maximum(-fees.astype(int), 0))[~must].sum()
    if found.false_zeros.size == 0:
        assert paid == costs[possible].min()
    else:
        assert not possible.any() or paid >= costs[possible].min()


def test_fees_beyond_what_a_path_can_count_are_refused() -> None:
    code = ShapedMaskCode(n_in=7, n_out=12, parities=2, window=10, taps=4)
    for fees in (np.full(24, 64, np.int8), np.full(24, -64, np.int8), np.ones(23, np.int8)):
        with pytest.raises(InputError, match="there must be 24 fees from -63 to 63"):
            encode_mask(np.zeros(24, bool), code, cost_of_false_one=1, beam=4, fees=fees)


@pytest.mark.parametrize("parities", [1, 3, 5])
def test_the_ideal_rate_is_the_divergence_from_the_random_code(parities: int) -> None:
    costs = SoftThreshold(1.6, 12.0, 2.0).costs(MAGNITUDES)
    p, q = chance_of_one(costs, parities), 2.0**-parities
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.nan_to_num(p * np.log2(p / q)) + np.nan_to_num((1 - p) * np.log2((1 - p) / (1 - q)))
    assert ideal_rate(costs, parities) == pytest.approx(terms.mean(), rel=1e-9)


def test_a_steep_threshold_needs_the_entropy_and_a_soft_one_less() -> None:
    """With false ones as dear as false zeros the threshold is a mask that is settled."""
    kept, rates = 2500, []
    for steepness in (1e5, 30.0, 8.0):
        found = fit_threshold(MAGNITUDES, kept, steepness=steepness, zero_bits=60.0, parities=3)
        rates.append(ideal_rate(found.costs(MAGNITUDES), 3))
    assert rates[0] == pytest.approx(binary_entropy(kept / MAGNITUDES.size), rel=0.01)
    assert rates[0] > rates[1] > rates[2]


@pytest.mark.parametrize(
    ("steepness", "zero_bits", "parities"),
    [(8.0, 2.0, 3), (50.0, 2.0, 3), (1e5, 2.0, 3), (8.0, 12.0, 1)],  # the last lies above the plain threshold
)
def test_the_threshold_lets_so_many_ones_be_worth_their_value(
    steepness: float, zero_bits: float, parities: int
) -> None:
    found = fit_threshold(MAGNITUDES, 2000, steepness=steepness, zero_bits=zero_bits, parities=parities)
    p = chance_of_one(found.costs(MAGNITUDES), parities)
    assert p[found.lowest <= MAGNITUDES].sum() == pytest.approx(2000, rel=0.02)
    # what is below is cheaper as a zero's codeword: by definition
    if zero_bits < steepness:
        assert found.costs(np.array([found.lowest])) == pytest.approx(zero_bits, abs=1e-6)


def test_settled_ones_are_those_too_dear_to_drop() -> None:
    costs = np.array([-SETTLED - 1, -SETTLED, -SETTLED + FEE_BITS, 0.0, 2.0])
    settled, fees = fees_of(costs)
    assert settled.tolist() == [True, True, False, False, False]
    assert (fees[~settled] * FEE_BITS).tolist() == costs[~settled].tolist()


def test_a_soft_mask_takes_fewer_bits_and_drops_what_is_near_the_threshold() -> None:
    kept = 2000
    code, threshold = soft_code(MAGNITUDES, kept, steepness=20.0, zero_bits=2.0, n_out=320)
    settled, fees = fees_of(threshold.costs(MAGNITUDES))
    found = encode_mask(settled, code, cost_of_false_one=FEE_BITS, beam=128, fees=fees)
    assert found.bits < 0.75 * MAGNITUDES.size * binary_entropy(kept / MAGNITUDES.size)
    least = np.sort(MAGNITUDES)[-kept]
    dropped = ~found.decoded & (least <= MAGNITUDES)
    assert 0 < dropped.sum() < 0.25 * kept
    assert np.quantile(MAGNITUDES[dropped], 0.95) < 1.2 * least


def test_a_mask_of_nothing_or_of_most_is_refused() -> None:
    for kept, sizes in ((0, MAGNITUDES), (11_000, MAGNITUDES), (3, np.array([1.0, 2.0, 0.0, 0.0, 0.0, 0.0]))):
        with pytest.raises(InputError, match="a soft mask must keep from 1 to half"):
            soft_code(sizes, kept, steepness=20.0, zero_bits=2.0, n_out=320)
