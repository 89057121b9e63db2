"""Segments asked for by number: as many as asked, of equal length, and nothing is lost."""

import numpy as np
import pytest

from xorweave.golden.code_choice import CodeChoice
from xorweave.golden.number_format import number_format
from xorweave.golden.tensor_codec import decode_tensor


@pytest.mark.parametrize("segments", [1, 2, 3, 5, 500])
def test_a_tensor_is_cut_into_segments(segments: int) -> None:
    rng = np.random.default_rng(3)
    values = np.where(rng.random(2000) < 0.2, rng.integers(-8, 8, 2000), 0).astype(np.int8)
    mask = values != 0
    choice = CodeChoice.parse("n_in=6,n_out=27,n_s=2")
    encoded = choice.encode(values, number_format("int4"), mask, segments=segments)
    assert -(-encoded.blocks // encoded.segment_blocks) == min(segments, encoded.blocks)
    assert np.array_equal(decode_tensor(encoded), values)
