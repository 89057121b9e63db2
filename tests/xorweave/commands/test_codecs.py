"""``xorweave codecs`` through typer, by its function alone."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from xorweave.commands import console
from xorweave.commands.codecs import codecs
from xorweave.commands.encode import encode
from xorweave.golden.base.errors import InputError
from xorweave.golden.codecs import comparison
from xorweave.golden.codecs.plain import Bitmap

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
    assert rows["bitmap"]["bits"] == 2000 + 8 * kept + 8 * (3 + 3 + 4)  # bits of a header
    assert rows["csr"]["verified"] is True and rows["weightless"]["lossless"] is False
    assert {"bound-raw-values", "bound-entropy"} <= set(rows)
    assert found["total"][0]["bits"] == 8 * 2200 + 2 * 8 * (3 + 3 + 4)


def test_the_csv_has_a_row_for_every_tensor_and_format(run, source: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert run(source, "--only", FEW, "--csv", tmp_path / "out.csv").exit_code == 0
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 6
    assert {row["rate"] for row in rows if row["codec"] == "dense"} == {"fixed"}


@pytest.mark.parametrize(
    ("option", "name"), [("--page", "mine.html"), ("--page", "t.txt"), ("--csv", "w.npz")]
)
def test_files_of_another_kind_stay(run, source: Path, tmp_path: Path, option: str, name: str) -> None:  # type: ignore[no-untyped-def]
    there = tmp_path / name
    there.write_text("<html>mine</html>")
    found = run(source, "--only", FEW, option, there)
    assert isinstance(found.exception, InputError) and there.read_text() == "<html>mine</html>"
    assert re.search("is a file of another kind|must be named", str(found.exception))


def test_the_input_is_not_written_over(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    weights = tmp_path / "w.npy"
    np.save(weights, np.eye(30, dtype=np.int8))
    kept = weights.read_bytes()
    (tmp_path / "w.csv").symlink_to(weights)
    found = run(weights, "--only", "dense", "--csv", tmp_path / "w.csv")
    assert isinstance(found.exception, InputError) and "another file than the input" in str(found.exception)
    assert weights.read_bytes() == kept


class Rows(HTMLParser):
    """The table rows of the page, by (tensor, format)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[tuple[str, str], dict[str, str]] = {}
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        if tag == "tr" and "data-codec" in values:
            self.found[values["data-tensor"], values["data-codec"]] = values
        self.links += [value for key, value in values.items() if key in ("src", "href")]


def test_json_csv_and_page_say_the_same(run, source: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    few = "dense,bitmap,eie,weightless,csr"
    result = run(source, "--only", few, "--json", "--csv", tmp_path / "o.csv", "--page", tmp_path / "o.html")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    with (tmp_path / "o.csv").open(newline="") as file:
        lines = {(row["tensor"], row["codec"]): row for row in csv.DictReader(file)}
    parser = Rows()
    parser.feed((tmp_path / "o.html").read_text())
    assert parser.links == []  # one file, nothing fetched
    shown = parser.found
    pairs = 0
    for tensor in said["tensors"]:
        for record in tensor["codecs"]:
            line, row = lines[tensor["name"], record["codec"]], shown[tensor["name"], record["codec"]]
            assert int(line["bits"]) == int(row["data-bits"]) == record["bits"]
            gates = record["decoder_ge_per_weight"]
            if gates is None:
                assert line["decoder_ge_per_weight"] == row["data-gates"] == ""
            else:
                assert float(line["decoder_ge_per_weight"]) == float(row["data-gates"]) == gates
            for field in ("bits_per_weight_with_mask", "encode_seconds"):
                assert line[field] == ("" if record[field] is None else str(record[field]))
            pairs += 1
    assert pairs == len(lines) == 14
    totals = {record["codec"]: record["bits"] for record in said["total"]}
    assert {
        codec: int(row["data-bits"]) for (name, codec), row in shown.items() if name.startswith("all")
    } == totals
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_the_terminal_shows_how_each_decodes(run, source: Path) -> None:  # type: ignore[no-untyped-def]
    result = run(source, "--only", "bitmap,csr")
    assert result.exit_code == 0, result.output
    for text in (
        "how each decodes",
        "worst stall",
        "one weight needs",
        "made by python benchmarks/",
    ):
        assert text in result.output


def test_an_unknown_format_is_named(run, source: Path) -> None:  # type: ignore[no-untyped-def]
    result = run(source, "--only", "dense,gzip")
    assert isinstance(result.exception, InputError)
    assert str(result.exception).endswith("xor-hardware, xor, not 'gzip'")


def test_a_row_fits_80_columns(run, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(console, "_PIPE_WIDTH", 80)
    result = run(source, "--only", FEW)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(len(line) for line in lines if line.startswith(("│", "┃"))) <= 80
    # in one piece: the head of a table is not repeated for columns that did not fit
    assert sum("lossless" in line for line in lines) == sum("encode" in line for line in lines) == 3


def test_slow_formats_are_named_and_left_out_of_large_tensors(run, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    for name, shape in (("small", (10, 20)), ("large", (20, 20))):
        np.save(tmp_path / f"{name}.npy", (random.random(shape) < 0.3).astype(np.int8))
    paper = next(codec for codec in comparison.all_codecs() if codec.name == "xor-paper")
    assert paper.slow_above == 20_000
    small = type(paper)("xor-paper", "the paper's", paper.choice, slow_above=300)
    monkeypatch.setattr(comparison, "all_codecs", lambda: (small, Bitmap()))

    def notes(*arguments: object) -> dict[str, str]:
        found = json.loads(run(*arguments, "--json").stdout)["tensors"][0]["codecs"]
        return {record["codec"]: record["note"] for record in found if record["bits"] is None}

    assert notes(tmp_path / "small.npy") == {}
    assert notes(tmp_path / "large.npy") == {
        "xor-paper": "not measured: slow above 300 weights; measured where xor-paper is asked for by name"
    }
    assert notes(tmp_path / "large.npy", "--only", "xor-paper,bitmap") == {}
    said = run(tmp_path / "large.npy").stdout
    assert "because they are slow: xor-paper; --only NAME measures them" in said
    assert "because they are slow" not in run(tmp_path / "small.npy").stdout


def test_ours_takes_what_encode_stores(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(5)
    values = np.clip(np.round(random.standard_normal((160, 192)) * 20), -127, 127)
    np.save(tmp_path / "w.npy", (values * (random.random((160, 192)) < 0.1)).astype(np.int8))
    app = typer.Typer()
    app.command()(encode)
    stored = CliRunner().invoke(
        app, [str(tmp_path / "w.npy"), "-o", str(tmp_path / "w.safetensors"), "--json"]
    )
    assert stored.exit_code == 0, stored.output
    tensor = json.loads(stored.stdout)["tensors"][0]
    bits = sum(tensor[f"{part}_bits"] for part in ("payload", "correction", "mask", "side"))
    rows = json.loads(run(tmp_path / "w.npy", "--only", "xor,bitmap", "--json").stdout)["tensors"][0][
        "codecs"
    ]
    by_name = {row["codec"]: row["bits"] for row in rows}
    assert by_name["xor"] == bits
    assert by_name["xor"] <= by_name["bitmap"]
