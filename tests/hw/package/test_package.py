"""A generated folder: complete, the same each time, usable without Python, and never half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.tensor.stored import EncodedTensor
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.decoders.decoder_config import DecoderConfig
from xorweave.hw.package.decoder_kinds import design_for
from xorweave.hw.package.manifest import read_manifest
from xorweave.hw.package.package import write_design, write_package
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
    assert sorted(_contents(tmp_path / "a")) == list(read_manifest(tmp_path / "a").files)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("encoder.layer.0/fc-1:w_2", True),
        ('*/\nendmodule\n`include "/etc/passwd"\n<script>', False),
        ("// synopsys translate_off", False),
        ("w\\", False),  # a backslash at the end of a comment's line takes the next line with it
        ("poids_é", False),
        ("w" * 81, False),
    ],
)
def test_only_a_plain_name_is_repeated_in_verilog(
    tmp_path: Path, tensor: EncodedTensor, name: str, shown: bool
) -> None:
    write_design(tmp_path / "p", design_for("xor", tensor, {}, name=name))
    manifest = read_manifest(tmp_path / "p")  # holds any name
    text = "".join(
        (tmp_path / "p" / file).read_text() for file in manifest.files if file.endswith((".v", ".core"))
    )
    assert (name in text) == shown
    assert all(word in text for word in name.split()) == shown


def test_the_manifest_holds_the_generator(tmp_path: Path, tensor: EncodedTensor) -> None:
    manifest = write_package(tmp_path / "a", config_for(tensor), tensor)
    rows = [int(row, 16) for row in manifest.decoder["code"]["generator"]]
    matrix = np.array([[row >> c & 1 for c in range(9)] for row in rows], np.uint8)
    assert (matrix == tensor.code.generator).all()
    assert manifest.decoder["code"]["check_value"] == tensor.code.check_value


def test_only_packages_are_replaced(tmp_path: Path, tensor: EncodedTensor) -> None:
    target = tmp_path / "a"
    write_package(target, config_for(tensor), tensor)
    write_package(target, config_for(tensor, output_register=True), tensor)
    assert read_manifest(target).decoder["output_register"] is True
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
        "the inversion word must be the tensor's": config_for(
            replace(tensor, values=replace(tensor.raw, inversion=0))
        ),
        "the decoder must have the tensor's code": DecoderConfig.raw(
            code=Code.uniform(n_in=3, n_out=10, n_s=2, seed=5), n_w=tensor.number_format.n_w
        ),
    }
    for message, config in wrong.items():
        with pytest.raises(InputError, match=message):
            write_package(tmp_path / "a", config, tensor)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_else_in_it_stays(tmp_path: Path, tensor: EncodedTensor) -> None:
    """A manifest of somebody else's, a file beside ours, a link: none of that is replaced."""
    target = tmp_path / "a"
    write_package(target, config_for(tensor), tensor)
    (target / "notes.txt").write_text("years of work")
    with pytest.raises(InputError, match="no other files"):
        write_package(target, config_for(tensor), tensor)
    (target / "notes.txt").unlink()
    (target / "sim_build").mkdir()
    (target / "sim_build" / "x.o").write_text("ours")
    write_package(target, config_for(tensor), tensor)
    assert not (target / "sim_build").exists()
    (target / "mine").symlink_to(tmp_path)
    with pytest.raises(InputError, match="no other files"):
        write_package(target, config_for(tensor), tensor)
    app = tmp_path / "app"
    app.mkdir()
    (app / "manifest.json").write_text('{"name": "my web app"}')
    with pytest.raises(InputError, match="must be a new or empty folder"):
        write_package(app, config_for(tensor), tensor)
    assert _contents(app) == {"manifest.json": b'{"name": "my web app"}'}


def test_what_cannot_be_written_leaves_the_earlier_package(
    tmp_path: Path, tensor: EncodedTensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    write_package(target, config_for(tensor), tensor)
    before = _contents(target)

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_package(target, config_for(tensor, output_register=True), tensor)
    assert _contents(target) == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_images_are_whole_tensors_in_hexadecimal_and_binary(tmp_path: Path, tensor: EncodedTensor) -> None:
    target = tmp_path / "a"
    write_package(target, config_for(tensor, patches="list"), tensor, max_blocks=10)
    for name in ("symbols", "masks", "patches"):
        lines = (target / f"image/{name}.hex").read_text().split()
        raw = (target / f"image/{name}.bin").read_bytes()
        size = -(-len(lines[0]) // 2)
        words = [int.from_bytes(raw[k : k + size], "little") for k in range(0, len(raw), size)]
        assert len(lines) == 60 and [int(line, 16) for line in lines] == words
        golden = (target / f"vectors/{name}.hex").read_text().split()
        assert len(golden) == 10 and golden[:9] == lines[:9]


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
    manifest = write_package(target, config_for(tensor, inversion_port=True), tensor)
    sources = [manifest.testbench, *manifest.verilog]
    environment = {**os.environ, "PATH": search_path(), "MAKEFLAGS": " -- " + " ".join(MAKE_VARIABLES)}
    if tool == "verilator":
        build = [
            "verilator",
            "--binary",
            "--timing",
            "-CFLAGS",
            "-fcoroutines",
            "--top-module",
            f"{manifest.top}_tb",
            *sources,
        ]
        run = [f"obj_dir/V{manifest.top}_tb"]
    else:
        build = ["iverilog", "-g2001", "-o", "tb.vvp", *sources]
        run = [str(shutil.which("vvp")), "-n", "tb.vvp"]
    subprocess.run(build, cwd=target, env=environment, check=True, capture_output=True)

    def say(stalls: int) -> tuple[int, str]:
        done = subprocess.run(
            [*run, f"+stalls={stalls}"],
            cwd=target,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    words = 60 + sum(scene.words["m_axis"] for scene in manifest.scenes)
    for stalls in range(5):
        status, said = say(stalls)
        assert status == 0 and f"PASS words={words} " in said and " stall_cycles=0 mismatches=0" in said
    _spoil(target)
    status, said = say(0)
    assert status != 0 and "FAIL" in said and "PASS" not in said
