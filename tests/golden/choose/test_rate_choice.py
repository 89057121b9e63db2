"""One decoder, several rates: each tensor gets the rate that stores it best, and comes back bit for bit."""

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.choose.rate_choice import check_rates, choose_rate
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.golden.tensor.figures import figures_of

CODE = Code.uniform(n_in=24, n_out=60, n_s=3, seed=2)
RATES = (4, 8, 14, 24)
INT8 = number_format("int8")


def _tensor(density: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    mask = rng.random(6000) < density
    return np.where(mask, rng.integers(-128, 128, 6000), 0).astype(np.int8), mask


@pytest.mark.parametrize("density", [0.05, 0.2])
def test_no_other_rate_stores_the_tensor_in_fewer_bits(density: float) -> None:
    values, mask = _tensor(density)
    code, scan = choose_rate(mask, 8, CODE, RATES)

    def bits(n_in: int) -> int:
        encoded = encode_tensor(values, INT8, CODE.punctured(n_in), mask=mask, scan=scan)
        figures = figures_of(encoded)
        return figures.payload_bits + figures.correction_bits

    assert code.n_in == min(RATES, key=bits)
    assert code == CODE.punctured(code.n_in)


def test_the_words_of_code_choose_and_nothing_is_lost() -> None:
    choice = CodeChoice.parse("n_in=24,n_out=60,n_s=3,seed=2,rates=4/8/14/24")
    found = set()
    for density in (0.05, 0.2):
        values, mask = _tensor(density)
        encoded = choice.encode(values, INT8, mask)
        found.add(encoded.code.n_in)
        assert encoded.code == CODE.punctured(encoded.code.n_in)
        assert np.array_equal(decode_tensor(encoded), values)
    assert len(found) == 2


def test_puncturing_is_zeroing_the_bits_above() -> None:
    code = CODE.punctured(8)
    rng = np.random.default_rng(1)
    window = rng.integers(0, 2, (4, 24)).astype(np.uint8)
    window[:, 8:] = 0
    whole = CODE.generator @ window.reshape(-1) % 2
    assert np.array_equal(code.generator @ window[:, :8].reshape(-1) % 2, whole)


@pytest.mark.parametrize("rates", [(), (8, 4, 24), (4, 8), (0, 24), (8, 8, 24)])
def test_rates_that_are_none_are_refused(rates: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="rates must increase from at least 1 to the code's n_in = 24"):
        check_rates(CODE, rates)


@pytest.mark.parametrize("words", ["rates=4/x", "rates=4/24,rates=24", "rates="])
def test_words_that_name_no_rates_are_refused(words: str) -> None:
    with pytest.raises(InputError, match="rates must be given once, as rates=A/B"):
        CodeChoice.parse(f"n_in=24,n_out=60,n_s=3,{words}")
