from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import (
    FORMATS,
    from_bfloat16,
    from_planes,
    number_format,
    to_bfloat16,
    to_planes,
)

names = st.sampled_from(sorted(FORMATS))


def test_the_formats_of_the_contract_are_there() -> None:
    widths = {"int4": 4, "int8": 8, "fp16": 16, "bf16": 16, "fp32": 32}
    assert {name: FORMATS[name].n_w for name in widths} == widths


@given(names, st.data())
def test_every_word_survives_bit_for_bit(name: str, data: st.DataObject) -> None:
    fmt = number_format(name)
    numbers = data.draw(st.lists(st.integers(0, (1 << fmt.n_w) - 1), max_size=30))
    words = np.array(numbers, fmt.word)
    values = fmt.from_words(words)
    assert values.dtype == fmt.storage
    assert np.array_equal(fmt.to_words(values), words)


@pytest.mark.parametrize(
    "name, value, word",
    [
        ("int4", -8, 0b1000),
        ("int4", -1, 0b1111),
        ("int4", 7, 0b0111),
        ("int8", -128, 0x80),
        ("uint8", 200, 200),
        ("int16", -2, 0xFFFE),
        ("int32", -(2**31), 0x80000000),
        ("fp16", -0.0, 0x8000),
        ("fp16", 1.0, 0x3C00),
        ("fp32", -0.0, 0x80000000),
        ("fp32", 1.5, 0x3FC00000),
    ],
)
def test_words_are_the_known_patterns(name: str, value: float, word: int) -> None:
    fmt = number_format(name)
    assert fmt.to_words(np.array([value], fmt.storage)).tolist() == [word]


def test_nan_payloads_and_their_signs_survive() -> None:
    fmt = number_format("fp32")
    words = np.array([0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0xFFA5A5A5], np.uint32)
    values = fmt.from_words(words)
    assert np.isnan(values).all()
    assert np.array_equal(fmt.to_words(values), words)


def test_the_whole_of_int4_and_not_more() -> None:
    fmt = number_format("int4")
    values = np.arange(-8, 8, dtype=np.int8)
    assert fmt.from_words(fmt.to_words(values)).tolist() == list(range(-8, 8))
    for outside in (-9, 8):
        with pytest.raises(InputError) as caught:
            fmt.to_words(np.array([outside], np.int8))
        assert str(caught.value) == "int4 weights must lie between -8 and 7"


def test_values_that_are_not_contiguous_keep_their_order() -> None:
    fmt = number_format("fp32")
    values = np.arange(24, dtype=np.float32).reshape(4, 6).T[::2]
    assert np.array_equal(fmt.to_words(values), values.copy().view(np.uint32))
    small = number_format("int4")
    narrow = np.arange(-8, 8, dtype=np.int8).reshape(4, 4).T
    assert np.array_equal(small.from_words(small.to_words(narrow)), narrow)


def test_another_dtype_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        number_format("fp32").to_words(np.zeros(3, np.float64))
    assert str(caught.value) == "fp32 weights must be held in float32, not float64"


def test_another_name_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        number_format("fp8")
    assert str(caught.value) == (f"the number format must be one of {', '.join(FORMATS)}, not 'fp8'")


def bfloat16_value(bits: int) -> Fraction:
    """Value of a finite BF16 word by the definition of its fields."""
    sign = -1 if bits >> 15 else 1
    exponent, fraction = bits >> 7 & 0xFF, bits & 0x7F
    if exponent == 0:
        return Fraction(sign * fraction, 1 << 7) * Fraction(2) ** -126
    return sign * (1 + Fraction(fraction, 1 << 7)) * Fraction(2) ** (exponent - 127)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_bfloat16_is_the_nearest_ties_to_even(value: float) -> None:
    bits = int(to_bfloat16(np.array([value], np.float32))[0])
    if bits & 0x7FFF == 0x7F80:  # rounded past the largest finite number
        assert abs(Fraction(value)) >= bfloat16_value(0x7F7F) + Fraction(2) ** 119
        return
    distance = abs(bfloat16_value(bits) - Fraction(value))
    for other in {
        max(bits & 0x7FFF, 1) - 1 | bits & 0x8000,
        min((bits & 0x7FFF) + 1, 0x7F7F) | bits & 0x8000,
    }:
        apart = abs(bfloat16_value(other) - Fraction(value))
        assert distance < apart or (distance == apart and bits & 1 == 0) or other == bits
    assert (bits >> 15) == struct.unpack("<I", struct.pack("<f", value))[0] >> 31


@pytest.mark.parametrize("word", [0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0xFF800001, 0x7FC00000])
def test_bfloat16_of_nan_is_a_quiet_nan(word: int) -> None:
    bits = int(to_bfloat16(np.array([word], np.uint32).view(np.float32))[0])
    assert bits & 0x7FC0 == 0x7FC0 and bits >> 15 == word >> 31
    assert np.isnan(from_bfloat16(np.array([bits], np.uint16)))[0]


def test_every_bfloat16_widens_and_comes_back() -> None:
    every = np.arange(1 << 16, dtype=np.uint16)
    wide = from_bfloat16(every)
    finite = np.isfinite(wide)
    assert np.array_equal(to_bfloat16(wide[finite]), every[finite])
    assert [Fraction(float(wide[k])) for k in (1, 0x80, 0x3F80, 0xC2AA)] == [
        bfloat16_value(k) for k in (1, 0x80, 0x3F80, 0xC2AA)
    ]


@given(names, st.data())
def test_planes_there_and_back(name: str, data: st.DataObject) -> None:
    fmt = number_format(name)
    limit = (1 << fmt.n_w) - 1
    words = data.draw(hnp.arrays(fmt.word, st.integers(0, 20), elements=st.integers(0, limit)))
    planes = to_planes(words, fmt.n_w)
    assert planes.shape == (fmt.n_w, words.size) and planes.dtype == np.uint8
    for q in range(fmt.n_w):
        assert planes[q].tolist() == [int(word) >> q & 1 for word in words]
    assert np.array_equal(from_planes(planes, fmt.word), words)


def test_words_are_as_wide_as_their_type_but_for_int4() -> None:
    widths = {name: form.n_w for name, form in FORMATS.items()}
    assert widths == {n: 4 if n == "int4" else 8 * form.word.itemsize for n, form in FORMATS.items()}
