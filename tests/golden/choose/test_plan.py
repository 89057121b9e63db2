from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.plan import choose_plan, rank_plans
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import figures_of


def stored_bits(mask: np.ndarray, max_k: int = 128) -> tuple[int, float]:
    """Encode uniform INT8 values as planned; return (stored bits, the plan's forecast)."""
    plan = choose_plan(mask, 8, max_k=max_k)
    assert plan.code.constraint_length <= max_k
    values = np.random.default_rng(1).integers(-128, 128, mask.shape).astype(np.int8)
    encoded = encode_tensor(
        values,
        number_format("int8"),
        plan.code,
        mask=mask,
        scan=plan.interleaver,
        options=EncodeOptions(encoder="elimination"),
    )
    assert np.array_equal(decode_tensor(encoded), np.where(mask, values, 0))
    return figures_of(encoded).stored_bits, plan.expected_bits


RNG = np.random.default_rng(11)
MASKS = {
    "random .5": RNG.random((96, 128)) < 0.5,
    "random .1": RNG.random((128, 200)) < 0.1,
    "nearly dense": RNG.random((64, 64)) < 0.97,
    "nearly empty": RNG.random((64, 64)) < 0.002,
    "rows": np.repeat(RNG.random(96) < 0.2, 100).reshape(96, 100),
    "columns": np.tile(RNG.random(100) < 0.2, 96).reshape(96, 100),
    "blocks 4x4": np.kron(RNG.random((24, 32)) < 0.15, np.ones((4, 4))).astype(bool),
    "dense": np.ones((33, 17), bool),
    "one": np.arange(40 * 41).reshape(40, 41) == 1234,
    "empty": np.zeros((40, 41), bool),
    "single weight": np.ones((1, 1), bool),
    "two weights": np.array([[True, False]]),
    "seven": np.array([[True, False, True, True, False, True, True]]),
}


@pytest.mark.parametrize("name", MASKS)
def test_plans_hold_their_forecast_and_are_never_worse_than_dense(name: str) -> None:
    mask = MASKS[name]
    bits, expected = stored_bits(mask)
    # a rate of 1 in words of up to 32 pads the last word; otherwise dense is the ceiling
    assert bits <= (mask.size + 31) * 8
    if name in ("random .5", "random .1", "rows", "columns"):
        assert bits == pytest.approx(expected, rel=0.03)
        assert bits <= mask.sum() * 8 * 1.06


@settings(max_examples=40)
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.floats(0, 1),
    st.sampled_from([4, 5, 64, 256]),
    st.integers(0, 99),
)
def test_any_mask_gets_a_plan_within_its_budget(
    rows: int, cols: int, density: float, max_k: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).random((rows, cols)) < density
    plan = choose_plan(mask, 8, max_k=max_k, seed=seed)
    assert plan.code.constraint_length <= max(max_k, 32)
    assert plan.interleaver.n == mask.size
    assert plan.expected_bits <= (mask.size + 31) * 8
    assert choose_plan(mask, 8, max_k=max_k, seed=seed) == plan


def test_a_budget_too_small_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        choose_plan(np.ones((4, 4), bool), 8, max_k=3)
    assert str(caught.value) == "the constraint length must be allowed to be at least 4, not 3"


def test_a_mask_of_nothing_takes_one_bit_a_block_and_no_history() -> None:
    plan = choose_plan(np.zeros(10_000, bool), 8)
    assert (plan.code.n_in, plan.code.n_out, plan.code.n_s) == (1, 4096, 0)
    assert plan.expected_bits == 3 * 8 and plan.expected_dependent == 0


def test_rows_of_several_densities_get_a_rate_above_the_mean_where_they_stay_in_order() -> None:
    """The densest rows come together: the rate follows them, far above what a scan that mixes rows would take."""
    rng = np.random.default_rng(0)
    mask = np.zeros((256, 512), bool)
    for row, kept in zip(mask, [59] * 128 + [44] * 128, strict=True):
        row[rng.permutation(512)[:kept]] = True
    (in_order,) = rank_plans(mask, 8, row_major=True)
    (mixed,) = rank_plans(mask, 8)
    assert in_order.interleaver.stride == 1
    assert in_order.code.rate > 1.1 * mask.mean()
    assert mixed.code.rate < 1.02 * mask.mean()
    assert mixed.expected_bits < in_order.expected_bits
