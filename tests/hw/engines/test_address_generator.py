"""Addresses against the golden interleaver."""

from collections.abc import Callable

import pytest

from xorweave.golden.scan.interleaver import Interleaver
from xorweave.hw.engines.address_generator import AddressGenerator


@pytest.mark.parametrize("n, stride, offset", [(97, 37, 5), (64, 1, 0), (8, 3, 7), (1, 1, 0), (30, 29, 29)])
@pytest.mark.parametrize("lanes", [1, 5])
def test_addresses(
    run_streams: Callable[..., list[int]], n: int, stride: int, offset: int, lanes: int
) -> None:
    interleaver = Interleaver(n, stride, offset)
    dut = AddressGenerator(interleaver, lanes)
    blocks = 2 * -(-n // lanes)
    words = run_streams(dut, {}, blocks, stall=0.3)
    width = dut.address_bits
    found = [word >> (r * width) & ((1 << width) - 1) for word in words for r in range(lanes)]
    once = [int(p) for p in interleaver.positions()]
    assert found == (once * (2 * lanes + 2))[: len(found)]


def test_restart(run_streams: Callable[..., list[int]]) -> None:
    dut = AddressGenerator(Interleaver(11, 4, 3), 1)
    words = run_streams(dut, {}, 9, before=lambda ctx, cycle: ctx.set(dut.restart, cycle == 3))
    first = [(3 + 4 * i) % 11 for i in range(9)]
    assert words == first[:4] + first[:5]
