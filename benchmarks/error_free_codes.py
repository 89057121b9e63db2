"""Whether the decoders of the comparison decode any tensor without corrections: sizes against seeds of masks.

Usage: python benchmarks/error_free_codes.py [--log2-weights 18 20 22] [--seeds N] [--first-seed N]

Each tensor has its own random mask of sparsity 0.9 and random INT8 values. The encoder may choose where the scan starts
(16 starts at most), nothing else; what it encoded is decoded and compared, and every bit is counted.
"""

from __future__ import annotations

import argparse

from xorweave.studies.compare import OURS
from xorweave.studies.overhead import measure_overhead


def main() -> None:
    """Print one line for each code and size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log2-weights", type=int, nargs="+", default=[18, 20, 22])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=1000)
    arguments = parser.parse_args()
    print("| code | weights | masks | overhead | unmatched bits | starts looked at |")
    print("|---|---|---|---|---|---|")
    for contender in OURS:
        for size in arguments.log2_weights:
            found = [
                measure_overhead(contender.code, weights=1 << size, seed=seed)
                for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds)
            ]
            overheads = sorted({f"{one.overhead:.2%}" for one in found})
            tries = ", ".join(str(one.tries) for one in found)
            print(
                f"| {contender.name} | 2^{size} | {len(found)} | {' .. '.join(overheads)} "
                f"| {sum(one.unmatched_bits for one in found)} | {tries} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
