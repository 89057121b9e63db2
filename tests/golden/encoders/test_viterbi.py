from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.golden.encoders.plain_algorithm3 import brute_force, plain_algorithm3, unmatched
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.golden.encoders import viterbi


def problem(
    n_in: int, n_s: int, n_out: int, n: int, density: float, seed: int
) -> tuple[Code, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed % 97)
    return code, rng.integers(0, 2, n, np.uint8), rng.random(n) < density


def check_against_plain(code: Code, plane: np.ndarray, mask: np.ndarray) -> None:
    symbols, cost = viterbi.encode_plane(code, plane, mask)
    _path, least = plain_algorithm3(code, plane, mask)
    assert cost == least
    assert symbols.shape == (-(-plane.size // code.n_out),)
    # the symbols must attain the cost that is claimed for them
    assert unmatched(code, symbols.tolist(), plane, mask) == cost


sizes = st.tuples(st.integers(1, 3), st.integers(0, 2), st.integers(1, 40))


@settings(max_examples=60)
@given(
    sizes,
    st.integers(1, 5),
    st.integers(0, 39),
    st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0]),
    st.integers(0, 10**6),
)
@example((2, 2, 40), 5, 0, 1.0, 1)  # more care bits than the hypercube takes, and more than a 32-bit word
@example((3, 2, 33), 4, 7, 1.0, 2)
@example((3, 1, 40), 5, 39, 0.35, 3)  # blocks on either side of the hypercube's limit
@example((1, 2, 14), 5, 3, 1.0, 4)  # exactly the limit
@example((1, 2, 15), 5, 3, 1.0, 5)
@example((3, 2, 9), 5, 8, 0.0, 6)  # nothing to match
@example((2, 0, 40), 3, 0, 1.0, 7)
def test_cost_equals_plain_algorithm_3(
    size: tuple[int, int, int], blocks: int, missing: int, density: float, seed: int
) -> None:
    n_in, n_s, n_out = size
    n = (blocks - 1) * n_out + max(1, n_out - missing)  # the last block is ragged
    check_against_plain(*problem(n_in, n_s, n_out, n, density, seed))


@settings(max_examples=40)
@given(
    st.sampled_from([(1, 0), (1, 1), (1, 2), (1, 5), (2, 1), (2, 2), (3, 1)]),
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(0, 10**6),
)
def test_cost_equals_brute_force_over_all_symbols(
    window: tuple[int, int], n_out: int, blocks: int, seed: int
) -> None:
    code, plane, mask = problem(*window, n_out, n_out * blocks, 0.7, seed)
    assert viterbi.encode_plane(code, plane, mask)[1] == brute_force(code, plane, mask)


@pytest.mark.parametrize("n_in, n_s, n_out", [(1, 1, 5), (2, 2, 9), (3, 1, 11), (1, 3, 4), (2, 2, 20)])
@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 5, 9, 16, 17])
def test_checkpointed_traceback_finds_the_same_cost(
    monkeypatch: pytest.MonkeyPatch, n_in: int, n_s: int, n_out: int, blocks: int
) -> None:
    code, plane, mask = problem(n_in, n_s, n_out, blocks * n_out - 1, 0.6, blocks)
    if plane.size == 0:
        pytest.skip("no position is left")
    whole, cost = viterbi.encode_plane(code, plane, mask)
    monkeypatch.setattr(viterbi, "_METRICS_BYTES", 0)
    stretched, again = viterbi.encode_plane(code, plane, mask)
    assert again == cost
    assert np.array_equal(stretched, whole)
    if blocks <= 5 and code.constraint_length <= 6:
        check_against_plain(code, plane, mask)


def test_metrics_are_kept_of_every_block_only_while_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    code, plane, mask = problem(2, 2, 9, 17 * 9, 0.6, 1)
    strides: list[int] = []
    trellis = viterbi._trellis
    monkeypatch.setattr(viterbi, "_trellis", lambda *a: strides.append(a[5]) or trellis(*a))
    for room in (17 * 16, 17 * 16 - 1):  # blocks times states, of a byte each
        monkeypatch.setattr(viterbi, "_METRICS_BYTES", room)
        viterbi.encode_plane(code, plane, mask)
    assert strides == [1, 4]


