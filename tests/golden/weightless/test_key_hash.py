from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.weightless.key_hash import MIDDLE_BITS, KeyHash


@pytest.mark.parametrize(("key_bits", "hash_bits"), [(1, 1), (13, 64), (20, 70), (32, 128)])
def test_tables_equal_the_matrices(key_bits: int, hash_bits: int) -> None:
    """The byte tables against plain matrix products over GF(2) and chi written bit by bit."""
    hashing = KeyHash(key_bits, hash_bits, 7)
    keys = np.random.default_rng(0).integers(0, 1 << key_bits, 50)
    got = hashing(keys)
    for key, words in zip(keys.tolist(), got.tolist(), strict=True):
        bits = np.array([key >> i & 1 for i in range(key_bits)] + [1])
        x = hashing.first @ bits % 2
        y = [x[i] ^ ((1 - x[(i + 1) % MIDDLE_BITS]) & x[(i + 2) % MIDDLE_BITS]) for i in range(MIDDLE_BITS)]
        z = hashing.second @ np.array(y) % 2
        assert sum(int(bit) << i for i, bit in enumerate(z)) == words[0] | words[1] << 64


def test_evenly_spread_keys_hash_to_even_cells() -> None:
    """A chi-squared test over 256 cells, for keys that differ by a fixed stride."""
    counts = np.bincount(KeyHash(24, 8, 1)(np.arange(0, 1 << 22, 64))[:, 0].astype(int), minlength=256)
    expected = counts.sum() / 256
    assert ((counts - expected) ** 2 / expected).sum() < 400


def test_hashes_are_frozen() -> None:
    """Tables made before are read with them."""
    assert KeyHash(10, 40, 0)(np.array([0, 1, 5, 1023]))[:, 0].tolist() == [
        182492802246, 887867578936, 572915226118, 668078455907,
    ]  # fmt: skip
