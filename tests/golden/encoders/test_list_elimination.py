import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.encoders.plain_algorithm3 import plain_algorithm3
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.encoders.elimination import encode_segment, rotated_rows
from xorweave.golden.encoders.list_elimination import (
    _COST,
    MAX_ALTERNATIVES,
    _branch,
    encode_segment_with_list,
)


def unmatched_bits(code: Code, symbols: np.ndarray, targets: np.ndarray, mask: np.ndarray) -> int:
    decoded = decode_plain(code, symbols).reshape(-1)[: targets.size]
    return int(np.bitwise_count((decoded ^ targets)[mask]).sum())


@settings(max_examples=40)
@given(data=st.data())
def test_without_a_limit_the_cost_is_algorithm_3s_optimum(data: st.DataObject) -> None:
    n_in = data.draw(st.integers(1, 3))
    n_s = data.draw(st.integers(0, 2))
    n_out = data.draw(st.integers(1, 9))
    n = data.draw(st.integers(1, 6 * n_out))
    seed = data.draw(st.integers(0, 1 << 16))
    density = data.draw(st.floats(0, 1))
    rng = np.random.default_rng(seed)
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed)
    targets = rng.integers(0, 2, n).astype(np.uint8)
    mask = rng.random(n) < density
    symbols = encode_segment_with_list(code, targets, mask, 1, 1 << (code.constraint_length + 1))
    _, optimum = plain_algorithm3(code, targets, mask)
    assert unmatched_bits(code, symbols, targets, mask) == optimum


@pytest.mark.parametrize(("n_in", "n_out", "n_s"), [(1, 4, 3), (2, 6, 1), (2, 7, 2), (3, 8, 1)])
def test_the_optimum_is_found_in_long_streams_too(n_in: int, n_out: int, n_s: int) -> None:
    """Alternatives that have become alike are merged at every block, and none of the others is."""
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=4)
    rng = np.random.default_rng(7)
    for density in (0.5, 0.9):
        targets = rng.integers(0, 2, 30 * n_out).astype(np.uint8)
        mask = rng.random(targets.size) < density
        symbols = encode_segment_with_list(code, targets, mask, 1, 4096)
        _, optimum = plain_algorithm3(code, targets, mask)
        assert unmatched_bits(code, symbols, targets, mask) == optimum


@pytest.mark.parametrize(("n_in", "n_out", "n_s"), [(8, 80, 7), (5, 17, 12)])
def test_more_effort_leaves_fewer_unmatched_bits_in_every_plane(n_in: int, n_out: int, n_s: int) -> None:
    rng = np.random.default_rng(1)
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s)
    n = 300 * n_out
    targets = rng.integers(0, 256, n).astype(np.uint8)
    mask = rng.random(n) < n_in / n_out  # at the entropy limit, where equations depend on each other
    costs = [
        unmatched_bits(code, encode_segment_with_list(code, targets, mask, 8, effort), targets, mask)
        for effort in (1, 16, 128)
    ]
    assert costs[0] > costs[1] > costs[2] > 0


def test_effort_1_is_greedy_elimination() -> None:
    rng = np.random.default_rng(2)
    code = Code.uniform(n_in=7, n_out=40, n_s=9)
    targets = rng.integers(0, 256, 4001).astype(np.uint8)
    mask = rng.random(4001) < 0.2
    greedy = encode_segment(code, targets, mask, rotated_rows(code))
    assert np.array_equal(encode_segment_with_list(code, targets, mask, 8, 1), greedy)


def test_forgetting_dead_paths_changes_nothing() -> None:
    # far over the limit nearly every equation is given up by some alternative, so the paths' store overflows often
    rng = np.random.default_rng(3)
    code = Code.uniform(n_in=2, n_out=20, n_s=2)
    targets = rng.integers(0, 2, 20 * 3000).astype(np.uint8)
    mask = np.ones(targets.size, bool)
    symbols = encode_segment_with_list(code, targets, mask, 1, 64)
    greedy = encode_segment_with_list(code, targets, mask, 1, 1)
    assert unmatched_bits(code, symbols, targets, mask) < unmatched_bits(code, greedy, targets, mask)


@pytest.mark.parametrize("spawn", [1, 2, 3, 8])
@pytest.mark.parametrize("costs", [[0, 2, 1], [5, 5, 7], [3], [1, 4, 2, 2]])
def test_the_cheapest_alternatives_branch_whatever_the_others_cost(costs: list[int], spawn: int) -> None:
    limit, parents = 16, len(costs)
    sides = np.zeros((limit, 1), np.uint64)
    sides[:parents, 0] = np.arange(parents) << 8
    states = np.full((3, limit), -1, np.int64)
    states[_COST, :parents] = costs
    nodes = np.zeros((64, 2), np.int64)
    count, taken = _branch.py_func(sides, states, parents, nodes, 0, 9, 3, limit, spawn)
    born = min(spawn, parents)
    assert (count, taken) == (parents + born, born)
    assert states[_COST, :parents].tolist() == costs
    assert states[_COST, parents:count].tolist() == sorted(cost + 1 for cost in costs)[:born]
    # each child is a parent with the bit at place 3 turned
    children = sides[parents:count, 0]
    assert (children & 255).tolist() == [8] * born
    assert [costs[c >> 8] + 1 for c in children.tolist()] == states[_COST, parents:count].tolist()
    assert nodes[:born, 0].tolist() == [9] * born


@pytest.mark.parametrize("effort", [0, -1, MAX_ALTERNATIVES + 1])
def test_effort_out_of_range_is_refused(effort: int) -> None:
    code = Code.uniform(n_in=2, n_out=4, n_s=1)
    with pytest.raises(
        InputError, match=f"^the effort must be between 1 and {MAX_ALTERNATIVES}, not {effort}$"
    ):
        encode_segment_with_list(code, np.zeros(4, np.uint8), np.ones(4, bool), 1, effort)
