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

from xorweave.command_line import app
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose import choice
from xorweave.golden.choose.lane_code import encode_on_lanes
from xorweave.golden.files.container import Container, read_container, write_container
from xorweave.golden.files.prepare import Prepared
from xorweave.golden.mask.masks import random_mask
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.golden.tensor import encode
from xorweave.sim.scan_run import ScanRun, ScanSimulator
from xorweave.studies import spmv_flow
from xorweave.studies.spmv_figure import normalized_times
from xorweave.studies.spmv_flow import DENSE, ENCODED, FOR_PRODUCTS, measure_layer
from xorweave.studies.spmv_operand import encode_operand
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
    assert {
        (ENCODED, 1),
        (ENCODED, 2),
        (FOR_PRODUCTS, 1),
        (FOR_PRODUCTS, 2),
        (DENSE, 1),
        ("CSR int32, SciPy", 1),
    } <= names
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
        assert f'<th scope="row">{row["product"]}</th>' in page
        assert f"{float(row['cycles']):,.0f}".replace(",", "\u2009") in page
    assert not re.search(r"(src|href)\s*=", page.replace("http://www.w3.org", "")), (
        "the page needs nothing else"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tensors as ``encode`` writes them, by default and for lanes; one for 8 lanes, whose engine is soon built."""
    folder = tmp_path_factory.mktemp("stored")
    rng = np.random.default_rng(1)
    np.savez(
        folder / "two.npz",
        a=rng.standard_normal((24, 40)).astype(np.float32),
        b=rng.standard_normal((16, 5, 3, 3)),
    )
    options_of = {"default": [], "lanes": ["--scan", "lanes"], "hardware": ["--for", "hardware"]}
    for name, options in options_of.items():
        arguments = ["encode", str(folder / "two.npz"), "-o", str(folder / f"{name}.safetensors"), *options]
        done = CliRunner().invoke(app, [*arguments, "--dtype", "int8", "--sparsity", "0.8"])
        assert done.exit_code == 0, done.output
    container = read_container(folder / "lanes.safetensors")
    assert container.encoded["a"].scan.spec.startswith("lanes,lanes=64,")
    values = container.decode("a")
    layout = LaneLayout.fitting(*values.shape, 8)
    eight = encode_on_lanes(values, number_format("int8"), values != 0, layout)
    write_container(folder / "eight.safetensors", Container({"a": eight}))
    return folder


def _no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing may be encoded")

    for module in (encode, choice):
        monkeypatch.setattr(module, "encode_stored", refuse)
    # what every way of encoding goes through, whoever calls it
    monkeypatch.setattr(encode, "_run", refuse)


def test_a_stored_tensor_goes_as_it_is_through_engine_and_software(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_encoder(monkeypatch)
    path = folder / "eight.safetensors"
    done = CliRunner().invoke(
        app,
        [
            "spmv",
            str(path),
            "--threads",
            "1,2",
            "--repeats",
            "1",
            "--only",
            "a",
            "--json",
            "-o",
            str(folder / "out"),
        ],
    )
    assert done.exit_code == 0, done.output
    (layer,) = json.loads(done.stdout)["layers"]
    assert (
        layer["agree"] and layer["rtl"]["engine"]["mismatches"] == layer["rtl"]["engine"]["stall_cycles"] == 0
    )
    assert layer["stored"]["from_file"] and layer["stored"]["scan"].startswith("lanes,lanes=8,")
    container = read_container(path)
    figures = container.figures("a")
    stored = -(-(figures.stored_bits + figures.mask_bits) // 8)
    assert layer["stored"]["bytes"] == stored
    # engine and processor read what the file holds of the tensor, the engine its 40 activations too
    assert layer["rtl"]["engine"]["bytes_read"] == pytest.approx(stored + 40, abs=1)
    assert [c["bytes_read"] for c in layer["cpu"] if c["name"] == ENCODED] == [stored, stored]
    assert layer["kept"] == 192
    assert "as they lie in the file" in (folder / "out" / "spmv.html").read_text()


def test_every_other_form_goes_as_it_is_through_the_scan_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_encoder(monkeypatch)
    path = folder / "hardware.safetensors"
    arguments = [
        "spmv",
        str(path),
        "--threads",
        "1",
        "--repeats",
        "1",
        "--batch",
        "3",
        "--only",
        "b",
        "--lanes",
        "5",
    ]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    (layer,) = json.loads(done.stdout)["layers"]
    assert layer["agree"] and layer["stored"]["from_file"] and layer["stored"]["scan"].startswith("affine,")
    engine = layer["rtl"]["engine"]
    assert engine["engine"] == "encoded, scan order" and engine["lanes"] == 5
    assert engine["mismatches"] == engine["stall_cycles"] == 0
    assert engine["cycles"] == engine["model_cycles"]
    assert engine["cycles"] == engine["blocks"] * engine["block_cycles"] + engine["constant"]
    assert {ENCODED, "CSR int32, SciPy"} <= {item["name"] for item in layer["cpu"]}
    figures = read_container(path).figures("b")
    stored = -(-(figures.stored_bits + figures.mask_bits) // 8)
    # the file's bytes once, and 45 activations of each of three vectors
    assert engine["bytes_read"] == stored + 3 * 45
    with pytest.raises(AssertionError, match="nothing may be encoded"):  # the test would see it
        encode_operand(
            "w",
            Prepared(
                values=np.ones((4, 4), np.int8), number_format=number_format("int8"), mask=np.eye(4) > 0
            ),
        )


def test_a_wrong_scan_engine_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: ScanSimulator, *_: Any, **__: Any) -> ScanRun:
        steps = {"blocks": 7, "block_cycles": 2, "model_cycles": 60, "constant": 46, "stall_cycles": 0}
        return ScanRun(
            cycles=60, mismatches=1, macs_used=1, slots=9, bytes_read=9.0, lanes=8, batch=1,
            results=np.zeros((1, 16), np.int32), bytes_per_cycle=2.5, **steps,
        )  # fmt: skip

    monkeypatch.setattr(ScanSimulator, "__init__", lambda *_, **__: None)
    monkeypatch.setattr(ScanSimulator, "run", wrong)
    path = str(folder / "hardware.safetensors")
    done = CliRunner().invoke(app, ["spmv", path, "--threads", "1", "--repeats", "1", "--only", "b"])
    assert done.exit_code == 1
    assert "encoded, scan order engine: 7 blocks of 2 cycles + 46 cycles" in done.output
    assert "DIFFERING: RTL, ScanRun of 8 lanes" in done.output


def test_what_has_no_decoder_is_decoded_in_software_and_the_command_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_encoder(monkeypatch)
    path = str(folder / "default.safetensors")
    done = CliRunner().invoke(app, ["spmv", path, "--threads", "1", "--repeats", "1", "--batch", "3"])
    assert done.exit_code == 0, done.output
    assert done.output.count("all products agree bit for bit") == 2
    # so small a tensor takes fewer bits packed
    assert done.output.count("not measured: RTL: a decoder must be made for planes, but the words") == 2


def test_options_of_weights_are_refused_for_what_is_stored(folder: Path) -> None:
    path = str(folder / "default.safetensors")
    for arguments in (["--dtype", "int8"], ["--sparsity", "0.5"], ["--prune", "random"]):
        done = CliRunner().invoke(app, ["spmv", path, *arguments])
        assert isinstance(done.exception, InputError)
        assert f"{arguments[0]} must be given with weights only" in str(done.exception)
    wrong = {
        "lanes": ("8", "must be the 64 that the tensor is stored for, not 8"),
        "hardware": ("0", "between 1 and"),
    }
    for name, (lanes, message) in wrong.items():
        done = CliRunner().invoke(app, ["spmv", str(folder / f"{name}.safetensors"), "--lanes", lanes])
        assert isinstance(done.exception, InputError) and message in str(done.exception)
    half = folder / "half.safetensors"
    np.save(folder / "half.npy", np.eye(20, dtype=np.float16))
    assert (
        CliRunner()
        .invoke(app, ["encode", str(folder / "half.npy"), "-o", str(half), "--for", "paper"])
        .exit_code
        == 0
    )
    done = CliRunner().invoke(app, ["spmv", str(half)])
    assert "tensor half is fp16; encode it with --dtype int8" in str(done.exception)


def test_a_damaged_file_is_named(folder: Path) -> None:
    data = bytearray((folder / "lanes.safetensors").read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    end = json.loads(data[8:start])["xorweave/a"]["data_offsets"][1]
    data[start + end - 40] ^= 1
    (folder / "damaged.safetensors").write_bytes(data)
    done = CliRunner().invoke(app, ["spmv", str(folder / "damaged.safetensors"), "--no-rtl"])
    assert isinstance(done.exception, InputError) and "tensor a: the stored tensor is damaged" in str(
        done.exception
    )


def test_sums_that_would_wrap_are_refused() -> None:
    values = np.full((1, 1 << 17), -128, np.int8)
    item = Prepared(values=values, number_format=number_format("int8"), mask=np.ones(values.shape, bool))
    with pytest.raises(InputError, match=r"tensor wide: sums must be below 2\^31"):
        measure_layer(encode_operand("wide", item), threads=(1,), simulate=False)


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
    layer = measure_layer(encode_operand("layer", item), threads=(1,), repeats=1, simulate=False)
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
    layer = measure_layer(encode_operand("layer", item), threads=(1,), repeats=1, simulate=False)
    rows = {row.product: row for row in layer.table() if row.product.startswith("GPU")}
    assert set(rows) == {"GPU, encoded INT8", "GPU, bitmap INT8"}
    ours = rows["GPU, encoded INT8"]
    assert ours.ours
    assert (ours.cycles, ours.seconds, ours.bytes_per_cycle) == pytest.approx((10_000, 5e-6, 0.1))
    assert not layer.agree and layer.differing == ("GPU, bitmap INT8",)
    assert "GPU, cuSPARSE CSR: not supported" in layer.missing