def vector_algorithm3(code: Code, plane: np.ndarray, mask: np.ndarray) -> int:
    """Algorithm 3 with NumPy over the states, for blocks too long for the plain form."""
    states = 1 << (code.n_in * code.n_s)
    windows = np.arange(states << code.n_in)
    bits = (windows[:, None] >> np.arange(code.constraint_length)) & 1
    outputs = bits @ code.generator.T.astype(np.int64) % 2
    cost = np.full(states, 10**9)
    cost[0] = 0
    for t in range(-(-plane.size // code.n_out)):
        part = slice(t * code.n_out, (t + 1) * code.n_out)
        care, wanted = mask[part], plane[part]
        block = ((outputs[:, : care.size] != wanted) & care).sum(axis=1)
        total = cost[windows >> code.n_in] + block
        cost = np.full(states, 10**9)
        np.minimum.at(cost, windows % states, total)
    return int(cost.min())


@pytest.mark.parametrize(
    "n_in, n_s, n_out, blocks",
    [
        (4, 2, 150, 3),  # path metrics past 8 bits
        (2, 3, 90, 6),
        (1, 4, 16384, 6),  # path metrics past 16 bits
    ],
)
def test_long_blocks_do_not_overflow_the_path_metrics(n_in: int, n_s: int, n_out: int, blocks: int) -> None:
    code, plane, mask = problem(n_in, n_s, n_out, n_out * blocks, 1.1, 5)
    symbols, cost = viterbi.encode_plane(code, plane, mask)
    assert cost == vector_algorithm3(code, plane, mask)
    decoded = decode_plain(code, ((symbols[:, None] >> np.arange(n_in)) & 1).astype(np.uint8))
    assert int((decoded.reshape(-1) != plane).sum()) == cost


def test_the_paper_code_at_full_window() -> None:
    # 2^16 states, 2^8 branches: the sizes of the paper's N_s = 2
    code = Code.uniform(n_in=8, n_out=80, n_s=2, seed=1)
    rng = np.random.default_rng(0)
    mask = rng.random(80 * 12) < 0.1
    plane = rng.integers(0, 2, mask.size, np.uint8)
    symbols, cost = viterbi.encode_plane(code, plane, mask)
    bits = ((symbols[:, None] >> np.arange(8)) & 1).astype(np.uint8)
    wrong = int(((decode_plain(code, bits).reshape(-1) != plane) & mask).sum())
    assert wrong == cost
    # a longer window never costs more than the shorter one it contains
    shorter = Code(n_in=8, n_out=80, n_s=0, generator=code.generator[:, :8])
    assert cost <= viterbi.encode_plane(shorter, plane, mask)[1]


def test_segments_are_encoded_plane_by_plane() -> None:
    code = Code.uniform(n_in=3, n_out=10, n_s=1, seed=3)
    rng = np.random.default_rng(4)
    targets = rng.integers(0, 1 << 16, 37).astype(np.uint16)
    mask = rng.random(37) < 0.5
    symbols = viterbi.encode_segment(code, targets, mask, 16)
    assert symbols.shape == (4, 3) and symbols.dtype == np.uint16
    wrong = np.where(mask, decode_plain(code, symbols).reshape(-1)[:37] ^ targets, 0)
    for q in range(16):
        plane = (targets >> q & 1).astype(np.uint8)
        assert int((wrong >> q & 1).sum()) == plain_algorithm3(code, plane, mask)[1]


def test_an_empty_plane_has_no_symbols() -> None:
    code = Code.uniform(n_in=2, n_out=4, n_s=1)
    symbols, cost = viterbi.encode_plane(code, np.zeros(0, np.uint8), np.zeros(0, bool))
    assert symbols.size == 0 and cost == 0


def test_a_window_too_long_is_refused() -> None:
    code = Code.uniform(n_in=5, n_out=10, n_s=4)
    with pytest.raises(InputError) as caught:
        viterbi.encode_plane(code, np.zeros(10, np.uint8), np.ones(10, bool))
    assert str(caught.value) == (
        "the viterbi encoder takes n_in * (n_s + 1) up to 24, not 25; use --encoder elimination"
    )
