from __future__ import annotations

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.code.galois_decoder import stream_matrix
from tests.golden.encoders.plain_elimination import equation, plain_elimination
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain, decode_words
from xorweave.golden.encoders import viterbi
from xorweave.golden.encoders.elimination import encode_segment, rotated_rows


def differences(code: Code, targets: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What the decoder gets wrong after elimination, position by position."""
    symbols = encode_segment(code, targets, mask, rotated_rows(code))
    assert symbols.shape == (-(-targets.size // code.n_out), code.n_in)
    assert symbols.dtype == targets.dtype
    decoded = decode_words(code, symbols).reshape(-1)[: targets.size]
    return np.where(mask, decoded ^ targets, 0)


def random_problem(n: int, density: float, word: type, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, np.iinfo(word).max, n, word, endpoint=True)
    return targets, rng.random(n) < density


def test_the_oracle_agrees_with_ranks_of_the_growing_system() -> None:
    code = Code.uniform(n_in=3, n_out=7, n_s=2, seed=5)
    targets, mask = random_problem(40, 0.7, np.uint8, 1)
    targets &= 1
    matrix = stream_matrix(code, 6, 6)
    for position in range(40):
        bits = [int(bit) for bit in matrix[position]]
        assert equation(code, position) == sum(bit << c for c, bit in enumerate(bits))
    wrong = plain_elimination(code, targets, mask)
    assert wrong.any()  # else this example shows nothing
    kept: list[int] = []
    for position in np.flatnonzero(mask):
        system = matrix[[*kept, position]]
        if np.linalg.matrix_rank(system) == len(kept) + 1:
            assert wrong[position] == 0
            kept.append(int(position))
            continue
        # dependent: it holds exactly if the right-hand side keeps the system consistent
        augmented = np.concatenate([system, galois.GF2(targets[[*kept, position]])[:, None]], axis=1)
        consistent = np.linalg.matrix_rank(augmented) == len(kept)
        assert (wrong[position] == 0) == consistent


# n_in, n_s, n_out, blocks, density: windows of 63, 64, 65, 128 ... 1024 columns, n_in that do not divide 64
WINDOWS = [
    (1, 0, 1, 9, 0.8),
    (1, 0, 3, 9, 0.5),
    (3, 2, 7, 20, 0.5),
    (7, 8, 14, 30, 0.55),  # K = 63
    (8, 7, 16, 30, 0.55),  # K = 64
    (13, 4, 26, 30, 0.55),  # K = 65
    (5, 12, 10, 40, 0.55),  # K = 65
    (16, 7, 20, 30, 0.85),  # K = 128
    (43, 2, 80, 12, 0.6),  # K = 129
    (32, 7, 60, 20, 0.6),  # K = 256
    (37, 6, 60, 20, 0.7),  # K = 259: the words of a row are rounded up to 8
    (64, 7, 100, 14, 0.7),  # K = 512
    (128, 7, 200, 12, 0.7),  # K = 1024
    (100, 9, 150, 12, 0.7),  # K = 1000
    (128, 0, 150, 6, 0.9),
    (1, 255, 2, 400, 0.55),  # many slots
]


@pytest.mark.parametrize("n_in, n_s, n_out, blocks, density", WINDOWS)
def test_what_stays_unmatched_is_exactly_what_greedy_must_give_up(
    n_in: int, n_s: int, n_out: int, blocks: int, density: float
) -> None:
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=n_in + n_s)
    targets, mask = random_problem(blocks * n_out - n_out // 3, density, np.uint8, n_out)
    wrong = differences(code, targets, mask)
    expected = plain_elimination(code, targets, mask)
    assert np.array_equal(wrong != 0, expected != 0)
    assert np.array_equal(wrong, expected)


@pytest.mark.parametrize("family", ["sparse", "chain", "identity"])
def test_structured_generators_give_up_no_more_than_greedy(family: str) -> None:
    n_out = 20 if family == "identity" else 47
    code = Code.from_family(family, n_in=20, n_out=n_out, n_s=5)
    targets, mask = random_problem(n_out * 25 - 4, 1.0 if family == "identity" else 0.5, np.uint8, 3)
    wrong = differences(code, targets, mask)
    assert np.array_equal(wrong, plain_elimination(code, targets, mask))
    if family == "identity":
        assert not wrong.any()


@settings(max_examples=60)
@given(
    st.integers(1, 21),
    st.integers(0, 4),
    st.integers(1, 50),
    st.integers(1, 160),
    st.floats(0.0, 1.0),
    st.integers(0, 10**6),
)
def test_any_sizes(n_in: int, n_s: int, n_out: int, n: int, density: float, seed: int) -> None:
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed % 13)
    targets, mask = random_problem(n, density, np.uint8, seed)
    assert np.array_equal(differences(code, targets, mask), plain_elimination(code, targets, mask))


@pytest.mark.parametrize("word", [np.uint16, np.uint32])
def test_planes_of_wider_words_are_solved_side_by_side(word: type) -> None:
    code = Code.uniform(n_in=8, n_out=16, n_s=7, seed=2)
    targets, mask = random_problem(640, 0.6, word, 8)
    wrong = differences(code, targets, mask)
    assert np.array_equal(wrong, plain_elimination(code, targets, mask))
    assert wrong.max() > 255  # the high planes were put to work, too


def test_each_plane_is_what_it_would_be_alone() -> None:
    code = Code.uniform(n_in=8, n_out=20, n_s=3, seed=9)
    targets, mask = random_problem(300, 0.5, np.uint8, 21)
    rows = rotated_rows(code)
    together = encode_segment(code, targets, mask, rows)
    for q in range(8):
        alone = encode_segment(code, targets >> np.uint8(q) & np.uint8(1), mask, rows)
        assert np.array_equal(together >> np.uint8(q) & np.uint8(1), alone)


def test_masks_without_and_with_every_position() -> None:
    code = Code.uniform(n_in=8, n_out=16, n_s=7, seed=2)
    targets, _mask = random_problem(333, 0.5, np.uint8, 3)
    nothing = np.zeros(333, bool)
    symbols = encode_segment(code, targets, nothing, rotated_rows(code))
    assert not symbols.any()  # free columns are 0
    everything = np.ones(333, bool)
    wrong = differences(code, targets, everything)
    assert np.array_equal(wrong, plain_elimination(code, targets, everything))


def test_greedy_never_beats_the_exact_encoder() -> None:
    code = Code.uniform(n_in=4, n_out=9, n_s=2, seed=6)
    for seed in range(5):
        targets, mask = random_problem(200, 0.5, np.uint8, seed)
        targets &= 1
        greedy = int(np.count_nonzero(differences(code, targets, mask)))
        assert greedy >= viterbi.encode_plane(code, targets, mask)[1]


def test_rows_are_rotated_by_the_phase_of_the_ring() -> None:
    code = Code.uniform(n_in=13, n_out=5, n_s=4, seed=7)  # K = 65
    rows = rotated_rows(code)
    assert rows.shape == (5, 5, 2) and rows.dtype == np.uint64
    for t in range(5, 15):  # past the start every slot of the ring is in use
        for r in range(5):
            number = int(rows[t % 5, r, 0]) | int(rows[t % 5, r, 1]) << 64
            expected = 0
            for age in range(5):
                for b in range(13):
                    if code.generator[r, age * 13 + b]:
                        expected |= 1 << ((t - age) % 5 * 13 + b)
            assert number == expected


def test_an_empty_segment_has_no_symbols() -> None:
    code = Code.uniform(n_in=8, n_out=16, n_s=7, seed=2)
    symbols = encode_segment(code, np.zeros(0, np.uint8), np.zeros(0, bool), rotated_rows(code))
    assert symbols.shape == (0, 8)
    assert decode_plain(code, symbols).shape == (0, 16)
