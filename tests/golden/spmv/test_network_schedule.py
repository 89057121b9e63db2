"""The order of work in one engine: worked by hand; held against simulation in tests/sim/test_network_run.py."""

from __future__ import annotations

import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.spmv.network_schedule import NetworkSchedule

_LAYERS = [
    LaneLayout(rows=8, cols=12, lanes=4, interleave=2),
    LaneLayout(rows=4, cols=8, lanes=4),
]


def _schedule(batches: int, in_flight: int, waits: bool = True) -> NetworkSchedule:
    return NetworkSchedule(layouts=_LAYERS, batches=batches, in_flight=in_flight, waits=waits)


def test_batches_in_flight_take_turns() -> None:
    schedule = _schedule(3, 2)
    assert schedule.order == [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1)]
    assert schedule.needs == [None, None, 0, 1, None, 4]
    assert _schedule(2, 1).order == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert _schedule(2, 1, waits=False).needs == [None] * 4


def test_cycles_by_hand() -> None:
    # 1 descriptor, 3 beats of 4 words, 24 blocks; the last group's first beat 8 cycles after the last block, and the
    # one of two rows before it has begun a cycle before, which takes 2 beats
    one = NetworkSchedule(layouts=_LAYERS[:1], batches=1)
    assert one.cycles(load_words=4, result_words=4) == 1 + 3 + 24 + 8
    assert one.cycles(load_words=4, result_words=2) == 1 + 3 + 24 + 8 + 2
    # 2 beats are loaded when the last result has left, 8 blocks
    assert _schedule(1, 1).cycles(load_words=4, result_words=4) == 36 + 2 + 8 + 8
    # with two of them only the first load and the last results are left, but 8 blocks hide no wait
    assert _schedule(2, 2).cycles(load_words=4, result_words=4) == 1 + 3 + 2 * 24 + 8 + (2 + 8) + 8
    assert _schedule(2, 2, waits=False).cycles(load_words=4, result_words=4) == 1 + 3 + 2 * (24 + 8) + 8


def test_what_lies_outside() -> None:
    assert _schedule(2, 1).words_outside == 12
    # both first layers' results, while the second's blocks are taken
    assert _schedule(2, 2).words_outside == 12 + 8
    with pytest.raises(InputError, match=r"^in_flight of a schedule must be at least 1, not 0$"):
        _schedule(2, 0)
