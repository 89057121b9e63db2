"""Expected against measured: dependent equations and E against the window, at the entropy limit and above it.

python benchmarks/theory.py [--svg docs/theory.svg]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from xorweave.golden.base.number_format import FORMATS
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.code.code import Code
from xorweave.golden.code.limits import best_efficiency, overflow_share
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.golden.tensor.figures import figures_of

SPARSITY = 0.9


def run(n_in: int, n_out: int, n_s: int, n: int, seed: int) -> tuple[float, float, float]:
    """Return (E measured, dependent share foretold by the queue model, share of words unmatched)."""
    rng = np.random.default_rng(seed)
    mask = random_mask((n,), SPARSITY, seed)  # exactly a tenth is kept, so the rate is exactly at the limit
    values = rng.integers(-128, 128, n).astype(np.int8)
    code = Code.uniform(n_in=n_in, n_out=n_out, n_s=n_s, seed=seed)
    encoded = encode_tensor(
        values.reshape(1, -1),
        FORMATS["int8"],
        code,
        mask=mask.reshape(1, -1),
        options=EncodeOptions(encoder="elimination"),
    )
    counts = np.add.reduceat(mask.astype(np.int64), np.arange(0, n, n_out))
    efficiency = figures_of(encoded).ratios()["efficiency"]
    assert efficiency is not None
    return (
        efficiency,
        forecast(counts, n_in, n_s).dependent / mask.sum(),
        encoded.patches.positions.size / mask.sum(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()

    print("At the entropy limit (8 -> 80, S = .9): share of care bits whose equation is dependent")
    print("| K | S / (2 (K - N_in)) | queue model | measured (unmatched words) | E measured |")
    print("|---|---|---|---|---|")
    windows = [2, 4, 8, 16, 32, 64]
    law, model, seen = [], [], []
    for slots in windows:
        efficiency, foretold, unmatched = run(8, 80, slots - 1, 80 * 20_000, seed=slots)
        k = 8 * slots
        law.append(overflow_share(SPARSITY, k - 8))
        model.append(foretold)
        # a dependent equation is right by luck in all 8 planes once in 256 times
        seen.append(unmatched * 256 / 255)
        print(
            f"| {k} | {100 * law[-1]:.3f} % | {100 * foretold:.3f} % | {100 * seen[-1]:.3f} % "
            f"| {100 * efficiency:.3f} % |"
        )

    print("\nAbove the limit (K = 64): E against the largest possible")
    print("| N_out | rate / (1 - S) | E_max | E measured |")
    print("|---|---|---|---|")
    loads, limit, got = [], [], []
    for n_out in (70, 75, 80, 85, 90, 100, 115, 130, 160):
        efficiency, _foretold, _unmatched = run(8, n_out, 7, n_out * 8_000, seed=n_out)
        loads.append(8 / n_out / (1 - SPARSITY))
        limit.append(best_efficiency(8 / n_out, SPARSITY))
        got.append(efficiency)
        print(f"| {n_out} | {loads[-1]:.3f} | {100 * limit[-1]:.2f} % | {100 * efficiency:.2f} % |")

    if options.svg:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
        k = [8 * w for w in windows]
        left.loglog(k, [100 * v for v in law], "--", label="S / (2 (K - N_in))")
        left.loglog(k, [100 * v for v in model], "-", label="queue model")
        left.loglog(k, [100 * v for v in seen], "o", label="measured")
        left.set(xlabel="constraint length K", ylabel="dependent equations, % of care bits",
                 title="At the entropy limit: 8 → 80, S = .9")  # fmt: skip
        left.legend()
        right.plot(loads, [100 * v for v in limit], "--", label="E_max (rate-distortion)")
        right.plot(loads, [100 * v for v in got], "o-", label="measured, K = 64, greedy")
        right.set(xlabel="rate / (1 - S)", ylabel="E, %", title="Above and below the limit")
        right.legend()
        plt.rcParams["svg.hashsalt"] = "xorweave"
        figure.savefig(options.svg, metadata={"Date": None})


if __name__ == "__main__":
    main()
