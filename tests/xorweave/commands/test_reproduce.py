"""``xorweave reproduce`` against the command encode, the definitions, and plain Algorithm 3's known figures."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from xorweave.cli import app
from xorweave.golden.base.errors import InputError
from xorweave.golden.mask.masks import random_mask


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
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    folder = tmp_path_factory.mktemp("masks")
    write_smtx(folder / "a.smtx", random_mask((30, 60), 0.8, 3))
    write_smtx(folder / "large.smtx", random_mask((100, 100), 0.8, 3))
    result = run(
        "reproduce", folder, "--largest", 5000, "--weights", 4000, "--csv", folder / "t.csv", "--json"
    )
    return result["masks"], folder


def test_rows_follow_the_definitions(reproduced: tuple[list[dict[str, Any]], Path]) -> None:
    rows, _folder = reproduced
    assert [row["name"] for row in rows[:-1]] == [f"random, S = {s}" for s in (0.6, 0.7, 0.8, 0.9)]
    assert [row["n_out"] for row in rows] == [20, 26, 40, 80, 40]
    assert rows[-1]["name"] == "a.smtx", "masks above --largest are left out"
    for row in rows:
        first, second, third = row["efficiency"]
        assert 0.9 < first < second < third <= row["best_efficiency"] <= 1.0
        density = 1 - row["sparsity"]
        assert row["variation_random"] == pytest.approx(math.sqrt(row["sparsity"] / (density * row["n_out"])))
        # the paper's count: payload, ten bits an unmatched bit, a flag a vector of 512
        counted = 1 - 8 / row["n_out"] - density * (1 - third) * 10 - 1 / 512
        assert row["memory_reduction"] == pytest.approx(counted, abs=0.01)
        assert row["memory_reduction_with_mask"] == pytest.approx(row["memory_reduction"] - 1 / 8)


def test_the_command_encode_says_the_same(
    reproduced: tuple[list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    rows, folder = reproduced
    for n_s in (0, 1, 2):
        encoded = run(
            "encode", folder / "a.smtx", "-o", tmp_path / "a.safetensors", "--code", f"paper,n_s={n_s}",
            "--encoder", "viterbi", "--json",
        )["total"]  # fmt: skip
        assert encoded["efficiency"] == rows[-1]["efficiency"][n_s]
    assert encoded["memory_reduction"] == rows[-1]["memory_reduction"]


def test_the_file_holds_the_rows(reproduced: tuple[list[dict[str, Any]], Path]) -> None:
    rows, folder = reproduced
    for line, row in zip(csv.DictReader((folder / "t.csv").open()), rows, strict=True):
        assert line["name"] == row["name"]
        assert float(line["auto_overhead"]) == row["auto_overhead"]
        assert [float(line[f"efficiency_n_s_{n}"]) for n in range(3)] == row["efficiency"]


def test_bad_input_is_named(tmp_path: Path) -> None:
    for arguments, message in (
        (("--weights", 10), "--weights must be at least 1000"),
        ((tmp_path / "none",), "there is no folder"),
        ((tmp_path,), "must hold .smtx masks"),
        (("--csv", tmp_path / "no" / "t.csv"), "there is no folder"),
    ):
        with pytest.raises(InputError, match=message):
            run("reproduce", *arguments)
