from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "xor_networks"
LISTS = sorted(FOLDER.glob("*.txt"))


def run_checker(*files: Path) -> subprocess.CompletedProcess[str]:
    """Run it where nothing but the standard library can be imported."""
    command = [sys.executable, "-I", "-S", str(FOLDER / "check.py"), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def layers(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import linear_layers

    return linear_layers


def test_every_list_computes_its_matrix_and_has_the_gates_it_claims() -> None:
    ran = run_checker()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("\n| ") == len(LISTS) > 0


def test_matrices_of_the_lists_are_those_of_the_definitions(layers) -> None:  # type: ignore[no-untyped-def]
    cases = {case.name: case for case in layers.PUBLISHED}
    for path in LISTS:
        lines = path.read_text().splitlines()
        case = cases[lines[0][2:].split(":")[0]]
        columns = [line.split()[1] for line in lines if line.startswith("column ")]
        assert columns == layers.to_columns(case.matrix), path
        depth = int(lines[0].rsplit(" ", 1)[1])
        assert case.depth_limit is None or depth <= case.depth_limit


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("Anubis", "80402060 40201030 20100818 1008040c 08040206 04020103 0201d8d9 01d86cb4"),
        ("Fox mu4", "80807f40 4040e720 2020ab10 10108d08 08089e04 04044f02 0202ff01 0101a7d8 807f4080"),
        ("Clefia M1", "80104050 40082028 20041014 1002080a 08010405 04b802ba 025c015d 012eb896"),
        ("Twofish", "80daf7f7 406deded 20a0e0e0 10507070 08283838 04141c1c 020a0e0e 01050707 f7f7da80"),
        ("SKOP15 4x4 GF(16)", "8419 42c8 2164 1c32 4891"),
        ("SKOP15 4x4 GF(256)", "80401090 4020c080 20106040 10c03020 08040109"),
        ("SKOP15 4x4 GF(256) inv.", "802090b0 40108090 20c04080 10602040 0802090b"),
        (
            "LW16 4x4 GF(256) second inv.",
            "800844b0 40210850 20041020 10020c10 08800104 04200208 0210a001 01449002",
        ),
        ("KLSW17 8x8 GF(16)", "24398cde 12d846a7 c1a4235f 6c521deb 42ced389 2167ad48"),
        ("SS17 8x8 GF(16)", "41399a31 2cd885dc 16a44ea6 c3522753 841399a3 42cd885d 216a44ea 1c352275"),
        ("KLSW17 8x8 GF(16) inv.", "b9e87d35 9874fade 84f2b5a7 42b19e5f 9d369347 8ad38d2f"),
    ],
)
def test_definitions_give_the_columns_of_the_collections_headers(layers, name: str, columns: str) -> None:  # type: ignore[no-untyped-def]
    """First columns of matrices_paar_header of rub-hgi/shorter_linear_slps_for_mds_matrices."""
    (matrix,) = (case.matrix for case in layers.PUBLISHED if case.name == name)
    made = layers.to_columns(matrix)
    assert made[: len(columns.split())] == columns.split()
    assert np.array_equal(layers.from_columns(" ".join(made)), matrix)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("SKOP15 4x4 GF(256)", "10000000000100000100000011000000 01000000100100000110000000100000"),
        ("LS16 4x4 GF(256)", "10000000100000000000000111100000 01000000010000001000000100010000"),
        ("LW16 4x4 GF(256)", "10000000100000000100000010000010 01000000010000000010000001000001"),
        ("LS16 4x4 GF(16)", "1000100011000010 0100010000100011 0010001000011001 0001000110000100"),
        ("LW16 4x4 GF(16)", "1000100001000110 0100010000100011 0010001000011000 0001000110010100"),
        ("BKL16 4x4 GF(16)", "1000100000011110 0100010010010001 0010001001001000 0001000100101100"),
        ("SS16 4x4 GF(16)", "1000100000010100 0100010010000010 0010001001001001 0001000100111000"),
        ("JPST17 4x4 GF(16)", "1000100010000001 0100010001001001 0010001000100100 0001000100010010"),
        ("SS16 4x4 GF(16) inv.", "1000000100101000 0100100100110100 0010010010010010 0001001001000001"),
        ("BKL16 4x4 GF(256)", "10000000100000000000000111100000 01000000010000001000000100010000"),
        ("SS16 4x4 GF(256)", "10000000100000000000000111000000 01000000010000001000000100100000"),
        ("JPST17 4x4 GF(256)", "10000000100000001000000000010000 01000000010000000100000010010000"),
        ("LW16 4x4 GF(256) inv.", "10000000010000000100000100000001 01000000001000001000000010100000"),
        ("Whirlwind M1", "10100111001010111000100111110100 01111100001111100100110110000110"),
        ("SKOP15 8x8 GF(16)", "10000001001101001100011011100101 01001001101001100010010100011111"),
        ("SKOP15 8x8 GF(16) inv.", "00011001001001101010010101001111 10011101001101010111111101101000"),
        ("SS17 8x8 GF(16)", "00011000100110000011110011011010 10010100110101001010001010110111"),
        ("Fox mu4", "10000000100000001000000000000001 01000000010000000100000010000001"),
    ],
)
def test_definitions_give_the_first_rows_of_another_listing(layers, name: str, rows: str) -> None:  # type: ignore[no-untyped-def]
    """Of xiangzejun/Optimizing_Implementations_of_Linear_Layers, "Original Matrix"."""
    (matrix,) = (case.matrix for case in layers.PUBLISHED if case.name == name)
    assert np.array_equal(matrix[: len(rows.split())], layers.bits(rows))


