"""Masks by a pattern book and by a shaped code: bits of the whole tensor over its bound, and time.

    python benchmarks/mask_books.py [--sparsity 0.5 0.7 0.8 0.9 0.95 0.98] [--weights 131072 1048576] [--repeats 3]

INT8 words, normal ones pruned by magnitude and uniform ones under a random mask, in the default format but for the
mask's coder; decoded and compared. Bits are everything that is stored but the header; the bound is n h(S) and
the order-0 entropy of the kept words. Seconds are processor time of one thread, the median of the repeats, kernels
compiled before.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.code.limits import binary_entropy
from xorweave.golden.tensor.decode import decode_tensor
from xorweave.golden.tensor.figures import figures_of

INT8 = number_format("int8")


def made(values: str, n: int, sparsity: float) -> NDArray[np.int8]:
    """Return a pruned tensor of n weights, rows of 512."""
    rng = np.random.default_rng(0)
    if values == "uniform":
        kept = rng.random(n) >= sparsity
        words = rng.integers(1, 256, n).astype(np.uint8).view(np.int8)
    else:
        drawn = rng.standard_normal(n)
        kept = np.abs(drawn) > np.quantile(np.abs(drawn), sparsity)
        words = np.rint(drawn / np.abs(drawn).max() * 127).astype(np.int8)
    return np.where(kept, words, 0).astype(np.int8).reshape(-1, 512)


def cells(weights: NDArray[np.int8], mask_code: str, repeats: int) -> list[str]:
    """Encode with one mask coder; return bits of the mask, all over the bound, and weights a second."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.process_time()
        stored = Choice(mask_code=mask_code).encode(weights, INT8, weights != 0)
        seconds.append(time.process_time() - started)
    if not (decode_tensor(stored) == weights).all():
        raise SystemExit("a tensor came back otherwise")
    figures = figures_of(stored)
    rate = weights.size / statistics.median(seconds[1:]) / 1e6
    return [
        f"{stored.mask_coder.kind}",
        f"{figures.mask_bits / weights.size:.3f}",
        f"{figures.all_bits / figures.bound_bits:.4f}",
        f"{rate:.2f}",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sparsity", type=float, nargs="+", default=[0.5, 0.7, 0.8, 0.9, 0.95, 0.98])
    parser.add_argument("--weights", type=int, nargs="+", default=[1 << 17, 1 << 20])
    parser.add_argument("--mask-code", nargs="+", default=["auto", "book", "shaped"])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print("| weights | S | h(S) | values | asked | mask | its bits | all / bound | M weights a second |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n in arguments.weights:
        for sparsity in arguments.sparsity:
            for values in ("normal", "uniform"):
                weights = made(values, n, sparsity)
                for mask_code in arguments.mask_code:
                    row = cells(weights, mask_code, arguments.repeats)
                    head = [f"{n:,}", f"{sparsity}", f"{binary_entropy(1 - sparsity):.3f}", values, mask_code]
                    print(f"| {' | '.join([*head, *row])} |", flush=True)


if __name__ == "__main__":
    main()
