"""``xorweave codecs`` through typer, by its function alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from xorweave.commands.codecs import codecs
from xorweave.golden.errors import InputError

FEW = "dense,bitmap,csr,weightless"


@pytest.fixture
def run():  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.command()(codecs)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path / "model.npz"
    tensors = {
        name: (random.integers(1, 50, shape) * (random.random(shape) < 0.2)).astype(np.int8)
        for name, shape in (("a", (40, 50)), ("b", (10, 20)))
    }
    np.savez(path, **tensors, bias=np.ones(3, np.int8))
    return path


def test_json_is_one_object_with_every_format_of_every_tensor(run, source: Path) -> None:  # type: ignore[no-untyped-def]
    result = run(source, "--only", FEW, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [tensor["name"] for tensor in found["tensors"]] == ["a", "b"]
    rows = {row["codec"]: row for row in found["tensors"][0]["codecs"]}
    kept = round((1 - found["tensors"][0]["sparsity"]) * 2000)
    assert rows["bitmap"]["bits"] == 2000 + 8 * kept
    assert rows["csr"]["verified"] is True and rows["weightless"]["lossless"] is False
    assert {"bound-raw-values", "bound-entropy"} <= set(rows)
    assert found["total"][0]["bits"] == 8 * 2200


def test_the_csv_has_a_row_for_every_tensor_and_format(run, source: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run(source, "--only", FEW, "--csv", tmp_path / "out.csv").exit_code == 0
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    assert {row["rate"] for row in rows if row["codec"] == "dense"} == {"fixed"}


def test_an_unknown_format_is_named(run, source: Path) -> None:  # type: ignore[no-untyped-def]
    result = run(source, "--only", "dense,gzip")
    assert isinstance(result.exception, InputError)
    assert str(result.exception).endswith("xor-prefix, not 'gzip'")