@pytest.mark.parametrize(
    ("name", "row", "ones"),
    [
        ("KLSW17 4x4 GF(16)", 11, {2, 7, 8, 13}),
        ("KLSW17 4x4 GF(16)", 15, {3, 6, 9, 12}),
        ("LW16 4x4 GF(16) second", 8, {0, 5, 6, 8, 13}),
        ("KLSW17 4x4 GF(256)", 19, {2, 11, 16, 25}),
        ("KLSW17 4x4 GF(256) inv.", 11, {2, 11, 19, 25}),
        ("LW16 4x4 GF(256) second", 0, {3, 8, 16, 24}),
    ],
)
def test_definitions_give_rows_of_the_collections_programs(
    layers, name: str, row: int, ones: set[int]
) -> None:  # type: ignore[no-untyped-def]
    """Single outputs of matrices_slp_implementations, added up by hand."""
    (matrix,) = (case.matrix for case in layers.PUBLISHED if case.name == name)
    assert set(np.flatnonzero(matrix[row]).tolist()) == ones


def test_involutions_are_involutions_and_the_inverse_of_mixcolumns_is_its_inverse(layers) -> None:  # type: ignore[no-untyped-def]
    cases = {case.name: case.matrix for case in layers.PUBLISHED}
    for name, matrix in cases.items():
        if name.endswith("inv."):
            assert np.array_equal(layers.product(matrix, matrix), np.eye(len(matrix), dtype=int)), name
    assert np.array_equal(layers.inverse(cases["AES MixColumns"]), cases["AES InvMixColumns"])


GOOD = """# small: 2 XORs, depth 2
column e
column c
column 5
t0 = x0 + x1
t1 = t0 + x2
y0 = t0
y1 = t1
y2 = x0
y3 = x2
"""


def test_a_small_list_is_right(tmp_path: Path) -> None:
    path = tmp_path / "small.txt"
    path.write_text(GOOD)
    assert run_checker(path).stdout.endswith("| small | 2 | 2 |\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2 XORs", "1 XORs", "claims 1 XORs at depth 2, has 2 at depth 2"),
        ("depth 2", "depth 1", "claims 2 XORs at depth 1, has 2 at depth 2"),
        ("t1 = t0 + x2", "t1 = t0 + x1", "y1 must be the sum of x0 x1 x2"),
        ("column 5", "column 4", "y3 must be the sum of "),
        ("t0 = x0 + x1", "t0 = x0 + t1", "line 5 reads t1, which no earlier line gives"),
        ("t1 = t0", "t0 = t0", "line 6 must give one new signal"),
        ("y1 = t1\n", "", "an output for each of their bits"),
        ("# small", "small", "the first line must be"),
    ],
)
def test_a_wrong_list_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) == 1
    path = tmp_path / "wrong.txt"
    path.write_text(GOOD.replace(old, new))
    ran = run_checker(path)
    assert ran.returncode == 1 and message in ran.stderr


def test_a_list_is_kept_where_it_has_fewer_gates(layers, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import gate_list

    from xorweave.hw.xor.network import XorNetwork, balanced_trees
    from xorweave.hw.xor.pairs import greedy_pairs

    matrix = layers.GF16.matrix(layers.circulant([2, 3, 1, 1]))
    plain, pairs = balanced_trees(matrix), greedy_pairs(matrix)

    def keep(network: XorNetwork) -> tuple[int, int]:
        return gate_list.keep_best(tmp_path, "small-scale AES", matrix, network, "a note")

    assert keep(plain) == (plain.xor2, plain.depth)
    assert keep(pairs) == keep(plain) == (pairs.xor2, pairs.depth)
    ran = run_checker(tmp_path / "small-scale-aes.txt")
    assert ran.returncode == 0 and f"| small-scale AES | {pairs.xor2} | {pairs.depth} |" in ran.stdout
