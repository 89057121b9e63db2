from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.generators import FAMILIES


@given(st.integers(1, 20), st.integers(1, 50), st.integers(0, 5), st.integers(0, 2**63 - 1))
def test_words_make_the_same_code_again(n_in: int, n_out: int, n_s: int, seed: int) -> None:
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed)
    again = Code.from_spec(code.spec)
    assert again == code and hash(again) == hash(code)
    assert again.spec == code.spec and again.check_value == code.check_value


@pytest.mark.parametrize("family", ["uniform", "sparse", "chain", "identity"])
def test_words_hold_every_parameter_used(family: str) -> None:
    code = Code.from_family(family, n_in=8, n_out=8, n_s=1)
    assert Code.from_spec(code.spec) == code
    keys = [item.split("=")[0] for item in code.spec.split(",")]
    assert keys[:4] == ["family", "n_in", "n_out", "n_s"]
    assert keys[4:] == sorted(code.parameters)


def test_words_may_have_spaces_capitals_and_no_family() -> None:
    assert Code.from_spec(" N_in = 8 , n_OUT=26,n_s=2") == Code.uniform(n_in=8, n_out=26, n_s=2)


def test_figures_of_the_papers_code() -> None:
    code = Code.uniform(n_in=8, n_out=80, n_s=2)
    assert code.constraint_length == 24
    assert code.rate == 0.1
    assert code.generator.shape == (80, 24)


def test_the_check_value_is_a_crc_of_sizes_and_packed_rows() -> None:
    matrix = np.array([[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 1]])
    code = Code(n_in=2, n_out=3, n_s=1, generator=matrix)
    assert code.check_value == f"{zlib.crc32(b'2,3,1;' + bytes([0b1101, 0b0110, 0b1111])):08x}"
    assert repr(code) == f"Code(family=custom,n_in=2,n_out=3,n_s=1, check_value={code.check_value})"


def test_the_check_value_sees_every_element() -> None:
    code = Code.uniform(n_in=4, n_out=9, n_s=1, seed=1)
    seen = {code.check_value}
    for r in range(9):
        for c in range(8):
            matrix = code.generator.copy()
            matrix[r, c] ^= 1
            other = Code(n_in=4, n_out=9, n_s=1, generator=matrix)
            assert other != code
            seen.add(other.check_value)
    assert len(seen) == 73


def test_codes_of_other_sizes_differ_though_their_matrices_have_one_shape() -> None:
    matrix = np.eye(4, dtype=np.uint8)
    a = Code(n_in=4, n_out=4, n_s=0, generator=matrix)
    b = Code(n_in=2, n_out=4, n_s=1, generator=matrix)
    assert a != b and a.check_value != b.check_value
    assert a != "code"


def test_the_matrix_cannot_be_changed_afterwards() -> None:
    matrix = np.ones((3, 2), np.uint8)
    code = Code(n_in=2, n_out=3, n_s=0, generator=matrix)
    matrix[0, 0] = 0
    assert code.generator[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        code.generator[0, 0] = 0


@pytest.mark.parametrize(
    "sizes, message",
    [
        ({"n_in": 0}, "n_in must be between 1 and 1024, not 0"),
        ({"n_in": 1025}, "n_in must be between 1 and 1024, not 1025"),
        ({"n_in": 2.0}, "n_in must be an integer, not 2.0"),
        ({"n_in": "8"}, "n_in must be an integer, not '8'"),
        ({"n_out": 0}, "n_out must be between 1 and 16384, not 0"),
        ({"n_out": 10**12}, "n_out must be between 1 and 16384, not 1000000000000"),
        ({"n_s": -1}, "n_s must be between 0 and 4096, not -1"),
        ({"n_s": None}, "n_s must be an integer, not None"),
        ({"n_s": 2048}, "the constraint length n_in * (n_s + 1) must be at most 4096, not 4098"),
    ],
)
@pytest.mark.parametrize("way", ["family", "matrix"])
def test_sizes_out_of_range_are_refused(way: str, sizes: dict[str, object], message: str) -> None:
    arguments = {"n_in": 2, "n_out": 3, "n_s": 0, **sizes}
    with pytest.raises(InputError) as caught:
        if way == "family":
            Code.uniform(**arguments)  # type: ignore[arg-type]
        else:
            Code(generator=np.zeros((3, 2)), **arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "matrix, message",
    [
        (np.zeros((2, 3)), "the generator must have shape (3, 2), not (2, 3)"),
        (np.full((3, 2), 2), "the generator must hold only 0 and 1"),
        (np.full((3, 2), 0.5), "the generator must hold only 0 and 1"),
        (np.full((3, 2), np.nan), "the generator must hold only 0 and 1"),
    ],
)
def test_matrices_that_are_no_generator_are_refused(matrix: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Code(n_in=2, n_out=3, n_s=0, generator=matrix)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "spec, message",
    [
        ("", "a code must be written as KEY=VALUE,..., not '' in ''"),
        ("n_in=8,,n_s=1", "a code must be written as KEY=VALUE,..., not '' in 'n_in=8,,n_s=1'"),
        ("n_in=8,n_out", "a code must be written as KEY=VALUE,..., not 'n_out' in 'n_in=8,n_out'"),
        ("=3", "a code must be written as KEY=VALUE,..., not '=3' in '=3'"),
        ("n_in=8,N_IN=9", "the code 'n_in=8,N_IN=9' names n_in twice"),
        ("n_in=eight", "n_in must be an integer, not 'eight'"),
        ("n_in=1.5", "n_in must be an integer, not '1.5'"),
        ("n_in=8", "the code 'n_in=8' must give n_out, n_s"),
        ("n_in=0,n_out=8,n_s=0", "n_in must be between 1 and 1024, not 0"),
        ("n_in=8,n_out=8,n_s=0,taps=3", "the family uniform takes seed, not taps"),
        ("cls=1,n_in=8,n_out=8,n_s=0", "the family uniform takes seed, not cls"),
        ("self=1,n_in=8,n_out=8,n_s=0", "the family uniform takes seed, not self"),
        (
            "family=custom,n_in=8,n_out=8,n_s=0",
            f"the generator family must be one of {', '.join(sorted(FAMILIES))}, not 'custom'",
        ),
    ],
)
def test_words_that_are_no_code_are_refused(spec: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Code.from_spec(spec)
    assert str(caught.value) == message
