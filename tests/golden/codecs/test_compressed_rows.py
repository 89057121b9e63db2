from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from xorweave.golden.base.bit_fields import BitReader
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.codecs.codec import Encoding, PrunedTensor
from xorweave.golden.codecs.compressed_rows import CompressedRows, CompressedRows32


def test_the_32_bit_form_holds_what_scipy_holds() -> None:
    random = np.random.default_rng(2)
    values = random.integers(1, 100, (17, 23)).astype(np.int8) * (random.random((17, 23)) < 0.2)
    tensor = PrunedTensor.from_values(values.astype(np.int8), number_format("int8"))
    reader = BitReader(CompressedRows32().encode(tensor).stream)
    oracle = csr_array(values)
    assert np.array_equal(reader.fields(18, 32), oracle.indptr)
    assert np.array_equal(reader.fields(oracle.nnz, 32), oracle.indices)
    assert np.array_equal(reader.fields(oracle.nnz, 8), oracle.data.astype(np.uint8))


@pytest.mark.parametrize("shape", [(37,), (5, 7), (3, 4, 5), (0, 5), (4, 0), (0,), ()])
def test_any_shape_comes_back(shape: tuple[int, ...]) -> None:
    """Rows are the first side of a tensor, and a vector is one row, to the encoder and to the decoder."""
    values = np.random.default_rng(3).integers(-1, 2, shape).astype(np.int8)
    tensor = PrunedTensor.from_values(values, number_format("int8"))
    for codec in (CompressedRows(), CompressedRows32()):
        back = codec.decode(codec.encode(tensor), tensor.shape, tensor.number_format)
        assert np.array_equal(back, tensor.words)


def test_a_column_beyond_the_last_is_refused() -> None:
    tensor = PrunedTensor.from_values(np.array([[0, 0, 5], [0, 0, 0]], np.int8), number_format("int8"))
    stream = bytearray(CompressedRows32().encode(tensor).stream)
    assert stream[12:16] == bytes([2, 0, 0, 0])  # behind the three pointers
    stream[12] = 3
    with pytest.raises(InputError, match=r"^column indices must lie below 3, not reach 3$"):
        CompressedRows32().decode(Encoding(bytes(stream), {}), (2, 3), number_format("int8"))


def test_a_cut_stream_is_refused() -> None:
    tensor = PrunedTensor.from_values(np.ones((4, 4), np.int8), number_format("int8"))
    stream = CompressedRows().encode(tensor).stream[:-4]
    with pytest.raises(InputError, match="the stream must hold at least"):
        CompressedRows().decode(Encoding(stream, {}), (4, 4), number_format("int8"))
