"""Timing: warm-up, repeats in turn, median and spread, and ratios taken run by run."""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


@dataclass(frozen=True)
class Timing:
    """Seconds of every repeat."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.4g} s ({min(self.seconds):.4g} .. {max(self.seconds):.4g}, {len(self.seconds)} runs)"


def command_line() -> list[str]:
    """Return the words of this run, for the record of its figures; of files their names, not where they lie."""
    return [Path(word).name if "/" in word else word for word in sys.argv[1:]]


def measure(work: Mapping[str, Callable[[], object]], repeats: int = 5) -> dict[str, Timing]:
    """Time several pieces of work, one run of each in turn, after one run of each to warm up.

    Taking turns lets a drift of the machine's speed fall on all of them alike; turns in another order every time, what
    a piece finds in the caches: after a copy, say, they are full of what has yet to be written.
    """
    for run in work.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in work}
    turns, order = list(work), random.Random(0)
    for _ in range(repeats):
        order.shuffle(turns)
        for name in turns:
            start = time.perf_counter()
            work[name]()
            taken[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}


def ratio(slow: Timing, fast: Timing, scale: float = 1.0) -> str:
    """Say how many times faster, run by run: median and spread. `scale` multiplies (work done by `fast` / `slow`)."""
    ratios = sorted(scale * a / b for a, b in zip(slow.seconds, fast.seconds, strict=True))
    return f"{statistics.median(ratios):.4g} x ({ratios[0]:.4g} .. {ratios[-1]:.4g})"


@intrinsic
def _counter(typing):  # type: ignore[no-untyped-def]
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read = builder.module.declare_intrinsic(
            "llvm.readcyclecounter", (), ir.FunctionType(ir.IntType(64), [])
        )
        return builder.call(read, [])

    return types.int64(), generate


@njit
def _cycles() -> int:
    return _counter()  # type: ignore[call-arg]


def cycles_per_second(seconds: float = 0.05) -> float:
    """Measure how fast the processor's cycle counter runs (on x86 the time-stamp counter, at its nominal clock)."""
    _cycles()
    begin, counted = time.perf_counter(), _cycles()
    while time.perf_counter() - begin < seconds:
        pass
    return float(_cycles() - counted) / (time.perf_counter() - begin)
