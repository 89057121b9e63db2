from __future__ import annotations

import itertools
import math
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.mask.shaped_mask import (
    ShapedMaskCode,
    encoded_bits_asked,
    ideal_bits,
)
from xorweave.golden.mask.shaped_mask_encoder import MOST_FEE, _eliminate, _paths_needed, encode_mask


def by_matrix(code: ShapedMaskCode, symbols: np.ndarray) -> np.ndarray:
    """Decode block by block with the generator matrix and shift registers, as the paper's Algorithm 2 would."""
    window = np.zeros((code.n_s + 1, code.n_in), np.uint8)
    blocks = []
    for symbol in symbols:
        window = np.vstack([symbol, window[:-1]])
        blocks.append((code.generator @ window.reshape(-1) % 2).all(axis=1))
    return np.concatenate(blocks)


@settings(max_examples=40, deadline=None)
@given(
    n_in=st.integers(1, 20),
    ratio=st.floats(1, 6),
    parities=st.integers(1, 4),
    window=st.integers(24, 64),
    taps=st.sampled_from([2, 4, 6]),
    sums=st.sampled_from([0, 0, 4, 5]),
    seed=st.integers(0, 99),
)
def test_window_masks_and_matrix_decode_alike(
    n_in: int, ratio: float, parities: int, window: int, taps: int, sums: int, seed: int
) -> None:
    n_out = int(n_in * ratio)
    if sums:
        taps = max(taps, 4)
    code = ShapedMaskCode(
        n_in=n_in, n_out=n_out, parities=parities, window=window, taps=taps, seed=seed, sums=sums
    )
    symbols = np.random.default_rng(seed).integers(0, 2, (7, n_in)).astype(np.uint8)
    assert np.array_equal(code.decode(symbols, 7 * n_out), by_matrix(code, symbols))
    assert np.array_equal(code.decode(symbols, 5 * n_out - 1), by_matrix(code, symbols)[: 5 * n_out - 1])


def test_a_parity_is_a_sum_of_the_newest_bit_and_one_of_an_older_bit() -> None:
    """Written out from sums and pairs; no pair is taken twice by one bit, and none cancels a bit."""
    code = ShapedMaskCode.for_zero_codeword(0.1, 2, n_out=200, shared=True)
    for r in (0, 1, 77, 199):
        which = r - int(np.argmax(code.bit_of_output == code.bit_of_output[r]))
        for parity, (newest, older, lag) in enumerate(code.sum_pairs[which].tolist()):
            taps = [*code.sum_lags[newest], *(code.sum_lags[older] + lag)]
            assert sorted(taps) == code.lags[r, parity].tolist()
            assert 1 <= lag <= code.reach
            assert len(set(taps)) == code.taps and max(taps) < code.window
    pairs = code.sum_pairs.reshape(-1, 3)
    assert len({(older, lag) for _, older, lag in pairs.tolist()}) == len(pairs)


def test_codes_that_were_stored_decode_as_they_did() -> None:
    """Frozen: what symbols stand for may never change."""
    symbols = np.unpackbits(np.frombuffer(bytes(range(7, 131)), np.uint8))
    free = ShapedMaskCode(n_in=31, n_out=64, parities=3).decode(symbols.reshape(-1, 31), 32 * 64)
    shared = ShapedMaskCode(n_in=31, n_out=64, parities=3, window=64, taps=6, sums=3, seed=32)
    assert crc32(np.packbits(free)) == 276359704
    assert crc32(np.packbits(shared.decode(symbols.reshape(-1, 31), 32 * 64))) == 414419854


@pytest.mark.parametrize("seed", range(6))
def test_with_room_for_every_path_the_search_is_exact(seed: int) -> None:
    """Against all 2^14 symbols, for masks whose equations do not contradict each other."""
    code = ShapedMaskCode(n_in=7, n_out=12, parities=2, window=10, taps=4, seed=seed)
    mask = np.random.default_rng(seed).random(24) < 0.2
    found = encode_mask(mask, code, cost_of_false_one=8, beam=32768)
    best = min(
        8 * (decoded & ~mask).sum() + 60 * (~decoded & mask).sum()
        for decoded in (
            code.decode(np.array(bits, np.uint8).reshape(2, 7), 24)
            for bits in itertools.product((0, 1), repeat=14)
        )
    )
    if found.false_zeros.size == 0:
        assert 8 * found.false_ones.size == best
    else:  # elimination dropped an equation for good; the search may then miss the optimum, never beat it
        assert 8 * found.false_ones.size + 60 * found.false_zeros.size >= best


def test_the_search_takes_ones_for_granted_and_pays_for_zeros() -> None:
    mask = np.random.default_rng(3).random(30_000) < 0.1
    code = ShapedMaskCode.for_density(0.1, 8)
    found = encode_mask(mask, code, cost_of_false_one=8.08, beam=256)
    assert np.array_equal(found.decoded, code.decode(found.symbols, mask.size))
    assert np.array_equal(np.flatnonzero(found.decoded & ~mask), found.false_ones)
    assert np.array_equal(np.flatnonzero(~found.decoded & mask), found.false_zeros)
    # at random 7/8 of the ones and 1/8 of the zeros would be wrong
    assert found.false_zeros.size < 0.002 * mask.sum()
    assert found.false_ones.size < 0.012 * mask.size
    cost = (found.bits + 8.08 * found.false_ones.size + 14 * found.false_zeros.size) / mask.size
    assert binary_entropy(0.1) < cost < 0.57  # 0.52 with a beam of 16,384, see docs/shaped-mask.md


