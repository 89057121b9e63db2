"""Count the gates of XOR networks: published test matrices of other heuristics, and our own decoders.

    python benchmarks/xor_networks.py                          everything, 20 s a published matrix
    python benchmarks/xor_networks.py --seconds 300 --only AES
    python benchmarks/xor_networks.py --tables published --seconds 60 --lists examples/xor_networks
    python benchmarks/xor_networks.py --tables lists           what examples/xor_networks holds
    python benchmarks/xor_networks.py --tables decoders

With --lists the gates are written there where they are fewer than what the folder holds; the table shows this run's.

Every count printed belongs to a network that was run on the unit vectors and gave the matrix. The published
table is limited in processor time, so a slower machine may print larger counts; the others are not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from gate_list import claimed, keep_best, path_of
from linear_layers import PUBLISHED, Matrix

from xorweave.golden.code.code import Code
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.hw.xor.pipeline import pipeline_cut
from xorweave.hw.xor.plateau_search import plateau_search
from xorweave.hw.xor.synthesis import optimize
from xorweave.hw.xor.time_sharing import TimeSharedNetwork, time_shared

LISTS = Path(__file__).resolve().parent.parent / "examples" / "xor_networks"


def search_for(matrix: Matrix, *, seconds: float, depth_limit: int | None, seed: int = 0) -> XorNetwork:
    """Walk for so much processor time: in rounds of twice the moves, afresh and on from the best in turn."""
    until = time.process_time() + seconds
    best = greedy_pairs(matrix, depth_limit=depth_limit, seed=seed)
    moves = 4_000_000 // best.signals
    turn = 0
    while time.process_time() < until:
        turn += 1
        fresh = turn % 5 in (1, 2, 3)
        start = greedy_pairs(matrix, depth_limit=depth_limit, seed=seed + turn) if fresh else best
        found = plateau_search(start, moves=moves, depth_limit=depth_limit, seed=seed + turn)
        best = min(best, found, key=lambda network: (network.xor2, network.depth))
        if turn % 5 == 0:
            moves *= 2
    return best


def checked(network: XorNetwork, matrix: Matrix) -> XorNetwork:
    if not np.array_equal(network.matrix(), matrix):
        raise AssertionError("the network does not compute the matrix")
    return network


def published_table(seconds: float, only: str, seed: int, lists: Path | None = None) -> None:
    print("| matrix | size | plain trees | greedy pairs", end=" ")
    print(f"| ours (depth), {seconds:g} s | published (depth) | source |")
    print("|---|---|---|---|---|---|---|")
    for case in PUBLISHED:
        if only.lower() not in case.name.lower():
            continue
        matrix, limit = case.matrix, case.depth_limit
        plain = checked(balanced_trees(matrix), matrix)
        pairs = checked(greedy_pairs(matrix, depth_limit=limit, seed=seed), matrix)
        ours = checked(search_for(matrix, seconds=seconds, depth_limit=limit, seed=seed), matrix)
        if lists is not None:
            note = f"plateau search, {seconds:g} s of processor time, seed {seed}"
            keep_best(lists, case.name, matrix, ours, note)
        depth = f"{case.depth}" if case.depth else "not found"
        published = f"{case.count} ({depth})" if case.count else "not found"
        print(
            f"| {case.name} | {matrix.shape[0]} x {matrix.shape[1]} | {plain.xor2} | {pairs.xor2} "
            f"| {ours.xor2} ({ours.depth}) | {published} | {case.source} |",
            flush=True,
        )


def lists_table(folder: Path, seed: int) -> None:
    """Print what the folder's lists claim (examples/xor_networks/check.py looks whether it is true)."""
    print(
        "| matrix | size | plain trees | greedy pairs | best list (depth) | found by | published (depth) | source |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case in PUBLISHED:
        path = path_of(folder, case.name)
        if not path.exists():
            continue
        xors, depth, note = claimed(path)
        plain, pairs = balanced_trees(case.matrix), greedy_pairs(case.matrix, seed=seed)
        known = f"{case.count} ({case.depth or 'not found'})" if case.count else "not found"
        print(
            f"| {case.name} | {case.matrix.shape[0]} x {case.matrix.shape[1]} | {plain.xor2} | {pairs.xor2} "
            f"| {xors} ({depth}) | {note} | {known} | {case.source} |",
            flush=True,
        )


def decoder_codes() -> list[Code]:
    return [
        Code.uniform(n_in=8, n_out=80, n_s=2),
        Code.from_family("sparse", n_in=8, n_out=80, n_s=2, taps=6),
        Code.from_family("chain", n_in=32, n_out=320, n_s=3, taps=1, run=20),
        Code.from_family("chain", n_in=32, n_out=320, n_s=3, taps=1, run=10),
        Code.from_family("chain", n_in=32, n_out=320, n_s=3, taps=2, run=10),
        Code.from_family("chain", n_in=64, n_out=640, n_s=3, taps=2, run=10),
        Code.from_family("sparse", n_in=32, n_out=320, n_s=3, taps=6),
    ]


def decoder_table(effort: int, seed: int) -> None:
    print("| code | depth limit | plain trees | greedy pairs (depth)", end=" ")
    print(f"| effort {effort} (depth) | XOR2 an output | s |")
    print("|---|---|---|---|---|---|---|")
    for code in decoder_codes():
        matrix = code.generator
        least = (int(matrix.sum(axis=1, dtype=int).max()) - 1).bit_length()
        for limit in (least, least + 1, least + 3, None):
            pairs = checked(greedy_pairs(matrix, depth_limit=limit, seed=seed), matrix)
            began = time.perf_counter()
            ours = checked(optimize(matrix, effort=effort, depth_limit=limit, seed=seed), matrix)
            spent = time.perf_counter() - began
            print(
                f"| {code.spec} | {limit or 'none'} | {balanced_trees(matrix).xor2} "
                f"| {pairs.xor2} ({pairs.depth}) "
                f"| {ours.xor2} ({ours.depth}) | {ours.xor2 / code.n_out:.2f} | {spent:.1f} |",
                flush=True,
            )


def large_table(seed: int) -> None:
    print("| code | greedy pairs (depth) | effort 1 (depth) | XOR2 an output | s |")
    print("|---|---|---|---|---|")
    for code in (Code.uniform(n_in=64, n_out=640, n_s=3), Code.uniform(n_in=96, n_out=960, n_s=5)):
        pairs = checked(greedy_pairs(code.generator, seed=seed), code.generator)
        began = time.perf_counter()
        ours = checked(optimize(code.generator, seed=seed), code.generator)
        spent = time.perf_counter() - began
        print(
            f"| {code.spec} | {pairs.xor2} ({pairs.depth}) | {ours.xor2} ({ours.depth}) "
            f"| {ours.xor2 / code.n_out:.1f} | {spent:.1f} |",
            flush=True,
        )


def pipeline_table(seed: int) -> None:
    print("| code | depth limit | XOR2 (depth) | registers, 2 levels a stage | 3 levels | 4 levels |")
    print("|---|---|---|---|---|---|")
    for code in decoder_codes()[:5]:
        least = (int(code.generator.sum(axis=1, dtype=int).max()) - 1).bit_length()
        for limit in (least + 1, None):
            network = optimize(code.generator, depth_limit=limit, seed=seed)
            cuts = [pipeline_cut(network, max_depth=depth) for depth in (2, 3, 4)]
            cells = " | ".join(f"{cut.registers} in {cut.stages} stages" for cut in cuts)
            print(
                f"| {code.spec} | {limit or 'none'} | {network.xor2} ({network.depth}) | {cells} |",
                flush=True,
            )


def time_sharing_table(seed: int) -> None:
    print("| code | XOR2, registers | with copies: XOR2, registers | copies | gate equivalents saved |")
    print("|---|---|---|---|---|")
    for code in decoder_codes():
        for network in (balanced_trees(code.generator), optimize(code.generator, seed=seed)):
            plain = TimeSharedNetwork(code.n_in, code.n_s, network.pruned(), ())
            shared = time_shared(code, network)
            if not np.array_equal(shared.matrix(), code.generator):
                raise AssertionError("the network does not compute the generator")
            print(
                f"| {code.spec} | {plain.xor2}, {plain.registers} | {shared.xor2}, {shared.registers} "
                f"| {len(shared.copies)} | {plain.gate_equivalents - shared.gate_equivalents:.1f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Count the gates of XOR networks.")
    names = ("published", "lists", "decoders", "large", "pipeline", "time-sharing")
    parser.add_argument("--tables", nargs="+", choices=names, default=list(names))
    parser.add_argument("--seconds", type=float, default=20, help="processor time for each published matrix")
    parser.add_argument("--only", default="", help="published matrices whose name holds this")
    parser.add_argument("--lists", type=Path, help="folder of the best gate lists of published matrices")
    parser.add_argument("--effort", type=int, default=1, help="effort for the decoders, 0 to 3")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tables: dict[str, Callable[[], None]] = {
        "published": lambda: published_table(options.seconds, options.only, options.seed, options.lists),
        "lists": lambda: lists_table(options.lists or LISTS, options.seed),
        "decoders": lambda: decoder_table(options.effort, options.seed),
        "large": lambda: large_table(options.seed),
        "pipeline": lambda: pipeline_table(options.seed),
        "time-sharing": lambda: time_sharing_table(options.seed),
    }
    for name in options.tables:
        print(f"\n## {name}\n")
        tables[name]()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
