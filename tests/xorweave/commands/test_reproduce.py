"""``xorweave reproduce`` against the command encode, the definitions, and a run that was cut off."""

from __future__ import annotations

import csv
import html
import json
import math
import statistics
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from xorweave.command_line import app
from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.tensor.figures import Figures
from xorweave.studies.paper_cells import Cell, Plan, sample_rows, values_for
from xorweave.studies.paper_masks import MaskCase, real_masks
from xorweave.studies.paper_products import measured_products, product_table
from xorweave.studies.paper_tables import FOLDER, Estimate, Results, variation

FAMILIES = [
    f"net/{method}/{target}" for method in ("magnitude_pruning", "random_pruning") for target in (0.7, 0.9)
]


def run(*arguments: object) -> Any:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return json.loads(done.stdout)


def write_smtx(path: Path, mask: np.ndarray) -> None:
    rows, cols = mask.shape
    offsets = [0, *np.cumsum(mask.sum(axis=1)).tolist()]
    columns = [c for row in mask for c in np.flatnonzero(row).tolist()]
    lines = (f"{rows}, {cols}, {len(columns)}", *(" ".join(map(str, part)) for part in (offsets, columns)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def quick(folder: Path, out: Path) -> Any:
    return run(
        "reproduce", folder, "-o", out, "--quick", "--generators", 2, "--sample", 1000,
        "--largest", 5000, "--jobs", 1, "--json",
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree as the Deep Learning Matrix Collection is: one small and one larger mask a family."""
    folder = tmp_path_factory.mktemp("masks")
    for seed, family in enumerate(FAMILIES):
        write_smtx(folder / family / "a.smtx", random_mask((10, 100), float(family[-3:]), seed))
        write_smtx(folder / family / "b.smtx", random_mask((20, 100), 0.8, seed))
    write_smtx(folder / "net/magnitude_pruning/0.5/a.smtx", random_mask((10, 100), 0.5, 3))
    write_smtx(folder / "net/other_pruning/0.7/a.smtx", random_mask((10, 100), 0.7, 3))
    write_smtx(folder / FAMILIES[0] / "large.smtx", random_mask((100, 100), 0.8, 3))
    return folder


@pytest.fixture(scope="module")
def reproduced(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    out = tmp_path_factory.mktemp("out")
    return quick(folder, out), out


def cells(out: Path) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    lines = (out / "cells.jsonl").read_text().splitlines()
    return [(entry["cell"], entry["figures"]) for entry in map(json.loads, lines)]


def test_every_experiment_has_its_rows(reproduced: tuple[Any, Path]) -> None:
    result, out = reproduced
    titles = [table["title"] for table in result["tables"]]
    assert len(titles) == 5
    sweep, spread, efficiency, memory, products = (table["rows"] for table in result["tables"])
    assert {row["S"] for row in sweep} == {"0.6", "0.7", "0.8", "0.9"}
    assert {"20", "26", "40", "80"} <= {row["N_out"] for row in sweep}
    for row in sweep:
        found = [float(row[f"E, N_s = {n_s}"].split()[0]) for n_s in (0, 1, 2)]
        assert 80 < found[0] < found[1] <= found[2] + 0.5
        # a sample of 8,000 plane bits may lie a little above what is possible on the average
        assert found[2] <= float(row["E_max"]) + 0.5
    assert [row["mask"] for row in spread[4:]] == [f"{family}/a" for family in FAMILIES]
    assert [row["family"] for row in efficiency[4:]] == [*FAMILIES, FOLDER]
    assert [row["family"] for row in memory[4:]] == [*FAMILIES, FOLDER]
    assert {(row["product"], row["S"]) for row in products} >= {("encoded", "0.7"), ("encoded", "0.9")}
    assert all(
        row["batch 1"].startswith("1.00 (") for row in products if row["product"].startswith("dense fl")
    )
    for family in efficiency:
        assert "not measured" not in family.values()
    page = html.unescape((out / "reproduction.html").read_text())
    for title in titles:
        assert (out / "reproduction.md").read_text().count(f"## {title}\n") == 1
        assert page.count(f"<h2>{title}</h2>") == 1
    assert "net/other_pruning/0.7" in result["not_made"][-1]
    assert "net/magnitude_pruning/0.5" in result["not_made"][-1]


def test_estimates_are_those_of_the_cells(reproduced: tuple[Any, Path]) -> None:
    result, out = reproduced
    code = "paper,n_s=2,invert=1"
    found = [f for cell, f in cells(out) if (cell["family"], cell["code"]) == (FAMILIES[1], code)]
    ratios = [1 - f["unmatched_bits"] / f["care_bits"] for f in found]
    assert len(ratios) == 2
    with (out / "reproduction.csv").open() as file:
        rows = list(csv.DictReader(file))
    row = next(row for row in rows if (row["family"], row["code"]) == (FAMILIES[1], code))
    assert float(row["efficiency"]) == pytest.approx(statistics.fmean(ratios))
    # 12.706: the 97.5 % point of Student's t with one degree of freedom
    half_width = 12.706 * statistics.stdev(ratios) / math.sqrt(2)
    assert float(row["efficiency_half_width_95"]) == pytest.approx(half_width, rel=1e-3)
    listed = next(e for e in result["estimates"] if (e["family"], e["code"]) == (FAMILIES[1], code))
    assert listed["efficiency"] == float(row["efficiency"])


def test_the_folder_is_all_its_masks_together(reproduced: tuple[Any, Path]) -> None:
    """From the counts: each mask's unmatched and care bits, a sample scaled to its mask; all are whole here."""
    result, out = reproduced
    for code in ("paper,n_s=0,invert=0", "storage"):
        ratios = []
        for generator in (0, 1):
            found = [
                figures
                for cell, figures in cells(out)
                if cell["family"] in FAMILIES and (cell["code"], cell["generator"]) == (code, generator)
            ]
            assert len(found) == len(FAMILIES)
            stored = sum(f["payload_bits"] + f["correction_bits"] for f in found)
            ratios.append(1 - stored / sum(8 * f["weights"] for f in found))
        row = next(e for e in result["estimates"] if (e["family"], e["code"]) == (FOLDER, code))
        assert row["memory_reduction"] == pytest.approx(statistics.fmean(ratios))


def test_products_that_were_measured_are_believed(folder: Path, tmp_path: Path) -> None:
    setting = {"size": 64, "sparsities": [0.9], "batches": [1, 2], "repeats": 2}
    first = measured_products(tmp_path / "p.json", setting)
    assert measured_products(tmp_path / "p.json", setting) == first
    table = product_table(first, setting)
    assert table.columns == ("product", "S", "batch 1", "batch 2")
    dense = [row for row in table.rows if row[0] == "dense float32, NumPy"]
    assert dense == [["dense float32, NumPy", "0.9", *["1.00 (1.00 .. 1.00)"] * 2]]
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(InputError, match=r"p.json must be a record of measured products; remove it"):
        measured_products(tmp_path / "p.json", setting)


@pytest.mark.parametrize("invert", [0, 1])
def test_the_command_encode_says_the_same(
    reproduced: tuple[Any, Path], folder: Path, tmp_path: Path, invert: int
) -> None:
    _result, out = reproduced
    counted = {
        cell["code"]: figures
        for cell, figures in cells(out)
        if (cell["family"], cell["generator"]) == (FAMILIES[0], 1)
    }
    source = folder / FAMILIES[0] / "a.smtx"
    for code in ("paper,n_s=1", "paper,n_s=2"):
        words = f"{code},invert={invert}"
        encoded = run(
            "encode", source, "-o", tmp_path / "a.safetensors", "--values", "normal", "--code", words,
            "--encoder", "viterbi", "--seed", 1, "--json",
        )["total"]  # fmt: skip
        for name in ("care_bits", "payload_bits", "correction_bits", "unmatched_bits"):
            assert encoded[name] == counted[words][name]
    encoded = run(
        "encode", source, "-o", tmp_path / "b.safetensors", "--values", "normal", "--seed", 1, "--json"
    )
    for name in ("payload_bits", "correction_bits", "mask_bits"):
        assert encoded["total"][name] == counted["storage"][name]


def test_a_run_that_was_cut_off_goes_on(reproduced: tuple[Any, Path], folder: Path, tmp_path: Path) -> None:
    _result, out = reproduced
    lines = (out / "cells.jsonl").read_text().splitlines(keepends=True)
    half = len(lines) // 2
    # a measured cell is believed: a mark in the first one comes out at the end
    first = json.loads(lines[0])
    first["figures"]["unmatched_bits"] += 1
    (tmp_path / "cells.jsonl").write_text(
        json.dumps(first) + "\n" + "".join(lines[1:half]) + lines[half][:40]
    )
    quick(folder, tmp_path)
    again = (tmp_path / "cells.jsonl").read_text().splitlines(keepends=True)
    assert again[1:] == lines[1:]
    assert again[0] != lines[0]


def test_other_trees_are_taken_whole(tmp_path: Path) -> None:
    write_smtx(tmp_path / "x.smtx", random_mask((10, 100), 0.8, 3))
    write_smtx(tmp_path / "deep" / "0.5" / "y.smtx", random_mask((10, 100), 0.8, 3))
    cases, left_out = real_masks(tmp_path, 5000)
    assert sorted((case.family, case.name) for case in cases) == [(".", "x"), ("deep/0.5", "y")]
    assert not left_out
    assert np.array_equal(cases[0].load(7), random_mask((10, 100), 0.8, 3))


def test_samples_are_whole_rows_in_order() -> None:
    mask = random_mask((50, 20), 0.5, 1)
    part = sample_rows(mask, 100, seed=4)
    assert part.shape == (5, 20)
    rows = [next(i for i, row in enumerate(mask) if np.array_equal(row, wanted)) for wanted in part]
    assert rows == sorted(rows)
    assert np.array_equal(sample_rows(mask, 5000, seed=4), mask)


def test_variation_of_a_mask_of_stripes() -> None:
    mask = np.tile(np.repeat([True, False], 10), (5, 1))
    assert variation(mask, 10) == pytest.approx(1.0)
    assert variation(mask, 20) == pytest.approx(0.0)
    assert variation(np.zeros((4, 20), bool), 10) is None


def test_values_of_a_file_come_in_order_and_again(tmp_path: Path) -> None:
    real = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    np.savez(tmp_path / "w.npz", small=np.ones((1, 2), np.float32), large=real)
    values, _form = values_for(np.ones((2, 4), bool), str(tmp_path / "w.npz"), "fp32", 0)
    assert values.reshape(-1).tolist() == [1, 2, 3, 4, 5, 6, 1, 2]


def test_a_sample_counts_as_its_whole_mask() -> None:
    masks = [MaskCase("f", str(rows), partial(_ones, rows)) for rows in (10, 40)]
    plan = Plan(random_weights=1000, sample=1000, generators=1, dtypes=("int8",), ours=(), masks=masks)
    counts = dict.fromkeys(Figures.__dataclass_fields__, 0) | {"weights": 1000, "care_bits": 100}
    figures = {
        Cell("f", name, "int8", "paper,n_s=2,invert=1", 0, 1000, "normal"): Figures(
            **counts | {"unmatched_bits": u}
        )
        for name, u in (("10", 10), ("40", 20))
    }
    found = Results(plan, figures).estimate("f", "int8", "paper,n_s=2,invert=1", "efficiency")
    assert found.mean == pytest.approx((1 * 0.9 + 4 * 0.8) / 5)


def _ones(rows: int, _generator: int) -> np.ndarray:
    return np.ones((rows, 100), bool)


def test_one_value_has_no_interval() -> None:
    assert Estimate.of([0.5]) == Estimate(0.5, None, 1)
    assert Estimate.of([]).percent() == "not measured"


def test_bad_input_is_named(tmp_path: Path) -> None:
    for arguments, message in (
        (("--sample", 10), "the sample must be at least 1000"),
        (("--dtype", "int4"), "the values must be int8, fp32 or int8,fp32, not 'int4'"),
        (("--generators", 1), "there must be 2 to 1000 generators"),
        (("--values", "odd.txt"), "odd.txt"),
        ((tmp_path / "none",), "there is no folder"),
        ((tmp_path,), "must hold .smtx masks"),
    ):
        with pytest.raises(InputError, match=message):
            run("reproduce", *arguments, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
