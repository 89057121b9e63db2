"""Which stalls meet which places of the streams in a simulation: counted for every form of decoder.

    python benchmarks/stall_pairs.py [--seeds 4] [--kinds KIND...]

Writes the package of every form, as `benchmarks/mutants.py` does, and simulates it under random stalls with its scenes,
once a seed. A pair is an input that pauses or is held up, or the output that is held up, at the first word of a scene,
inside it or at its last word. Counted is what came about in one run or another, and listed is what never did.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from mutants import KINDS

from xorweave.hw.package.package import write_design
from xorweave.sim.simulate import simulate


def main() -> int:
    """Print a row for each form; status 1 where a simulation fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--simulator", default="verilator")
    args = parser.parse_args()
    print("| form | pairs | met, first run | met, all runs | never |\n|---|---|---|---|---|")
    failed = False
    for kind in args.kinds:
        with tempfile.TemporaryDirectory() as folder:
            write_design(Path(folder) / "p", KINDS[kind]())
            runs = [
                simulate(
                    Path(folder) / "p", simulator=args.simulator, stalls="random", restarts=True, seed=seed
                )
                for seed in range(args.seeds)
            ]
        never = set.intersection(*(set(run.unmet) for run in runs))
        met = [runs[0].pairs - len(unmet) for unmet in (runs[0].unmet, never)]
        failed |= not all(run.passed for run in runs)
        print(
            f"| {kind} | {runs[0].pairs} | {met[0]} | {met[1]} | {', '.join(sorted(never)) or '-'} |",
            flush=True,
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
