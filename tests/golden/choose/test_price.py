"""Prices against a slow reckoning of the same, and against what is really stored."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.family import family_code
from xorweave.golden.choose.group_rates import choose_rates
from xorweave.golden.choose.plan import choose_plan, rank_plans
from xorweave.golden.choose.price import CareBits, Terms
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.corrections import expected_patch_bits
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import figures_of

SIZES = [(n_in, n_out, 63 // n_in) for n_in in (3, 8, 13) for n_out in (10, 27, 41, 64, 100)]


def plain_price(
    mask: np.ndarray, size: tuple[int, int, int], ring: bool, planes: int = 8
) -> tuple[float, int]:
    """(bits, start) of uniform planes, step by step."""
    n_in, n_out, n_s = size
    blocks = -(-mask.size // n_out)
    start = 0
    if ring:
        surplus = [t * n_in - int(mask[: t * n_out].sum()) for t in range(blocks)]
        start = surplus.index(min(surplus)) * n_out
    turned = np.roll(mask, -start)
    free = lost = 0.0
    for t in range(blocks):
        free = min(free, n_in * n_s) + n_in
        for _ in range(int(turned[t * n_out : (t + 1) * n_out].sum())):
            lost += 0.5**free
            free -= 1 - 0.5**free
    return blocks * n_in * planes + expected_patch_bits(lost, mask.size, 8, planes), start


@pytest.mark.parametrize("ring", [False, True])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.3, 0.9, 1.0])
def test_the_cheapest_are_those_of_a_slow_reckoning(density: float, ring: bool) -> None:
    scan = Interleaver(1001, 618, 5)
    mask = np.random.default_rng(2).random(1001) < density
    scanned = scan.to_scan(mask)
    found = CareBits.along(mask, scan).cheapest(SIZES, Terms(planes=8, n_w=8, free_start=ring), count=4)
    plain = sorted((*plain_price(scanned, size, ring), size) for size in SIZES)[:4]
    assert [price.bits for price in found] == pytest.approx([bits for bits, _, _ in plain], rel=1e-4)
    assert found[0].start == plain[0][1] and (found[0].n_in, found[0].n_out) == plain[0][2][:2]


def test_what_is_too_dear_is_left_out() -> None:
    care = CareBits.of(np.random.default_rng(2).random(1001) < 0.3)
    best = care.cheapest(SIZES, Terms(planes=8, n_w=8))[0]
    assert care.cheapest(SIZES, Terms(planes=8, n_w=8), below=best.bits - 1) == []
    assert all(p.dependent <= 0.05 for p in care.cheapest(SIZES, Terms(planes=8, n_w=8, tolerated=0.05), 20))


def test_counts_of_a_ring() -> None:
    mask = np.random.default_rng(2).random(333) < 0.4
    for start in (0, 7, 250):
        turned = np.roll(mask, -start)
        expected = [int(turned[t : t + 50].sum()) for t in range(0, 333, 50)]
        assert CareBits.of(mask).counts(50, start).tolist() == expected


RNG = np.random.default_rng(8)
MASKS = {
    "random .9": random_mask((192, 256), 0.9, 3),
    "random .7": random_mask((192, 256), 0.7, 3),
    "random .5": random_mask((192, 256), 0.5, 3),
    "rows": RNG.random((192, 256)) < RNG.choice([0.02, 0.3], (192, 1)),
}


@pytest.mark.parametrize("family", ["uniform", "chain", "graph"])
@pytest.mark.parametrize("name", MASKS)
def test_forecasts_are_within_a_percent_of_what_is_stored(name: str, family: str) -> None:
    mask = MASKS[name]
    plan = choose_plan(mask, 8, family=family)
    assert plan.code.family == family
    values = np.random.default_rng(1).integers(-128, 128, mask.shape).astype(np.int8)
    stored = figures_of(
        encode_tensor(
            values,
            number_format("int8"),
            plan.code,
            mask=mask,
            scan=plan.interleaver,
            options=EncodeOptions(encoder="elimination"),
        )
    ).stored_bits
    assert stored == pytest.approx(plan.expected_bits, rel=0.01)


def test_no_size_tried_by_encoding_is_much_better_than_the_one_chosen() -> None:
    mask = random_mask((64, 100), 0.8, 1)
    values = np.random.default_rng(1).integers(-128, 128, mask.shape).astype(np.int8)
    plan = choose_plan(mask, 8, max_k=64)

    def stored(n_in: int, n_out: int) -> int:
        code = family_code("chain", n_in, n_out, 64 // n_in - 1)
        return figures_of(
            encode_tensor(
                values,
                number_format("int8"),
                code,
                mask=mask,
                scan=plan.interleaver,
                options=EncodeOptions(encoder="elimination"),
            )
        ).stored_bits

    best = min(
        stored(n_in, n_out) for n_in in (8, 12, 16, 21) for n_out in range(round(n_in * 4.6), n_in * 5 + 2)
    )
    assert stored(plan.code.n_in, plan.code.n_out) <= 1.03 * best


def test_defaults_are_frozen() -> None:
    mask = random_mask((64, 100), 0.8, 1)
    assert choose_plan(mask, 8, seed=0).code == choose_plan(mask, 8).code
    assert choose_plan(mask, 8).code.family == "chain"
    assert rank_plans(mask, 8, error_free=True)[0].code.family == "uniform"


def test_rates_of_groups_are_the_cheapest_of_all() -> None:
    rng = np.random.default_rng(5)
    n = 4000
    groups = [(0, 3, rng.random(n) < 0.2), (3, 5, rng.random(n) < 0.05)]
    bits, n_out, widths = choose_rates(groups, n, 8, 64, family="uniform")

    def plain(n_out: int) -> list[tuple[float, int]]:
        return [
            min(
                (plain_price(care, (n_in, n_out, 64 // n_in - 1), False, planes)[0], n_in)
                for n_in in range(1, 33)
            )
            for planes, care in ((end - first, care) for first, end, care in groups)
        ]

    found = plain(n_out)
    assert bits == pytest.approx(sum(cost for cost, _ in found), rel=1e-4)
    assert widths == [n_in for _, n_in in found]
    assert choose_rates(groups, n, 8, 64, n_out=77)[1] == 77
