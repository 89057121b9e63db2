"""``xorweave spmv``: engines and software agree with NumPy, and table, JSON, CSV and page say the same."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from xorweave.cli import app
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.files.prepare import Prepared
from xorweave.golden.mask.masks import random_mask
from xorweave.studies import spmv_flow
from xorweave.studies.spmv_figure import normalized_times
from xorweave.studies.spmv_flow import DENSE, ENCODED, measure_layer
from xorweave.studies.timing import cycles_per_second


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """One run of the command on a small layer, engines simulated."""
    folder = tmp_path_factory.mktemp("spmv")
    rng = np.random.default_rng(0)
    np.save(folder / "layer.npy", rng.standard_normal((24, 30)).astype(np.float32))
    done = CliRunner().invoke(
        app,
        [
            "spmv", str(folder / "layer.npy"), "--dtype", "int8", "--sparsity", "0.8", "--lanes", "4", "--batch", "2",
            "--threads", "1,2", "--repeats", "2", "--json", "-o", str(folder / "out"),
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout), folder / "out"


def test_everything_agrees(written: tuple[dict[str, Any], Path]) -> None:
    record, _folder = written
    (layer,) = record["layers"]
    assert layer["agree"] is True and layer["differing"] == []
    assert (layer["rows"], layer["cols"], layer["kept"], layer["batch"]) == (24, 30, 144, 2)
    engine = layer["rtl"]["engine"]
    assert engine["mismatches"] == engine["stall_cycles"] == 0
    assert engine["cycles"] == engine["blocks"] + engine["constant"] == engine["model_cycles"]
    assert layer["rtl"]["csr_engine"]["items"] == 144
    # the encoded engine uses the slots that hold kept weights, and no more
    assert engine["slots_used"] == pytest.approx(144 / (4 * engine["blocks"]))
    names = {(item["name"], item["threads"]) for item in layer["cpu"]}
    assert {(ENCODED, 1), (ENCODED, 2), (DENSE, 1), ("CSR int32, SciPy", 1)} <= names
    for item in layer["cpu"]:
        assert 0 < item["fastest"] <= item["seconds"] <= item["slowest"]
        assert item["bytes_per_cycle"] == pytest.approx(item["bytes_read"] / item["cycles"])
    assert layer["gpu"] is None
    assert any("GPU" in line for line in layer["not_measured"])


def test_json_csv_and_page_say_the_same(written: tuple[dict[str, Any], Path]) -> None:
    record, folder = written
    assert json.loads((folder / "spmv.json").read_text()) == record
    rows = list(csv.DictReader((folder / "spmv.csv").read_text().splitlines()))
    (layer,) = record["layers"]
    by_product = {row["product"]: row for row in rows}
    assert float(by_product["RTL, encoded, 4 lanes"]["cycles"]) == layer["rtl"]["engine"]["cycles"]
    for item in layer["cpu"]:
        threads = "1 thread" if item["threads"] == 1 else f"{item['threads']} threads"
        row = by_product[f"CPU, {item['name']}, {threads}"]
        assert float(row["seconds"]) == item["seconds"]
        assert float(row["bytes_read"]) == item["bytes_read"]
    page = (folder / "spmv.html").read_text()
    for row in rows:
        assert f"<td>{row['product']}</td>" in page
        assert f"{float(row['cycles']):,.0f}".replace(",", "\u2009") in page
    assert not re.search(r"(src|href)\s*=", page.replace("http://www.w3.org", "")), (
        "the page needs nothing else"
    )


def test_a_wrong_product_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(spmv_flow.CsrProduct):
        def __call__(self, vectors: Any) -> Any:
            product = super().__call__(vectors)
            product[..., 3] += 1
            return product

    monkeypatch.setattr(spmv_flow, "CsrProduct", Wrong)
    mask = random_mask((20, 30), 0.5, 0)
    item = Prepared(
        values=np.where(mask, 3, 0).astype(np.int8), number_format=number_format("int8"), mask=mask
    )
    layer = measure_layer("layer", item, threads=(1,), repeats=1, simulate=False)
    assert not layer.agree
    assert layer.differing == ("CPU, CSR INT8, 1 thread",)
    assert "RTL: left out" in layer.missing


def test_times_over_the_dense_product() -> None:
    points = normalized_times(size=64, sparsities=(0.5, 0.9), batches=(1, 3), repeats=3)
    dense = [point for point in points if point.product == DENSE]
    assert [(point.sparsity, point.batch) for point in dense] == [(0.5, 1), (0.5, 3), (0.9, 1), (0.9, 3)]
    assert all(point.normalized == point.lowest == point.highest == 1.0 for point in dense)
    assert all(0 < point.lowest <= point.normalized <= point.highest for point in points)


def test_the_cycle_counter_runs() -> None:
    """It counts time, not work: two measurements agree however busy the machine is."""
    first, second = cycles_per_second(0.02), cycles_per_second(0.05)
    assert first > 1e6
    assert second == pytest.approx(first, rel=0.2)


def test_bad_input_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.ones((4, 5), np.float32))
    path = str(tmp_path / "w.npy")

    def message(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["spmv", path, *arguments])
        assert isinstance(done.exception, InputError)
        return str(done.exception)

    assert "add --dtype int8" in message("--no-rtl")
    assert "--threads must be numbers" in message("--threads", "0")
    assert "there is no folder" in message("-o", str(tmp_path / "no" / "out"))
    assert "--clock must be given with --liberty" in message("--clock", "100")
    assert "there is no Liberty file" in message("--liberty", str(tmp_path / "none.lib"))
    assert "--only must name tensors" in message("--dtype", "int8", "--only", "x")
    assert "batch and repeats must be at least 1" in message("--dtype", "int8", "--batch", "0")
    assert not (tmp_path / "out").exists()


def test_a_gpu_takes_part_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU would report reaches the table: a product that agrees, one that does not, one that is refused."""

    def record(name: str, agrees: bool) -> dict[str, Any]:
        return {
            "name": name,
            "batch": 1,
            "median": 5.0,
            "low": 4.0,
            "high": 6.0,
            "bytes_read": 1000,
            "agrees": agrees,
        }

    refused = {"name": "cuSPARSE CSR", "batch": 1, "failed": "not supported"}
    products = [record("encoded INT8", True), record("bitmap INT8", False), refused]
    monkeypatch.setattr(spmv_flow, "gpu_absence", lambda: None)
    monkeypatch.setattr(
        spmv_flow,
        "gpu_figures",
        lambda *_, **__: {"device": {"gpu": "none", "clocks.sm": "2000 MHz"}, "products": products},
    )
    mask = random_mask((20, 30), 0.5, 0)
    values = np.where(mask, 3, 0).astype(np.int8)
    item = Prepared(values=values, number_format=number_format("int8"), mask=mask)
    layer = measure_layer("layer", item, threads=(1,), repeats=1, simulate=False)
    rows = {row.product: row for row in layer.table() if row.product.startswith("GPU")}
    assert set(rows) == {"GPU, encoded INT8", "GPU, bitmap INT8"}
    ours = rows["GPU, encoded INT8"]
    assert ours.ours
    assert (ours.cycles, ours.seconds, ours.bytes_per_cycle) == pytest.approx((10_000, 5e-6, 0.1))
    assert not layer.agree and layer.differing == ("GPU, bitmap INT8",)
    assert "GPU, cuSPARSE CSR: not supported" in layer.missing