@pytest.mark.parametrize(("density", "allowed"), [(0.02, 1.06), (0.05, 1.05), (0.1, 1.015), (0.2, 1.015)])
@pytest.mark.parametrize("n_out", [None, 233, 400])
def test_shared_sums_cost_hardly_more_than_taps_of_their_own(
    density: float, allowed: float, n_out: int | None
) -> None:
    """At any length of the block; false ones and false zeros priced."""
    mask = np.random.default_rng(7).random(30_000) < density
    costs = []
    for shared in (False, True):
        code = ShapedMaskCode.for_zero_codeword(density, 2, n_out=n_out, shared=shared)
        found = encode_mask(mask, code, cost_of_false_one=2.02, beam=64)
        costs.append((found.bits + 2.15 * found.false_ones.size + 26 * found.false_zeros.size) / mask.size)
    assert costs[1] < costs[0] * allowed


def test_a_wider_beam_costs_less() -> None:
    mask = np.random.default_rng(5).random(20_000) < 0.05
    code = ShapedMaskCode.for_density(0.05, 8)
    costs = [encode_mask(mask, code, cost_of_false_one=8.08, beam=b).false_ones.size for b in (16, 256, 2048)]
    assert costs[0] > costs[1] > costs[2]


def test_elimination_leaves_every_one_satisfiable() -> None:
    """Any choice of the free bits, with the determined ones filled in, makes the ones' parities 1."""
    code = ShapedMaskCode(n_in=16, n_out=33, parities=3)
    mask = np.random.default_rng(8).random(330) < 0.08
    outputs = np.bincount(code.bit_of_output, minlength=code.n_in)
    steps = code.blocks(mask.size) * code.n_in
    pivot, rows, sides = np.zeros(steps, bool), np.zeros(steps, np.uint64), np.zeros(steps, np.uint8)
    _eliminate(mask.astype(np.uint8), outputs, code.window_masks, pivot, rows, sides)
    bits = np.random.default_rng(9).integers(0, 2, steps).astype(np.uint8)
    for step in np.flatnonzero(pivot):
        row = int(rows[step])
        older = [bits[step - lag] for lag in range(1, 64) if row >> lag & 1]
        bits[step] = (sides[step] + sum(older)) % 2
    assert code.decode(bits.reshape(-1, code.n_in), mask.size)[mask].all()
    fees, demands = np.ones(mask.size, np.int8), np.full(2 * MOST_FEE + 1, 0.19)
    paths = _paths_needed(mask.astype(np.uint8), fees, outputs, pivot, demands, 4096)
    assert paths.min() >= 32 and paths.max() <= 4096


def test_the_ideal_lies_above_the_entropy_and_near_it() -> None:
    for density, parities in ((0.1, 3), (0.05, 4), (0.3, 2)):
        assert (
            binary_entropy(density) - 0.001
            < ideal_bits(density, parities, 8)
            < binary_entropy(density) * 1.02
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parities": 9}, "parities must be between 1 and 8, not 9"),
        ({"taps": 5}, "taps must be even, not 5"),
        ({"window": 4, "taps": 4}, "window 4 with 4 taps must leave 3 different parities"),
        ({"window": 65}, "window must be between 2 and 64, not 65"),
        ({"sums": 9}, "sums must be between 0 and 8, not 9"),
        ({"sums": 3, "taps": 2}, "window 42 with 2 taps must leave 3 different sums"),
        (
            {"sums": 1, "window": 16, "taps": 4, "n_in": 10},
            "an encoded bit must have at most 4 parities of 1 sums of 4 older bits, not 21",
        ),
        ({"n_out": 600}, "an encoded bit must give at most 10 mask bits and 60 parities, not 20 and 60"),
    ],
)
def test_wrong_sizes_are_named(change: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ShapedMaskCode(**{"n_in": 31, "n_out": 64, "parities": 3, **change})
    with pytest.raises(InputError, match=r"between 0\.02 and 0\.5, not 0\.0010"):
        ShapedMaskCode.for_density(0.001, 8)


@pytest.mark.parametrize("density", [0.02, 0.5])
def test_the_densities_at_the_ends_are_allowed(density: float) -> None:
    assert ShapedMaskCode.for_density(density, 8).n_out % 64 == 0


@pytest.mark.parametrize("density", [0.0199, 0.5001])
def test_densities_beyond_the_ends_are_refused(density: float) -> None:
    with pytest.raises(InputError, match=f"not {density:.4f}$"):
        ShapedMaskCode.for_density(density, 8)


@pytest.mark.parametrize("parities", [1, 3, 6])
def test_bits_asked_are_those_of_the_mean_over_both_outputs(parities: int) -> None:
    """A random output is 1 with probability 2^-A; each costs a factor 2^-bits of the codewords."""
    costs = np.array([-200.0, -7.5, -2.0, 0.0, 0.5, 3.0, 200.0])
    chance = 0.5**parities
    for cost, asked in zip(costs.tolist(), encoded_bits_asked(costs, parities).tolist(), strict=True):
        one, zero = 2.0 ** -max(cost, 0.0), 2.0 ** -max(-cost, 0.0)
        assert asked == pytest.approx(-math.log2(chance * one + (1 - chance) * zero))
    assert encoded_bits_asked(costs, parities)[0] == pytest.approx(parities)
