from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.code.galois_decoder import decode_by_matrix
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import _CHUNK_BYTES, decode_plain, decode_words


def random_symbols(blocks: int, n_in: int, word: type, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(word).max, (blocks, n_in), word, endpoint=True)


@settings(max_examples=50)
@given(
    st.sampled_from(["uniform", "sparse", "chain", "identity"]),
    st.integers(1, 9),
    st.integers(0, 4),
    st.integers(1, 30),
    st.integers(0, 12),
    st.none() | st.integers(1, 14),
    st.integers(0, 999),
)
def test_three_decoders_agree(
    family: str, n_in: int, n_s: int, n_out: int, blocks: int, segment: int | None, seed: int
) -> None:
    taps = {"uniform": {}, "identity": {}}.get(family, {"taps": min(4, n_in * (n_s + 1))})
    n_out = n_in if family == "identity" else n_out
    code = Code.from_family(family, n_in=n_in, n_out=n_out, n_s=n_s, **taps)
    symbols = random_symbols(blocks, n_in, np.uint8, seed)
    plain = decode_plain(code, symbols, segment)
    assert plain.shape == (blocks, n_out) and plain.dtype == np.uint8
    assert np.array_equal(decode_words(code, symbols, segment), plain)
    assert np.array_equal(decode_by_matrix(code, symbols, 8, segment), plain)


@pytest.mark.parametrize("word", [np.uint8, np.uint16, np.uint32])
def test_words_of_every_width(word: type) -> None:
    code = Code.uniform(n_in=8, n_out=26, n_s=2, seed=4)
    symbols = random_symbols(9, 8, word, 1)
    plain = decode_plain(code, symbols)
    assert plain.dtype == word
    assert np.array_equal(decode_words(code, symbols), plain)
    assert np.array_equal(decode_by_matrix(code, symbols, np.dtype(word).itemsize * 8), plain)


@pytest.mark.parametrize("blocks", [_CHUNK_BYTES - 1, _CHUNK_BYTES, _CHUNK_BYTES + 1, 2 * _CHUNK_BYTES + 3])
def test_the_fast_decoder_carries_its_history_from_chunk_to_chunk(blocks: int) -> None:
    code = Code.uniform(n_in=2, n_out=3, n_s=3, seed=8)
    symbols = random_symbols(blocks, 2, np.uint8, blocks)
    assert np.array_equal(decode_words(code, symbols), decode_plain(code, symbols))
    assert np.array_equal(decode_words(code, symbols, 700), decode_plain(code, symbols, 700))


def test_history_is_zero_at_the_start_of_every_segment() -> None:
    code = Code.uniform(n_in=5, n_out=12, n_s=3, seed=2)
    symbols = random_symbols(11, 5, np.uint8, 3)
    whole = decode_words(code, symbols, 4)
    for first in (0, 4, 8):
        assert np.array_equal(whole[first : first + 4], decode_words(code, symbols[first : first + 4]))
    # and only there: inside a segment the history counts
    assert not np.array_equal(whole[1], decode_words(code, symbols[1:2])[0])


def test_an_output_depends_on_its_window_alone() -> None:
    code = Code.uniform(n_in=3, n_out=8, n_s=2, seed=1)
    symbols = random_symbols(10, 3, np.uint8, 5)
    other = symbols.copy()
    other[4] ^= 255
    changed = (decode_words(code, symbols) != decode_words(code, other)).any(axis=1)
    assert changed[:4].sum() == 0 and changed[7:].sum() == 0
    assert changed[4:7].any()


def test_bit_planes_do_not_mix() -> None:
    code = Code.uniform(n_in=4, n_out=9, n_s=1, seed=1)
    symbols = random_symbols(6, 4, np.uint8, 6)
    whole = decode_words(code, symbols)
    for q in range(8):
        plane = symbols & np.uint8(1 << q)
        assert np.array_equal(decode_words(code, plane), whole & np.uint8(1 << q))


def test_symbols_need_not_be_contiguous() -> None:
    code = Code.uniform(n_in=4, n_out=9, n_s=1, seed=1)
    wide = random_symbols(6, 8, np.uint8, 6)
    assert np.array_equal(decode_words(code, wide[:, ::2]), decode_plain(code, wide[:, ::2].copy()))
