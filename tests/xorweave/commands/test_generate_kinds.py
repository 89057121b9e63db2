"""What generate writes, whatever it is asked for: clean under lint, test bench included, and usable without Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xorweave.cli import main
from xorweave.hw.package.decoder_kinds import DECODERS
from xorweave.hw.package.manifest import read_manifest
from xorweave.sim.simulate import simulate
from xorweave.sim.simulators import available, search_path
from xorweave.sim.verilator_build import MAKE_VARIABLES

CODE = "n_in=3,n_out=9,n_s=1"
OPTIONS = [
    "",
    "--no-mask --no-input-register",
    "--patches 1 --output-register --skid-buffers --inversion-port",
    "--patches 9",
    "--patches 3 --gap-bits 4 --length-bits 7",
    "--max-depth 1 --network plain",
    "--planes 1",
    "--planes 5 --patches 2 --no-input-register --skid-buffers",
    "--dtype fp16 --network plain",
    "--code family=paired,n_in=4,n_out=20,n_s=2 --planes 2",
    "--code family=chain,n_in=2,n_out=20,n_s=3,taps=1,run=5 --depth-limit 8",
    "--code paper,n_s=0 --planes 2",
    "--code n_in=3,n_out=9,n_s=1,rates=1/3",
    "--code n_in=4,n_out=9,n_s=1,rates=1/2/3/4 --patches 1 --no-input-register --no-mask",
    "--decoder bounded --patches 2 --skid-buffers",
    "--decoder bounded --no-mask --output-register",
    "--decoder plane-serial",
    "--decoder plane-serial --patches 3 --no-mask",
    "--decoder segments --segments 3 --patches 1 --output-register",
    "--decoder segments --segments 1 --skid-buffers --max-depth 1",
    "--decoder bitmap --sparsity 0.7",
    "--decoder relative-index --lanes 2",
    "--decoder huffman",
]


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def _generate(monkeypatch: pytest.MonkeyPatch, options: str, folder: Path) -> Path:
    words = options.split()
    code = [] if "--code" in words else ["--code", CODE]
    dtype = [] if "--planes" in words or "--dtype" in words else ["--dtype", "int4"]
    assert _run(monkeypatch, "generate", *code, *dtype, *words, "--blocks", 30, "-o", folder) == 0
    return folder


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
@pytest.mark.parametrize("options", OPTIONS)
def test_verilator_has_nothing_to_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: str) -> None:
    folder = _generate(monkeypatch, options, tmp_path / "d")
    manifest = read_manifest(folder)
    top = manifest.top
    lints = [
        ["-Wall", "--top-module", top, *manifest.verilog],
        ["--timing", "--top-module", f"{top}_tb", manifest.testbench, *manifest.verilog],
    ]
    for flags in lints:
        done = subprocess.run(
            ["verilator", "--lint-only", "--quiet", *flags],
            cwd=folder,
            env={**os.environ, "PATH": search_path()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_every_kind_of_decoder_is_in_the_list() -> None:
    asked = {words[words.index("--decoder") + 1] for o in OPTIONS if "--decoder" in (words := o.split())}
    assert asked | {"xor"} == set(DECODERS)


def test_one_decoder_for_the_tensors_of_a_container(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """encode and generate meet through --code: the decoder's rates are those the tensors were encoded at."""
    if not available("verilator"):
        pytest.skip("verilator is not installed")
    rng = np.random.default_rng(3)
    tensors = {}
    for name, density in (("dense", 0.45), ("sparse", 0.1)):
        values = rng.integers(1, 100, (30, 40)).astype(np.int8)
        tensors[name] = np.where(rng.random(values.shape) < density, values, 0).astype(np.int8)
    np.savez(tmp_path / "w.npz", **tensors)
    container, folder = tmp_path / "w.safetensors", tmp_path / "d"
    code = "n_in=16,n_out=32,n_s=2,rates=4/16"
    assert _run(monkeypatch, "encode", tmp_path / "w.npz", "-o", container, "--code", code, "--json") == 0
    records = json.loads(capsys.readouterr().out)["tensors"]
    assert {record["name"]: record["n_in"] for record in records} == {"dense": 16, "sparse": 4}
    assert _run(monkeypatch, "generate", container, "-o", folder, "--json") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert (manifest["kind"], manifest["rates"]) == ("rates", [4, 16])
    result = simulate(folder, stalls="random")
    assert (result.mismatches, result.stall_cycles, result.blocks) == (0, 0, 2 * -(-1200 // 32))


def test_one_decoder_for_all_layers_of_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Encoded for hardware, layers share a decoder; otherwise generate says why not, and takes the largest."""
    rng = np.random.default_rng(3)
    layers = {}
    for name, density in (("dense", 0.45), ("sparse", 0.1)):
        values = rng.integers(1, 100, (30, 40)).astype(np.int8)
        layers[name] = np.where(rng.random(values.shape) < density, values, 0).astype(np.int8)
    np.savez(tmp_path / "w.npz", **layers)
    source, container, folder = tmp_path / "w.npz", tmp_path / "w.safetensors", tmp_path / "d"
    assert _run(monkeypatch, "encode", source, "-o", container, "--for", "hardware", "--json") == 0
    records = json.loads(capsys.readouterr().out)["tensors"]
    assert _run(monkeypatch, "generate", container, "-o", folder, "--json") == 0
    said = capsys.readouterr()
    manifest = json.loads(said.out)
    assert manifest["block_lengths"] and not said.err
    lengths = {entry["tensor"]: entry["block"] for entry in manifest["layout"]}
    assert lengths == {record["name"]: record["n_out"] for record in records}
    assert _run(monkeypatch, "encode", source, "-o", container, "--code", "paper", "--json") == 0
    capsys.readouterr()
    assert _run(monkeypatch, "generate", container, "-o", folder, "--json") == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)["layout"]) == 1
    assert "no one decoder serves" in said.err and "alone" in said.err


def test_test_bench_needs_no_python_and_sees_one_wrong_bit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In Icarus where it is there, as Verilator takes a quarter of a minute to compile the bench."""
    if not available("verilator") and not available("icarus"):
        pytest.skip("no simulator is installed")
    folder = _generate(monkeypatch, "--decoder plane-serial --patches 2", tmp_path / "d")
    top = read_manifest(folder).top
    sources = [f"tb/{top}_tb.v", f"rtl/{top}.v"]
    environment = {**os.environ, "PATH": search_path(), "MAKEFLAGS": " -- " + " ".join(MAKE_VARIABLES)}
    if available("icarus"):
        command = ["iverilog", "-g2001", "-o", "tb.vvp", *sources]
        start = ["vvp", "-n", "tb.vvp"]
    else:
        command = [
            "verilator",
            "--binary",
            "--timing",
            "-CFLAGS",
            "-fcoroutines",
            "--top-module",
            f"{top}_tb",
        ]
        command += sources
        start = [f"obj_dir/V{top}_tb"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

    def say(stalls: int) -> str:
        run = [*start, f"+stalls={stalls}"]
        return subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False).stdout

    for stalls in (0, 1, 2):
        assert "PASS words=" in say(stalls)
    path = folder / "vectors" / "weights.hex"
    lines = path.read_text().split()
    path.write_text("\n".join([*lines[:-1], f"{int(lines[-1], 16) ^ 1:x}"]) + "\n")
    assert "FAIL" in say(0)


@pytest.mark.parametrize(
    "options, message",
    [
        ("--decoder best", "--decoder must be one of xor, bounded, plane-serial"),
        ("--decoder plane-serial --skid-buffers", "must be without skid_buffers"),
        ("--decoder segments --segments 0", "parallel segments must be at least 1, not 0"),
        ("--decoder huffman --lanes 2", "a lane for every word of a block, 9, not 2"),
        ("--planes 0", "the number of planes must be between 1 and 32, not 0"),
        ("--code n_in=3,n_out=9,n_s=1,rates=1/3 --decoder segments", "must come with --decoder xor"),
        ("--code n_in=3,n_out=9,n_s=1,rates=1/2", "rates must increase"),
    ],
)
def test_bad_input_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    options: str,
    message: str,
) -> None:
    words = options.split()
    code = [] if "--code" in words else ["--code", CODE]
    assert _run(monkeypatch, "generate", *code, *words, "-o", tmp_path / "d") == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
