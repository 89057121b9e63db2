"""Fields of bits come back in their order, against a slow writer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xorweave.golden.base.bit_fields import BitReader, BitWriter, width_for
from xorweave.golden.base.errors import InputError


@given(st.lists(st.tuples(st.integers(0, 64), st.lists(st.integers(0, 2**64 - 1), max_size=5)), max_size=6))
def test_fields_are_written_lowest_bit_first(rows: list[tuple[int, list[int]]]) -> None:
    writer = BitWriter()
    slow = ""
    for width, values in rows:
        kept = [value & ((1 << width) - 1) for value in values]
        assert writer.fields(kept, width) == width * len(kept)  # type: ignore[arg-type]
        slow += "".join(f"{value:0{width}b}"[::-1] for value in kept if width)
    assert writer.bits == len(slow)
    stream = writer.stream()
    assert "".join(f"{byte:08b}"[::-1] for byte in stream) == slow + "0" * (-len(slow) % 8)
    reader = BitReader(stream)
    for width, values in rows:
        kept = [value & ((1 << width) - 1) for value in values]
        assert reader.fields(len(kept), width).tolist() == kept
    assert reader.rest().size == -len(slow) % 8
    assert reader.position == len(slow)


@pytest.mark.parametrize(
    ("largest", "width"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 3), (255, 8), (256, 9), (2**63, 64)]
)
def test_the_width_holds_the_largest(largest: int, width: int) -> None:
    assert width_for(largest) == width


def test_a_stream_that_ends_too_soon_is_refused() -> None:
    reader = BitReader(b"\xff")
    assert reader.field(5) == 31
    with pytest.raises(InputError, match=r"^the stream must hold at least 9 bits, not 8$"):
        reader.field(4)
    assert reader.field(3) == 7  # what was refused was not read
