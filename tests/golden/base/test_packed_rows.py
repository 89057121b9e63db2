from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.packed_rows import PackedRows, pack_words, unpack_words


def bits_by_hand(words: np.ndarray, planes: list[int]) -> list[int]:
    return [int(word) >> q & 1 for word in words.tolist() for q in planes]


@given(
    st.sampled_from(["uint8", "uint16", "uint32", "uint64"]),
    st.data(),
    st.integers(0, 6),
    st.integers(1, 5),
    st.integers(0, 10**6),
)
def test_packed_as_by_hand_and_read_in_slices(
    word: str, data: st.DataObject, rows: int, columns: int, seed: int
) -> None:
    dtype = np.dtype(word)
    width = 8 * dtype.itemsize
    planes = sorted(data.draw(st.sets(st.integers(0, width - 1), max_size=width)))
    if data.draw(st.booleans()):
        planes = list(range(width))
    stored = sum(1 << q for q in planes)
    words = (
        np.random.default_rng(seed)
        .integers(0, 1 << width, (rows, columns), np.uint64, endpoint=False)
        .astype(dtype)
        if width < 64
        else np.random.default_rng(seed).integers(0, 1 << 63, (rows, columns), np.uint64)
    )
    words &= dtype.type(stored)
    packed = pack_words(words, planes)
    bits = bits_by_hand(words.reshape(-1), planes)
    assert np.unpackbits(packed, bitorder="little", count=len(bits)).tolist() == bits
    assert packed.size == -(-len(bits) // 8)
    table = PackedRows(packed, rows, columns, planes, dtype)
    assert table.shape == (rows, columns) and table.size == words.size
    assert np.array_equal(np.asarray(table), words) and np.asarray(table).dtype == dtype
    for first in range(rows + 1):
        for last in range(first, rows + 1):
            assert np.array_equal(table[first:last], words[first:last])
    begin = min(3, words.size)
    assert np.array_equal(
        unpack_words(packed, begin, words.size - begin, planes, dtype), words.reshape(-1)[begin:]
    )


def test_other_steps_are_refused() -> None:
    with pytest.raises(IndexError, match="steps of 1"):
        PackedRows(np.zeros(1, np.uint8), 4, 2, [0], np.dtype(np.uint8))[::2]
