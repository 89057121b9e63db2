"""generate and simulate on the command line: the JSON contract, and one line for what is wrong."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from xorweave.cli import main
from xorweave.golden.files.container import read_container
from xorweave.hw.package.engine_manifest import read_engine_manifest
from xorweave.sim.simulators import available

CODE = "n_in=3,n_out=9,n_s=1"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_generate_and_simulate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    status = _run(
        monkeypatch, "generate", "--code", CODE, "--dtype", "int4", "--blocks", 50, "-o", folder, "--json"
    )
    manifest = json.loads(capsys.readouterr().out)
    assert status == 0
    assert manifest["code"]["n_out"] == 9
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == manifest["files"]
    if not available("verilator"):
        pytest.skip("verilator is not installed")
    assert _run(monkeypatch, "simulate", folder, "--stalls", "random", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {"cycles", "blocks", "stall_cycles", "mismatches", "simulator"} <= set(found)
    assert (found["blocks"], found["mismatches"], found["stall_cycles"]) == (50, 0, 0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "must be given either a container or --code"),
        (("--code", "n_in=0,n_out=8,n_s=1"), "n_in must be between 1 and"),
        (("--code", CODE, "--blocks", 0), "--blocks must be at least 1"),
        (("--code", CODE, "--patches", 10), "--patches must be between 0 and n_out = 9"),
        (("--code", CODE, "--network", "big"), "--network must be shared or plain"),
        (("--code", CODE, "--max-depth", 0), "must be at least 1"),
        (("--code", CODE, "--sparsity", 1.0), "--sparsity must be at least 0 and below 1"),
        (("missing.safetensors",), "missing.safetensors"),
    ],
)
def test_bad_input_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[object, ...],
    message: str,
) -> None:
    assert _run(monkeypatch, "generate", *arguments, "-o", tmp_path / "d") == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_simulate_needs_a_generated_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _run(monkeypatch, "simulate", tmp_path) == 2
    assert "must be a folder that generate wrote" in capsys.readouterr().err


def test_generate_says_what_a_tensor_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def said(*arguments: object) -> str:
        assert _run(monkeypatch, "generate", *arguments, "-o", tmp_path / "d", "--blocks", 20) == 0
        return capsys.readouterr().out

    assert "no correction stage: a tensor encoded with this code may need patches (--patches N)" in said(
        "--code", CODE, "--dtype", "int4"
    )
    assert "patches a block: 2, as asked for" in said("--code", CODE, "--dtype", "int4", "--patches", 2)
    values = (np.arange(180) % 100 - 50).astype(np.int8).reshape(12, 15)
    np.save(tmp_path / "w.npy", values)
    assert (
        _run(monkeypatch, "encode", tmp_path / "w.npy", "-o", tmp_path / "w.safetensors", "--code", CODE) == 0
    )
    capsys.readouterr()
    # dense values in a code of rate 1/3: all nine of some block are wrong, or nearly all
    encoded = read_container(tmp_path / "w.safetensors").encoded["w"]
    needs = int(np.bincount(encoded.patches.positions // 9).max())
    assert needs > 1
    assert f"; the fullest block of w needs {needs}\n" in said(tmp_path / "w.safetensors")


def test_the_engine_of_one_matrix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What `synth` reads of a tensor in lanes, and a line for one that is not."""
    rng = np.random.default_rng(0)
    weights = np.where(rng.random((24, 30)) < 0.2, rng.standard_normal((24, 30)), 0).astype(np.float32)
    np.save(tmp_path / "w.npy", weights)
    for scan in ("lanes", "row-major"):
        options = ["--scan", scan, "--values-code", "raw"]
        out = tmp_path / f"{scan}.safetensors"
        assert _run(monkeypatch, "encode", tmp_path / "w.npy", "-o", out, "--dtype", "int8", *options) == 0
    capsys.readouterr()
    folder = tmp_path / "engine"
    words = ["generate", tmp_path / "lanes.safetensors", "--decoder", "engine", "-o", folder]
    assert _run(monkeypatch, *words, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    layout = read_engine_manifest(folder).layout
    assert said["kind"] == "product"
    assert (layout.rows, layout.cols, layout.lanes) == (24, 30, 64)
    other = tmp_path / "row-major.safetensors"
    assert _run(monkeypatch, "generate", other, "--decoder", "engine", "-o", tmp_path / "no") == 2
    assert "--decoder engine takes a tensor stored with --scan lanes" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
