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
        ("LW16 4x4 GF(256) inv.", "800844b0 40210850 20041020 10020c10 08800104 04200208 0210a001 01449002"),
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
