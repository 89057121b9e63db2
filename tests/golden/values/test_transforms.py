import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS, to_bfloat16
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.golden.values.transforms import TRANSFORMS, forward, inverse


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize(("n_w", "word"), [(4, np.uint8), (8, np.uint8), (16, np.uint16)])
def test_every_word_comes_back(name: str, n_w: int, word: type) -> None:
    words = np.arange(1 << n_w, dtype=word)
    mapped = forward(name, words, n_w)
    assert mapped.dtype == words.dtype
    assert np.array_equal(np.sort(mapped), words)  # a permutation of the words of n_w bits
    assert np.array_equal(inverse(name, mapped, n_w), words)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50), st.sampled_from(TRANSFORMS))
def test_32_bit_words_come_back(values: list[int], name: str) -> None:
    words = np.array(values, np.uint32)
    assert np.array_equal(inverse(name, forward(name, words, 32), 32), words)


def test_sign_magnitude_is_what_its_name_says() -> None:
    values = np.arange(-127, 128, dtype=np.int8)
    mapped = forward("sign-magnitude", values.view(np.uint8), 8)
    assert np.array_equal(mapped & 127, np.abs(values))
    assert np.array_equal(mapped >> 7, values < 0)


def test_difference_is_the_gray_code() -> None:
    words = forward("difference", np.arange(256, dtype=np.uint8), 8)
    assert (np.bitwise_count(words[1:] ^ words[:-1]) == 1).all()


def test_unknown_transforms_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"^the transform must be one of none, difference, sign-magnitude, not 'x'$"
    ):
        forward("x", np.zeros(1, np.uint8), 8)


@pytest.mark.parametrize("name", [*TRANSFORMS, "auto"])
def test_constant_planes_are_not_stored_and_come_back(name: str) -> None:
    from xorweave.golden.code.code import Code

    rng = np.random.default_rng(4)
    weights = (rng.standard_normal((64, 128)) * 0.05).astype(np.float32)
    mask = np.abs(weights) > 0.08
    fmt = FORMATS["bf16"]
    bits = to_bfloat16(weights)
    code = Code.uniform(n_in=16, n_out=int(15.5 / mask.mean()), n_s=7)
    encoded = encode_tensor(bits, fmt, code, mask=mask, transform=name, drop_planes=True)
    assert np.array_equal(decode_tensor(encoded), np.where(mask, bits, 0))
    # |w| lies between .08 and .25: the exponents 123 and 124 share their upper bits
    assert (
        len(encoded.raw.stored_planes) < (16 if name == "sign-magnitude" else 13) or name == "sign-magnitude"
    )
    dropped = [q for q in range(16) if q not in encoded.raw.stored_planes]
    for q in dropped:
        assert not (encoded.symbols >> np.uint16(q) & np.uint16(1)).any()
