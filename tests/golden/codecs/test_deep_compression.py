"""Deep Compression gives back what it was given, however many bits a run has."""

from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.codecs.codec import PrunedTensor
from xorweave.golden.codecs.deep_compression import DeepCompression

pytest.importorskip("bitarray", reason="bitarray is not installed (extra baselines)")


@pytest.mark.parametrize("shape", [(40, 60), (8, 10, 5, 6)])
@pytest.mark.parametrize("run_bits", [1, 4, 5, 8])
def test_any_length_of_run_is_lossless(monkeypatch, shape: tuple[int, ...], run_bits: int) -> None:  # type: ignore[no-untyped-def]
    for name in ("run_bits_of_matrix", "run_bits_of_convolution"):
        monkeypatch.setattr(DeepCompression, name, run_bits)
    rng = np.random.default_rng(run_bits)
    words = rng.integers(1, 9, shape).astype(np.int8) * (rng.random(shape) < 0.05)
    tensor = PrunedTensor.from_values(words, FORMATS["int8"])
    codec = DeepCompression()
    back = codec.decode(codec.encode(tensor), shape, tensor.number_format)
    assert np.array_equal(back.reshape(-1), tensor.words)


def test_runs_are_as_long_as_the_authors_unless_told() -> None:
    assert (DeepCompression.run_bits_of_matrix, DeepCompression.run_bits_of_convolution) == (5, 8)
