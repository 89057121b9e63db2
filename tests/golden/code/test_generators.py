from __future__ import annotations

import hashlib

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from xorweave.golden.base.bit_source import BitSource
from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.generators import FAMILIES, build_generator

# Frozen: the same words mean the same gates for ever.
FROZEN = {
    "family=uniform,n_in=8,n_out=80,n_s=2,seed=0": "9c5961b5",
    "family=uniform,n_in=8,n_out=80,n_s=2,seed=1": "01006564",
    "family=uniform,n_in=1,n_out=1,n_s=0,seed=3": "fa6d0f5b",
    "family=sparse,n_in=32,n_out=320,n_s=3,seed=0,taps=6": "49110522",
    "family=sparse,n_in=5,n_out=17,n_s=1,seed=9,taps=10": "349c6f93",
    "family=chain,n_in=32,n_out=320,n_s=3,run=10,seed=0,taps=2": "21120564",
    "family=chain,n_in=7,n_out=23,n_s=0,run=4,seed=2,taps=1": "4ffc1904",
    "family=identity,n_in=32,n_out=32,n_s=0": "9497eeb1",
}


@pytest.mark.parametrize("spec", FROZEN)
def test_check_values_are_frozen(spec: str) -> None:
    assert Code.from_spec(spec).check_value == FROZEN[spec]


def test_defaults_are_frozen() -> None:
    defaults = {
        "uniform": "",
        "sparse": ",taps=6",
        "chain": ",taps=2,run=10",
        "paired": ",pool=0,run=4",
        "graph": ",pool=0,run=4,start=2,history=0",
    }
    for family, words in defaults.items():
        sizes = f"family={family},n_in=8,n_out=40,n_s=3"
        assert Code.from_spec(sizes) == Code.from_spec(f"{sizes},seed=0{words}")
        assert Code.from_spec(sizes) != Code.from_spec(f"{sizes},seed=1{words}")


def test_uniform_bits_are_those_of_shake_256() -> None:
    stream = hashlib.shake_256(b"xorweave;uniform;3;5;1;7;1").digest(4)
    expected = [stream[k // 8] >> k % 8 & 1 for k in range(30)]
    matrix, used = build_generator("uniform", n_in=3, n_out=5, n_s=1, parameters={"seed": 7})
    assert matrix.reshape(-1).tolist() == expected
    assert used == {"seed": 7}


@pytest.mark.parametrize("family", ["uniform", "sparse", "chain"])
def test_seeds_and_sizes_give_other_matrices_and_the_same_words_the_same(family: str) -> None:
    def make(**changes: int) -> np.ndarray:
        sizes = {"n_in": 8, "n_out": 40, "n_s": 2, **changes}
        seed = sizes.pop("seed", 0)
        return build_generator(family, **sizes, parameters={"seed": seed})[0]

    assert np.array_equal(make(), make())
    assert not np.array_equal(make(), make(seed=1))
    assert not np.array_equal(make()[:20], make(n_out=20))


def test_uniform_is_balanced_over_all_and_in_every_column() -> None:
    matrix = Code.uniform(n_in=32, n_out=640, n_s=3, seed=0).generator
    ones = int(matrix.sum())
    assert stats.binomtest(ones, matrix.size, 0.5).pvalue > 1e-4
    columns = matrix.sum(axis=0)
    # 128 columns of 640 fair bits: chi-squared over the columns
    statistic = ((columns - 320) ** 2 / 160).sum()
    assert 1e-4 < stats.chi2.sf(statistic, 128) < 1 - 1e-4


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(0, 3), st.integers(1, 60), st.integers(0, 99), st.data())
def test_sparse_rows_have_their_taps_and_columns_are_used_evenly(
    n_in: int, n_s: int, n_out: int, seed: int, data: st.DataObject
) -> None:
    columns = n_in * (n_s + 1)
    taps = data.draw(st.integers(1, columns))
    matrix = build_generator(
        "sparse", n_in=n_in, n_out=n_out, n_s=n_s, parameters={"seed": seed, "taps": taps}
    )[0]
    assert (matrix.sum(axis=1) == taps).all()
    # a card that cannot be dealt twice to one hand is put back, so a column is at most two deals ahead
    use = matrix.sum(axis=0)
    assert use.max() - use.min() <= 2


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(0, 3), st.integers(1, 60), st.integers(1, 15), st.data())
def test_chains_step_by_their_taps_and_start_anew(
    n_in: int, n_s: int, n_out: int, run: int, data: st.DataObject
) -> None:
    columns = n_in * (n_s + 1)
    taps = data.draw(st.integers(1, columns))
    matrix = build_generator("chain", n_in=n_in, n_out=n_out, n_s=n_s, parameters={"taps": taps, "run": run})[
        0
    ].astype(int)
    for row in range(n_out):
        if row % run == 0:
            assert matrix[row].sum() in (columns, columns - 1, max(5, taps), max(5, taps) + 1)
            assert matrix[row].sum() % 2 == 1  # even rows and even taps would lack a rank
        else:
            assert (matrix[row] ^ matrix[row - 1]).sum() == taps


