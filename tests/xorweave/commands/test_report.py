"""``xorweave report``: its figures are those of ``inspect``, its page says them, and bad input is one line."""

from __future__ import annotations

import html
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import xorweave as xw
from xorweave.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return int(str(stop.value.code)), said.out, said.err

    return command


def layers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    made = {
        f"fc{index}": np.where(rng.random((64, 96)) < density, rng.standard_normal((64, 96)), 0.0)
        for index, density in enumerate((0.1, 0.3))
    }
    return {name: values.astype(np.float32) for name, values in made.items()}


@pytest.fixture(scope="module")
def hardware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hardware")
    file = folder / "m.safetensors"
    xw.encode({**layers(), "bias": np.ones(3, np.float32)}, dtype="int8", goal="hardware").save(file)
    return file


def test_figures_are_those_of_inspect(run: Run, hardware: Path) -> None:
    status, said, _ = run("report", hardware, "--json")
    record = json.loads(said)
    inspected = json.loads(run("inspect", hardware, "--json")[1])
    assert status == 0 and {key: record[key] for key in inspected} == inspected
    assert record["total"]["weights"] == 2 * 64 * 96
    assert record["carried"]["bias"] == "rank 1" and record["carried"]["fc0.scale"] == "the scale of fc0"
    assert {one["name"]: one["bytes"] for one in record["beside"]} == {
        "bias": 12,
        "fc0.scale": 4,
        "fc1.scale": 4,
    }
    assert record["files"] == [{"name": "m.safetensors", "bytes": hardware.stat().st_size}]
    assert record["made"]["for"] == "hardware" and record["decode_seconds"] > 0


def test_the_one_decoder_is_that_of_the_library_and_layers_have_lengths(run: Run, hardware: Path) -> None:
    record = json.loads(run("report", hardware, "--json")[1])
    decoder = xw.decoder(xw.open(hardware))
    one = record["decoder"]["one"]
    assert one["n_out"] == decoder.config.n_out and set(one["parts"]) == set(decoder.gates.parts)
    # another network, about as small
    assert one["per_weight"] == pytest.approx(decoder.gates_per_weight, rel=0.25)
    lengths = [tensor["n_out"] for tensor in record["tensors"]]
    assert max(lengths) == one["n_out"] and len(set(lengths)) == 2


def test_the_page_says_the_figures(run: Run, hardware: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    status, said, _ = run("report", hardware, "-o", out)
    record = json.loads(run("report", hardware, "--json")[1])
    page = html.unescape(out.read_text())
    assert status == 0
    sentence = said.splitlines()[0]
    total = record["total"]
    assert sentence.startswith(
        f"m.safetensors takes {total['bits_per_weight_with_mask']:.3f} bits a weight, "
    )
    over = total["over_bound"] - 1
    assert f"{100 * abs(over):.1f} % {'over' if over > 0 else 'under'} the bound" in sentence
    assert "serves all 2 tensors" in sentence
    assert f'<p class="conclusion">{sentence}</p>' in page
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)
    for key in ("payload_bits", "correction_bits", "mask_bits", "side_bits", "bound_bits"):
        assert f"{total[key]:,.0f}".replace(",", "\u2009") in cells
    for tensor in record["tensors"]:
        for group in record["care"][tensor["name"]]:
            assert f"{group['variation']:.3f}" in cells and f"{group['random_variation']:.3f}" in cells
        assert f"{100 * tensor['overhead']:.2f} %" in cells and str(tensor["n_out"]) in cells
    assert "rank 1" in cells


def test_shards_and_parts_are_one_model(run: Run, tmp_path: Path) -> None:
    files = []
    for name, values in layers().items():
        files.append(tmp_path / f"{name}.safetensors")
        xw.encode({name: values}, dtype="int8", goal="hardware").save(files[-1])
    record = json.loads(run("report", *files, "--json")[1])
    alone = [json.loads(run("inspect", file, "--json")[1]) for file in files]
    for key in ("payload_bits", "mask_bits", "side_bits", "bound_bits"):
        assert record["total"][key] == sum(one["total"][key] for one in alone)
    assert record["tensors"] == [tensor for one in alone for tensor in one["tensors"]]
    status, _, said = run("report", files[0], files[0], "--json")
    assert status == 2 and said.count("\n") == 1 and "must be files of different names" in said
    again = tmp_path / "again.safetensors"
    again.write_bytes(files[0].read_bytes())
    status, _, said = run("report", files[0], again, "--json")
    assert status == 2 and said.count("\n") == 1
    assert "again.safetensors holds the tensor fc0, which fc0.safetensors holds too" in said

    folder = tmp_path / "folder"
    folder.mkdir()
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
    assert json.loads(run("report", folder, "--json")[1])["total"] == record["total"]

    parts = []
    for number in (1, 2):
        parts.append(tmp_path / f"part{number}.safetensors")
        xw.encode(layers(), dtype="int8", goal="hardware", shard=f"{number}/2").save(parts[-1])
    record = json.loads(run("report", *parts, "--json")[1])
    assert {tensor["name"] for tensor in record["tensors"]} == {"fc0", "fc1"} and "shard" not in record[
        "made"
    ]
    status, _, said = run("report", parts[0], files[1], "--json")
    assert status == 2 and said.count("\n") == 1 and "must be a part of a model" in said


def test_a_page_of_ours_is_replaced_and_another_file_is_not(run: Run, hardware: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert run("report", hardware, "-o", out)[0] == 0
    assert run("report", hardware, "-o", out)[0] == 0
    out.write_text("<!doctype html><title>mine</title>")
    status, _, said = run("report", hardware, "-o", out)
    assert status == 2 and said.count("\n") == 1 and "a file of another kind" in said
    assert "mine" in out.read_text()
    assert run("report", hardware, "-o", out, "--force")[0] == 0
    assert "mine" not in out.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["report", "{m}"], "a page to write (-o report.html) or --json must be given"),
        (["report", "{m}", "-o", "{d}/report.txt"], "the output must be named .html, not 'report.txt'"),
        (["report", "{m}", "-o", "{d}/no/report.html"], "there is no folder"),
        (["report", "{d}/none.safetensors", "-o", "{d}/r.html"], "none.safetensors"),
        (["report", "{d}/text.safetensors", "-o", "{d}/r.html"], "text.safetensors"),
        (["report", "{d}/damaged.safetensors", "-o", "{d}/r.html"], "tensor fc"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(run: Run, hardware: Path, tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "text.safetensors").write_text("no container")
    data = bytearray(hardware.read_bytes())
    data[-2000] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(data)
    status, out, err = run(*(word.format(m=hardware, d=tmp_path) for word in words))
    assert (status, out) == (2, "") and err.count("\n") == 1 and said in err
    assert not (tmp_path / "r.html").exists()


def test_a_model_without_encoded_weights_has_a_page(run: Run, tmp_path: Path) -> None:
    part = tmp_path / "part.safetensors"
    xw.encode({"fc0": np.eye(16, dtype=np.int8)}, shard="2/2").save(part)
    status, said, _ = run("report", part, "-o", tmp_path / "r.html")
    assert status == 0 and said.startswith("part.safetensors holds no encoded weights.")
