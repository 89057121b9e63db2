"""One decoder, several rates, changed from stream to stream."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.code.code import Code
from xorweave.golden.code.decoder import decode_plain
from xorweave.hw.decoders.rate_programmable import RateProgrammableDecoder


@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_each_stream_at_its_rate(run_streams: Callable[..., list[int]], stall: float) -> None:
    code = Code.uniform(n_in=6, n_out=11, n_s=2, seed=5)
    rates, n_w, length = (2, 3, 6), 2, 7
    rng = np.random.default_rng(2)
    order = [2, 0, 1, 1, 0, 2]
    feed: list[int] = []
    expected: list[int] = []
    for choice in order:
        n_in = rates[choice]
        symbols = rng.integers(0, 1 << n_w, (length, n_in)).astype(np.uint8)
        words = decode_plain(code.punctured(n_in), symbols)
        for t in range(length):
            bus = sum(int(x) << (b * n_w) for b, x in enumerate(symbols[t]))
            bus |= (
                int(rng.integers(0, 1 << 12)) >> (n_in * n_w) << (n_in * n_w)
            )  # noise above the rate's bits
            feed.append(bus | (t == 0) << 12 | (t == length - 1) << 13)
            expected.append(sum(int(w) << (r * n_w) for r, w in enumerate(words[t])))
    dut = RateProgrammableDecoder(code, rates, n_w)

    def choose(ctx: Any, index: int) -> None:
        # only what stands at the port with the first symbol counts
        stream, at = divmod(min(index, len(feed) - 1), length)
        ctx.set(dut.rate, order[stream] if at == 0 else 1)

    cycles: list[int] = []
    found = run_streams(dut, {"i": feed}, len(feed), stall=stall, before=choose, cycles=cycles)
    assert [word & (1 << 22) - 1 for word in found] == expected
    if not stall:
        assert cycles == [len(feed) + 1]  # no cycle is lost where the rate changes


def test_bad_rates() -> None:
    code = Code.uniform(n_in=6, n_out=11, n_s=2, seed=5)
    for rates in ((), (3, 2, 6), (2, 4), (0, 6)):
        with pytest.raises(InputError, match="rates must increase"):
            RateProgrammableDecoder(code, rates, 1)
    with pytest.raises(InputError, match="must be between 1 and 6"):
        code.punctured(7)
