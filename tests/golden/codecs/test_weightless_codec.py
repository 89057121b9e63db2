from __future__ import annotations

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.codecs.bloomier_codec import Weightless, weightless_peeled
from xorweave.golden.codecs.codec import Encoding, PrunedTensor

INT8 = FORMATS["int8"]


def pruned(rows: int, cols: int) -> PrunedTensor:
    random = np.random.default_rng(5)
    values = np.round(random.normal(size=(rows, cols)) * 30) * (random.random((rows, cols)) < 0.1)
    return PrunedTensor.from_values(values.astype(np.int8), INT8)


@pytest.mark.parametrize("t", [6, 9])
def test_a_band_is_smaller_than_a_peeled_filter_and_keeps_the_same_clusters(t: int) -> None:
    tensor = pruned(200, 300)
    stored = {}
    for codec in (Weightless(t=t), Weightless(t=t, layout="fuse")):
        encoding = codec.encode(tensor)
        words = codec.decode(Encoding(encoding.stream, {}), tensor.shape, INT8)
        stored[codec.layout] = encoding.bits, words[tensor.mask]
        assert 0 <= 8 * len(encoding.stream) - encoding.bits < 8
    assert np.array_equal(stored["band"][1], stored["fuse"][1])
    assert stored["band"][0] < 0.93 * stored["fuse"][0]
    assert weightless_peeled().encode(tensor).bits > Weightless().encode(tensor).bits


@pytest.mark.parametrize(
    "stream",
    [
        "0b0000002400000004000000100400090000000204060804000506e000000d00201f0e",
        "1600000004000000000000001004000900000002040608000080e00001c203de06",
    ],
    ids=["fuse", "uniform"],
)
def test_peeled_streams_made_before_there_were_bands_are_read(stream: str) -> None:
    """Clusters 2, 4, 6 and 8 of the values 1 .. 9 at every seventh place, t = 4."""
    words = Weightless().decode(Encoding(bytes.fromhex(stream), {}), (6, 10), INT8)
    assert np.abs(words[::7].astype(int) - np.arange(1, 10)).max() <= 1
    assert set(words.tolist()) <= {0, 2, 4, 6, 8}


def test_a_damaged_stream_is_named() -> None:
    tensor = pruned(20, 30)
    stream = Weightless().encode(tensor).stream
    with pytest.raises(InputError, match="the stream must hold at least"):
        Weightless().decode(Encoding(stream[:-1], {}), tensor.shape, INT8)
    with pytest.raises(InputError, match="at most 9 kept weights"):
        Weightless().decode(Encoding(stream, {}), (3, 3), INT8)