@pytest.mark.parametrize(
    "spec",
    [
        "family=uniform,n_in=8,n_out=80,n_s=2",
        "family=uniform,n_in=32,n_out=320,n_s=7",
        "family=sparse,n_in=32,n_out=320,n_s=3,taps=7",
        "family=chain,n_in=32,n_out=320,n_s=3,taps=1,run=20",
        "family=chain,n_in=64,n_out=640,n_s=3,taps=2,run=10",
        "family=identity,n_in=32,n_out=32,n_s=0",
    ],
)
def test_generators_have_full_column_rank(spec: str) -> None:
    code = Code.from_spec(spec)
    # rows that all have an even number of ones cannot tell a window from its complement: one bit of a stream
    even = (code.generator.sum(axis=1) % 2 == 0).all()
    assert np.linalg.matrix_rank(galois.GF2(code.generator)) == code.constraint_length - even


def test_identity_gives_out_the_newest_symbol() -> None:
    matrix, used = build_generator("identity", n_in=4, n_out=4, n_s=2, parameters={})
    assert np.array_equal(matrix, np.hstack([np.eye(4), np.zeros((4, 8))])) and used == {}


def test_bounded_integers_are_uniform() -> None:
    source = BitSource("test")
    counts = np.bincount([source.below(7) for _ in range(7000)], minlength=7)
    assert counts.size == 7
    assert stats.chisquare(counts).pvalue > 1e-4
    assert BitSource("test").below(1) == 0


def test_shuffling_is_a_permutation_and_leaves_its_input_alone() -> None:
    items = list(range(50))
    shuffled = BitSource("cards").shuffled(items)
    assert items == list(range(50)) and shuffled != items and sorted(shuffled) == items
    # every card comes first about equally often
    source = BitSource("fair")
    first = np.bincount([source.shuffled([0, 1, 2, 3, 4])[0] for _ in range(4000)], minlength=5)
    assert stats.chisquare(first).pvalue > 1e-4


@pytest.mark.parametrize(
    "family, parameters, message",
    [
        ("dense", {}, f"the generator family must be one of {', '.join(sorted(FAMILIES))}, not 'dense'"),
        ("uniform", {"taps": 3}, "the family uniform takes seed, not taps"),
        ("sparse", {"taps": 0}, "taps must be between 1 and the constraint length 6, not 0"),
        ("sparse", {"taps": 7}, "taps must be between 1 and the constraint length 6, not 7"),
        ("chain", {"taps": 7}, "taps must be between 1 and the constraint length 6, not 7"),
        ("chain", {"run": 0}, "run must be at least 1, not 0"),
        ("uniform", {"seed": -1}, "seed must be between 0 and 2^63 - 1, not -1"),
        ("uniform", {"seed": 1 << 63}, f"seed must be between 0 and 2^63 - 1, not {1 << 63}"),
        ("sparse", {"taps": -(10**50)}, f"taps must be between 0 and 2^63 - 1, not {'-1' + 38 * '0'}"),
        ("identity", {}, "the identity family needs n_in = n_out, not 3 and 9"),
        *(
            (
                family,
                {"pool": 10**9},
                f"a generator of the family {family} with n_in=3, n_out=9, n_s=1 and {{'pool': 1000000000}} "
                f"must take at most {1 << 29} steps to make here, not {steps}",
            )
            for family, steps in (("graph", 15 * 10**9), ("paired", 78 * 10**9))
        ),
    ],
)
def test_what_a_family_cannot_make_is_refused(family: str, parameters: dict[str, int], message: str) -> None:
    with pytest.raises(InputError) as caught:
        build_generator(family, n_in=3, n_out=9, n_s=1, parameters=parameters)
    assert str(caught.value) == message
