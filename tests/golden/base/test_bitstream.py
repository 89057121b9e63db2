from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.bitstream import from_bytes, pack_fields, to_bytes, unpack_fields


@given(st.integers(1, 64), st.data())
def test_fields_are_written_lowest_bit_first_and_read_back(width: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, (1 << width) - 1), max_size=20))
    bits = pack_fields(np.array(values, np.uint64), width)
    written = [value >> k & 1 for value in values for k in range(width)]
    assert bits.dtype == np.uint8 and bits.tolist() == written
    assert unpack_fields(bits, width).tolist() == values


@given(st.lists(st.integers(0, 1), max_size=70))
def test_bytes_are_filled_from_their_lowest_bit(bits: list[int]) -> None:
    data = to_bytes(np.array(bits, np.uint8))
    number = sum(bit << k for k, bit in enumerate(bits))
    assert data.tobytes() == number.to_bytes(-(-len(bits) // 8), "little")
    assert from_bytes(data, len(bits)).tolist() == bits
