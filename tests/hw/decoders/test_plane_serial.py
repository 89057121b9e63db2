"""Planes one after another give what planes side by side give."""

from collections.abc import Callable

import numpy as np
import pytest

from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.hw.decoders.plane_serial import PlaneSerialDecoder


@pytest.mark.parametrize("n_s, n_w", [(0, 3), (2, 4), (1, 1)])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_planes_in_turn(run_streams: Callable[..., list[int]], n_s: int, n_w: int, stall: float) -> None:
    code = Code.uniform(n_in=3, n_out=7, n_s=n_s, seed=5)
    blocks, segment = 13, 5
    symbols = np.random.default_rng(1).integers(0, 1 << n_w, (blocks, 3)).astype(np.uint8)
    feed = []
    for t in range(blocks):
        for q in range(n_w):
            bits = sum((int(symbols[t, b]) >> q & 1) << b for b in range(3))
            first = t % segment == 0 and q == 0
            last = (t % segment == segment - 1 or t == blocks - 1) and q == n_w - 1
            feed.append(bits | first << 3 | last << 4)
    cycles: list[int] = []
    found = run_streams(PlaneSerialDecoder(code, n_w), {"i": feed}, blocks * n_w, stall=stall, cycles=cycles)
    expected = decode_plain(code, symbols, segment)
    for k, word in enumerate(found):
        t, q = divmod(k, n_w)
        assert [word >> r & 1 for r in range(7)] == [int(expected[t, r]) >> q & 1 for r in range(7)]
        assert word >> 7 == feed[k] >> 3
    if not stall:
        assert cycles == [blocks * n_w + 1]
