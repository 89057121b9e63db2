import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.encoders.stream_start import best_start, dependent_positions, error_free_start
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor


def equations(code: Code, mask: np.ndarray) -> np.ndarray:
    """Write every kept position's equation in all encoded bits of the stream, one row each, in scan order."""
    blocks = -(-mask.size // code.n_out)
    rows = []
    for position in np.flatnonzero(mask):
        t, r = divmod(int(position), code.n_out)
        row = np.zeros(blocks * code.n_in, np.uint8)
        for age in range(min(t, code.n_s) + 1):
            row[(t - age) * code.n_in : (t - age + 1) * code.n_in] = code.generator[
                r, age * code.n_in : (age + 1) * code.n_in
            ]
        rows.append(row)
    return np.array(rows, np.uint8).reshape(len(rows), blocks * code.n_in)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30))
def test_the_start_is_the_one_whose_worst_prefix_is_best(care: list[int]) -> None:
    code = Code.uniform(n_in=2, n_out=4, n_s=1)
    mask = np.array([[i < number for i in range(4)] for number in care]).reshape(-1)

    def worst(start: int) -> int:
        return int(np.cumsum([2 - number for number in care[start:] + care[:start]]).min())

    start, offset = divmod(best_start(mask, code), 4)
    assert offset == 0
    assert worst(start) == max(worst(other) for other in range(len(care)))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["uniform", "sparse", "graph"]), st.integers(0, 40))
def test_dependent_positions_are_where_the_rank_does_not_rise(seed: int, family: str, cut: int) -> None:
    extra = {"taps": 3} if family == "sparse" else {}
    code = Code.from_family(family, n_in=6, n_out=20, n_s=2, seed=seed % 7, **extra)
    mask = random_mask((100 - cut,), 0.7, seed)
    matrix = galois.GF2(equations(code, mask))
    ranks = [np.linalg.matrix_rank(matrix[: k + 1]) for k in range(len(matrix))]
    stuck = np.diff([0, *ranks]) == 0
    assert dependent_positions(code, mask).tolist() == np.flatnonzero(mask)[stuck].tolist()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_from_the_start_found_any_values_are_encoded(seed: int) -> None:
    code = Code.from_name("graph-128-1225-k256")
    mask = random_mask((1 << 16,), 0.9, seed)
    start, tries = error_free_start(mask, code)
    assert start is not None and 1 <= tries <= 16
    values = np.random.default_rng(seed).integers(-128, 128, mask.size).astype(np.int8)
    encoded = encode_tensor(
        values,
        number_format("int8"),
        code,
        mask=mask,
        scan=Interleaver(n=mask.size, offset=start),
        options=EncodeOptions(encoder="elimination", corrections="none"),
    )
    assert encoded.patches.positions.size == 0


def test_a_rate_beyond_the_limit_has_no_such_start() -> None:
    code = Code.uniform(n_in=8, n_out=100, n_s=3)
    assert error_free_start(random_mask((5000,), 0.9, 0), code, tries=3) == (None, 3)
