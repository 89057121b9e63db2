"""Streams of the wrong length: reported, made right, never hung."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xorweave.hw.stages.stream_guard import StreamGuard

LENGTH = 5


def _reference(symbols: list[tuple[int, int]]) -> tuple[list[tuple[int, int, int]], bool, bool]:
    """Follow the rules one symbol at a time: (first, last) in; (index, first, last) out, and the two errors.

    A symbol that is filled in has index 0.
    """
    out: list[tuple[int, int, int]] = []
    short = long = False
    state, seen = "idle", 0

    def fill() -> None:
        out.extend((0, 0, int(k == LENGTH)) for k in range(seen + 1, LENGTH + 1))

    for index, (first, last) in enumerate(symbols):
        if state == "surplus" and not first:
            long = True
            state = "idle" if last else "surplus"
            continue
        if state == "running" and first:
            short = True
            fill()
        begins = int(first or state == "idle")
        seen = 1 if begins else seen + 1
        out.append((index, begins, int(seen == LENGTH)))
        if seen == LENGTH:
            state = "idle" if last else "surplus"
        elif last:
            short = True
            fill()
            state = "idle"
        else:
            state = "running"
    return out, short, long


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    marks=st.lists(
        st.tuples(st.sampled_from([0, 0, 0, 1]), st.sampled_from([0, 0, 0, 1])), min_size=1, max_size=40
    ),
    stall=st.sampled_from([0.0, 0.4]),
)
def test_against_the_rules(
    run_streams: Callable[..., list[int]], marks: list[tuple[int, int]], stall: float
) -> None:
    dut = StreamGuard(8, 1, 4)
    # a stream that is known to be good ends the run, so that dropped symbols cannot be the last thing seen
    tail = [(1, 0)] + [(0, 0)] * (LENGTH - 2) + [(0, 1)]
    expected, short, long = _reference(marks + tail)
    flags: list[tuple[int, int]] = []

    def watch(ctx, index: int) -> None:  # type: ignore[no-untyped-def]
        ctx.set(dut.length, LENGTH)
        flags.append((ctx.get(dut.too_short), ctx.get(dut.too_long)))

    feed = [i & 255 | f << 8 | l << 9 for i, (f, l) in enumerate(marks + tail)]
    found = run_streams(dut, {"i": feed}, len(expected), stall=stall, before=watch)
    assert [(word & 255, word >> 8 & 1, word >> 9) for word in found] == expected
    assert flags[-1] == (int(short), int(long))


@pytest.mark.parametrize("sent, flag", [(LENGTH, (0, 0)), (LENGTH - 1, (1, 0)), (LENGTH + 3, (0, 1))])
def test_flags(run_streams: Callable[..., list[int]], sent: int, flag: tuple[int, int]) -> None:
    dut = StreamGuard(8, 1, 4)
    marks = [(0, int(i == sent - 1)) for i in range(sent)] + [(1, 0)] + [(0, 0)] * (LENGTH - 1)
    flags: list[tuple[int, int]] = []

    def watch(ctx, index: int) -> None:  # type: ignore[no-untyped-def]
        ctx.set(dut.length, LENGTH)
        flags.append((ctx.get(dut.too_short), ctx.get(dut.too_long)))

    feed = [i | f << 8 | l << 9 for i, (f, l) in enumerate(marks)]
    run_streams(dut, {"i": feed}, 2 * LENGTH, before=watch)
    assert flags[-1] == flag
