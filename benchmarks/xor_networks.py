"""Count the gates of XOR networks: published test matrices of other heuristics, and our own decoders.

    python benchmarks/xor_networks.py                          everything, 20 s a published matrix
    python benchmarks/xor_networks.py --seconds 300 --only AES
    python benchmarks/xor_networks.py --tables decoders

Every count printed belongs to a network that was run on the unit vectors and gave the matrix. The published
table is limited in processor time, so a slower machine may print larger counts; the others are not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xorweave.golden.code.code import Code
from xorweave.hw.xor.network import XorNetwork, balanced_trees
from xorweave.hw.xor.pairs import greedy_pairs
from xorweave.hw.xor.pipeline import pipeline_cut
from xorweave.hw.xor.plateau_search import plateau_search
from xorweave.hw.xor.synthesis import optimize
from xorweave.hw.xor.time_sharing import TimeSharedNetwork, time_shared

Matrix = NDArray[np.uint8]


@dataclass(frozen=True)
class Field:
    """GF(2^degree) modulo a polynomial; bit i of an element is the coefficient of x^i."""

    polynomial: int

    @property
    def degree(self) -> int:
        return self.polynomial.bit_length() - 1

    def product(self, a: int, b: int) -> int:
        result = 0
        while b:
            result ^= a if b & 1 else 0
            b >>= 1
            a <<= 1
            if a >> self.degree:
                a ^= self.polynomial
        return result

    def power(self, exponent: int) -> int:
        """Return x to an exponent, negative ones too."""
        result = 1
        for _ in range(exponent % ((1 << self.degree) - 1)):
            result = self.product(result, 2)
        return result

    def multiplication(self, element: int) -> Matrix:
        """Return the matrix over GF(2) that multiplies by an element."""
        columns = [self.product(element, 1 << i) for i in range(self.degree)]
        return np.array([[c >> i & 1 for c in columns] for i in range(self.degree)], np.uint8)

    def matrix(self, rows: Sequence[Sequence[int]]) -> Matrix:
        return np.block([[self.multiplication(element) for element in row] for row in rows])


def circulant(row: Sequence[int]) -> list[list[int]]:
    return [[row[(j - i) % len(row)] for j in range(len(row))] for i in range(len(row))]


def hadamard(row: Sequence[int]) -> list[list[int]]:
    return [[row[i ^ j] for j in range(len(row))] for i in range(len(row))]


def twice(matrix: Matrix, bits: int) -> Matrix:
    """Let a matrix over 4-bit words work on both halves of 8-bit words (the subfield construction)."""
    blocks = [
        [matrix[bits * i : bits * i + bits, bits * j : bits * j + bits] for j in range(len(matrix) // bits)]
        for i in range(len(matrix) // bits)
    ]
    return np.block([[np.kron(np.eye(2, dtype=np.uint8), block) for block in row] for row in blocks])


def li_wang_involution() -> Matrix:
    """Li and Wang, FSE 2016: Hadamard of I, A, A^-1 and A + A^-1."""
    a = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 1, 0]], np.uint8)
    one = np.eye(4, dtype=np.uint8)
    inverse = next(
        power
        for power in (np.linalg.matrix_power(a.astype(int), k) % 2 for k in range(1, 16))
        if np.array_equal(power @ a % 2, one)
    ).astype(np.uint8)
    row = [one, a, inverse, a ^ inverse]
    return np.block([[row[i ^ j] for j in range(4)] for i in range(4)])


GF16 = Field(0x13)
AES_FIELD = Field(0x11B)
CLEFIA_FIELD = Field(0x11D)
SARKAR_FIELD = Field(0x165)
JEAN_PEYRIN_SIM = GF16.matrix([[2, 1, 1, 9], [1, 4, 15, 1], [13, 9, 4, 1], [1, 13, 1, 2]])
X, Y, Z = SARKAR_FIELD.power(-2), SARKAR_FIELD.power(209), SARKAR_FIELD.power(211)

XIANG = "Xiang et al., ToSC 2020(2)"


@dataclass(frozen=True)
class Published:
    """A test matrix, the least count we found published for it, at what depth (0: not stated), and where."""

    name: str
    matrix: Matrix
    count: int
    depth: int
    source: str
    depth_limit: int | None = None


AES = AES_FIELD.matrix(circulant([2, 3, 1, 1]))
PUBLISHED = [
    Published("AES MixColumns", AES, 88, 7, "Jean, ePrint 2026/1481"),
    Published("AES, depth <= 6", AES, 92, 6, "Maximov, ePrint 2019/833", 6),
    Published("AES, depth <= 5", AES, 94, 5, "Osvik, Canright, ePrint 2024/1076", 5),
    Published("AES, depth <= 4", AES, 97, 4, "Osvik, Canright, ePrint 2024/1076", 4),
    Published("AES, depth <= 3", AES, 99, 3, "Shi, Feng, Xu, ToSC 2023(4)", 3),
    Published("small-scale AES", GF16.matrix(circulant([2, 3, 1, 1])), 43, 5, XIANG),
    Published("Joltik", GF16.matrix(hadamard([1, 4, 9, 13])), 44, 7, XIANG),
    Published("SKOP15 4x4 GF(16)", GF16.matrix(hadamard([1, 2, 8, 9])), 44, 7, XIANG),
    Published("LW16 4x4 GF(16) inv.", li_wang_involution(), 44, 6, XIANG),
    Published("JPST17 4x4 GF(16) inv.", JEAN_PEYRIN_SIM, 41, 6, XIANG),
    Published("SKOP15 4x4 GF(256) inv.", twice(GF16.matrix(hadamard([1, 4, 9, 13])), 4), 91, 6, XIANG),
    Published("JPST17 4x4 GF(256) inv.", twice(JEAN_PEYRIN_SIM, 4), 83, 6, XIANG),
    Published(
        "SS16 4x4 GF(256) inv.",
        SARKAR_FIELD.matrix([[1, 2, 1, Z], [2, 1, Z, 1], [X, Y, 1, 2], [Y, X, 2, 1]]),
        93,
        8,
        XIANG,
    ),
    Published("Clefia M0", CLEFIA_FIELD.matrix(hadamard([1, 2, 4, 6])), 98, 0, XIANG),
    Published("Clefia M1", CLEFIA_FIELD.matrix(hadamard([1, 8, 2, 10])), 103, 10, XIANG),
    Published("Anubis", AES_FIELD.matrix(hadamard([1, 2, 4, 6])), 99, 0, XIANG),
    Published(
        "Twofish",
        Field(0x169).matrix(
            [[1, 0xEF, 0x5B, 0x5B], [0x5B, 0xEF, 0xEF, 1], [0xEF, 0x5B, 1, 0xEF], [0xEF, 1, 0xEF, 0x5B]]
        ),
        111,
        8,
        XIANG,
    ),
    Published(
        "Fox mu4",
        AES_FIELD.matrix([[1, 1, 1, 2], [1, 0xFE, 2, 1], [0xFE, 2, 1, 1], [2, 1, 0xFE, 1]]),
        136,
        0,
        XIANG,
    ),
    Published("Whirlwind M0", GF16.matrix(hadamard([5, 4, 10, 6, 2, 13, 8, 3])), 183, 0, XIANG),
]


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


def published_table(seconds: float, only: str, seed: int) -> None:
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
        depth = f"{case.depth}" if case.depth else "not found"
        print(
            f"| {case.name} | {matrix.shape[0]} x {matrix.shape[1]} | {plain.xor2} | {pairs.xor2} "
            f"| {ours.xor2} ({ours.depth}) | {case.count} ({depth}) | {case.source} |",
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
    names = ("published", "decoders", "large", "pipeline", "time-sharing")
    parser.add_argument("--tables", nargs="+", choices=names, default=list(names))
    parser.add_argument("--seconds", type=float, default=20, help="processor time for each published matrix")
    parser.add_argument("--only", default="", help="published matrices whose name holds this")
    parser.add_argument("--effort", type=int, default=1, help="effort for the decoders, 0 to 3")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tables: dict[str, Callable[[], None]] = {
        "published": lambda: published_table(options.seconds, options.only, options.seed),
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
