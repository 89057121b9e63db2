"""Cells of static maps over the keys they hold, and seconds to fill and to ask them: peeled against banded.

    python benchmarks/filter_overhead.py [--keys 1000 4351 30000 1000000] [--t 8] [--repeats 3]

Keys are random positions among ten times as many. Overhead is everything stored (a band's directory too) over t bits a
key, less one. Positions are asked in order, two million at
most. Seconds are processor time of one thread, the least of the repeats,
kernels compiled before; ratios between lines of one run say more than they do.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from xorweave.golden.weightless.banded import Banded
from xorweave.golden.weightless.bloomier import Bloomier
from xorweave.golden.weightless.filters import Filter

_ASKED = 2_000_000

Build = Callable[[np.ndarray, np.ndarray, int], Filter]


def peeled(kind: str, k: int) -> Build:
    """Return what fills a peeled filter."""
    return lambda keys, values, t: Bloomier.build(keys, values, t=t, k=k, layout=kind)


def banded(window: int) -> Build:
    """Return what fills a banded filter."""
    return lambda keys, values, t: Banded.build(keys, values, t=t, window=window)


WAYS: dict[str, Build] = {
    "peeled, uniform, k = 3": peeled("uniform", 3),
    "peeled, fuse, k = 3": peeled("fuse", 3),
    "peeled, fuse, k = 4": peeled("fuse", 4),
    "band, window 32": banded(32),
    "band, window 62": banded(62),
}


def measured(build: Build, count: int, t: int, repeats: int) -> str:
    """Fill and ask a filter of so many keys; return cells a key, overhead and seconds as cells of a table."""
    random = np.random.default_rng(count)
    keys = np.sort(random.choice(10 * count, count, replace=False))
    values = random.integers(0, 1 << t, count)
    positions = np.arange(min(10 * count, _ASKED))
    table = build(keys, values, t)
    if not np.array_equal(table.query(keys), values):
        raise AssertionError("a key does not answer its value")
    fill, ask = [], []
    for _ in range(repeats):
        began = time.process_time()
        build(keys, values, t)
        filled = time.process_time()
        table.query(positions)
        fill.append(filled - began)
        ask.append(time.process_time() - filled)
    overhead = table.bits / (t * count) - 1
    ns = 1e9 * min(ask) / positions.size
    return f"{table.cells_a_key:.4f} | {overhead:.2%} | {min(fill):.3g} | {ns:.0f}"


def main() -> None:
    """Fill, ask, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keys", type=int, nargs="+", default=[1000, 4351, 30_000, 1_000_000])
    parser.add_argument("--t", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(
        "| keys | filter | cells a key | overhead | seconds to fill | ns a query |\n|---|---|---|---|---|---|"
    )
    for count in arguments.keys:
        for title, build in WAYS.items():
            cells = measured(build, count, arguments.t, arguments.repeats)
            print(f"| {count:,} | {title} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
