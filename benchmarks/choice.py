"""What the choice of code is made of: how far fewer strides lose, and what families make of their windows.

python benchmarks/choice.py [--families]
"""

from __future__ import annotations

import argparse

import numpy as np

from xorweave.golden.choose.family import family_code, window_use
from xorweave.golden.choose.plan import choose_plan
from xorweave.golden.choose.queue_model import forecast
from xorweave.golden.encoders.stream_start import dependent_positions
from xorweave.golden.mask.masks import random_mask

N = 400_000


def show_families() -> None:
    """Print dependent equations of each family, counted and foretold, in streams that start with a full window."""
    print("| density | K | code | care bits | " + " | ".join(("uniform", "chain", "graph")) + " |")
    for density in (0.05, 0.1, 0.2, 0.3, 0.5):
        mask = random_mask((N,), 1 - density)
        for window, n_in in ((64, 16), (128, 16), (256, 16), (256, 32), (256, 128)):
            n_out, n_s = int(n_in / density), window // n_in - 1
            lead = np.zeros(n_out * (n_s + 1), bool)
            care = np.concatenate([lead, mask[: N // n_out * n_out]])
            counts = care.reshape(-1, n_out).sum(axis=1)
            cells = []
            for family in ("uniform", "chain", "graph"):
                found = dependent_positions(family_code(family, n_in, n_out, n_s), care).size
                told = forecast(counts, n_in, n_s, window_use(family)[0]).dependent
                cells.append(f"{found} ({told:.0f})")
            print(f"| {density} | {window} | {n_in} -> {n_out} | {care.sum()} | {' | '.join(cells)} |")


def show_plans() -> None:
    """Print expected overhead by family and size for random masks."""
    print("| weights | S | uniform | chain | graph |")
    for n in (16_000, 65_536, 262_144):
        for sparsity in (0.95, 0.9, 0.7, 0.5):
            mask = random_mask((n,), sparsity)
            care = 8 * int(mask.sum())
            cells = [
                f"{100 * (choose_plan(mask, 8, family=f).expected_bits / care - 1):.2f} %"
                for f in ("uniform", "chain", "graph")
            ]
            print(f"| {n} | {sparsity} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", action="store_true")
    if parser.parse_args().families:
        show_families()
    else:
        show_plans()


if __name__ == "__main__":
    main()
