import numpy as np
import pytest

from xorweave.golden.base.bit_source import BitSource, below


@pytest.mark.parametrize("before", [0, 3, 1023])
def test_compiled_code_draws_what_python_draws(before: int) -> None:
    bounds = [1, 2, 3, 1000, (1 << 31) + 1, 7] * 400  # half the words are too high for the fifth
    one, other = BitSource("draws"), BitSource("draws")
    for _ in range(before):
        assert one.below(10) == other.below(10)
    words = one.words(4000)
    at, drawn = 0, []
    for bound in bounds:
        value, at = below(words, at, bound)
        drawn.append(value)
    assert drawn == [other.below(bound) for bound in bounds]


def test_words_that_run_out_are_said_to() -> None:
    words = BitSource("end").words(2)
    assert below(words, 2, 5)[1] == -1
    assert below(np.array([0xFFFFFFFF], np.uint32), 0, 3)[1] == -1  # too high: it would favour 0
    assert below(np.array([0xFFFFFFFF, 4], np.uint32), 0, 3) == (1, 2)


def test_words_come_in_the_order_of_draws_and_are_not_used_again() -> None:
    one, other = BitSource("order"), BitSource("order")
    words = [*one.words(1500), *one.words(700)]
    assert words == [other.below(1 << 32) for _ in range(2200)]
