from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy

from xorweave.golden.base.bit_fields import BitReader, BitWriter
from xorweave.golden.base.errors import InputError

pytest.importorskip("bitarray", reason="needs the extra 'baselines'")
from xorweave.golden.codecs.huffman import read_huffman, write_huffman


@pytest.mark.parametrize("alphabet", [1, 2, 3, 200])
def test_codes_come_back_and_stay_within_a_bit_of_the_entropy(alphabet: int) -> None:
    symbols = np.minimum(np.random.default_rng(alphabet).geometric(0.2, 5000) - 1, alphabet - 1).astype(
        np.uint64
    )
    writer = BitWriter()
    _, code_bits = write_huffman(writer, symbols, 8)
    writer.field(5, 3)  # what follows the codes is found again
    reader = BitReader(writer.stream())
    assert np.array_equal(read_huffman(reader, symbols.size, 8), symbols)
    assert reader.field(3) == 5
    limit = entropy(np.bincount(symbols.astype(int)), base=2) * symbols.size
    assert limit <= code_bits <= limit + symbols.size


def test_codes_that_end_early_are_refused() -> None:
    writer = BitWriter()
    write_huffman(writer, np.arange(200, dtype=np.uint64), 8)
    with pytest.raises(InputError, match="Huffman codes must not end before the last symbol"):
        read_huffman(BitReader(writer.stream()), 300, 8)
