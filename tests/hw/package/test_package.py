"""A generated folder: complete, the same each time, usable without Python, and never half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.stream import EncodedTensor
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.axis_design import config_for
from xorweave.hw.package.manifest import read_manifest
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import random_tensor
from xorweave.sim.simulators import available, search_path
from xorweave.sim.verilator_build import MAKE_VARIABLES


@pytest.fixture
def tensor() -> EncodedTensor:
    code = Code.uniform(n_in=3, n_out=10, n_s=2, seed=4)
    return random_tensor(
        code, number_format("int4"), blocks=60, segment_blocks=23, patches_per_block=2, inversion=6, seed=1
    )


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_same_bytes_and_the_files_of_the_manifest(tmp_path: Path, tensor: EncodedTensor) -> None:
    for name in ("a", "b"):
        write_package(tmp_path / name, config_for(tensor), tensor)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")
    assert sorted(_contents(tmp_path / "a")) == read_manifest(tmp_path / "a")["files"]


def test_the_manifest_holds_the_generator(tmp_path: Path, tensor: EncodedTensor) -> None:
    manifest = write_package(tmp_path / "a", config_for(tensor), tensor)
    rows = [int(row, 16) for row in manifest["code"]["generator"]]
    matrix = np.array([[row >> c & 1 for c in range(9)] for row in rows], np.uint8)
    assert (matrix == tensor.code.generator).all()
    assert manifest["code"]["check_value"] == tensor.code.check_value


def test_only_packages_are_replaced(tmp_path: Path, tensor: EncodedTensor) -> None:
    target = tmp_path / "a"
    write_package(target, config_for(tensor), tensor)
    write_package(target, config_for(tensor, output_register=True), tensor)
    assert read_manifest(target)["output_register"] is True
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="must be a new or empty folder"):
        write_package(other, config_for(tensor), tensor)
    assert _contents(other) == {"thesis.txt": b"years of work"}
    assert {p.name for p in tmp_path.iterdir()} == {"a", "mine"}


def test_a_decoder_that_does_not_fit_is_refused_and_nothing_written(
    tmp_path: Path, tensor: EncodedTensor
) -> None:
    wrong = {
        "patches_per_block must be at least 2": config_for(tensor, patches_per_block=1),
        "the inversion word must be the tensor's": config_for(tensor, inversion=0),
        "the decoder must have the tensor's code": DecoderConfig.raw(
            code=Code.uniform(n_in=3, n_out=10, n_s=2, seed=5), n_w=tensor.number_format.n_w
        ),
    }
    for message, config in wrong.items():
        with pytest.raises(InputError, match=message):
            write_package(tmp_path / "a", config, tensor)
    assert list(tmp_path.iterdir()) == []


def test_manifests_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no manifest"):
        read_manifest(tmp_path)
    for text in ("not json", "[]", "{}", json.dumps({"format": "xorweave-decoder", "version": 99})):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(InputError):
            read_manifest(tmp_path)


def _spoil(folder: Path) -> None:
    lines = (folder / "vectors/weights.hex").read_text().split()
    lines[-1] = f"{int(lines[-1], 16) ^ 1:0{len(lines[-1])}x}"
    (folder / "vectors/weights.hex").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("tool", ["verilator", "iverilog"])
def test_the_test_bench_needs_no_python_and_sees_one_wrong_bit(
    tmp_path: Path, tensor: EncodedTensor, tool: str
) -> None:
    if not available({"verilator": "verilator", "iverilog": "icarus"}[tool]):
        pytest.skip(f"{tool} is not installed")
    target = tmp_path / "a"
    manifest = write_package(target, config_for(tensor, inversion=None), tensor)
    sources = [manifest["testbench"], *manifest["verilog"]]
    environment = {**os.environ, "PATH": search_path(), "MAKEFLAGS": " -- " + " ".join(MAKE_VARIABLES)}
    if tool == "verilator":
        build = [
            "verilator",
            "--binary",
            "--timing",
            "-CFLAGS",
            "-fcoroutines",
            "--top-module",
            f"{manifest['top']}_tb",
            *sources,
        ]
        run = [f"obj_dir/V{manifest['top']}_tb"]
    else:
        build = ["iverilog", "-g2001", "-o", "tb.vvp", *sources]
        run = [str(shutil.which("vvp")), "tb.vvp"]
    subprocess.run(build, cwd=target, env=environment, check=True, capture_output=True)

    def say(stalls: int) -> str:
        done = subprocess.run(
            [*run, f"+stalls={stalls}"],
            cwd=target,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    # 60 blocks, one cycle of latency, and one before the bench offers its first symbol
    assert "PASS blocks=60 cycles=62 stall_cycles=0 mismatches=0" in say(0)
    for stalls in (1, 2):
        assert "PASS blocks=60" in say(stalls)
    _spoil(target)
    assert "FAIL" in say(0)
    assert "PASS" not in say(0)
