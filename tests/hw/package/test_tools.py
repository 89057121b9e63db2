"""Other people's tools take a package as it is: the oldest Verilator we support, Icarus, FuseSoC."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.hw.decoders.config_for import config_for
from xorweave.hw.package.package import write_package
from xorweave.hw.package.vectors import random_tensor

DEBIAN = Path("/usr/bin/verilator")  # Debian 12 has the oldest one we support


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tools") / "d"
    code = Code.uniform(n_in=3, n_out=9, n_s=2, seed=1)
    tensor = random_tensor(code, number_format("int4"), blocks=20, segment_blocks=5, patches_per_block=2)
    config = config_for(tensor, patches="gap", gap_bits=3, length_bits=4, skid_buffers=True)
    write_package(folder, config, tensor)
    return folder


def test_no_line_is_longer_than_people_read(package: Path) -> None:
    for path in (*package.glob("rtl/*.v"), *package.glob("tb/*.v")):
        assert max(map(len, path.read_text().splitlines())) <= 200


def test_verilator_5_006_has_nothing_to_say(package: Path) -> None:
    said = (
        subprocess.run([DEBIAN, "--version"], capture_output=True, text=True, check=False)
        if DEBIAN.exists()
        else None
    )
    if said is None or not re.match(r"Verilator 5\.006 ", said.stdout):
        pytest.skip("Verilator 5.006 is not installed (Debian 12: apt-get install verilator)")
    top = "xorweave_decoder"
    for flags in (
        ["-Wall", "--top-module", top],
        ["--timing", "--top-module", f"{top}_tb", f"tb/{top}_tb.v"],
    ):
        done = subprocess.run(
            [DEBIAN, "--lint-only", *flags, f"rtl/{top}.v"],
            cwd=package,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("target", ["lint", "sim"])
@pytest.mark.parametrize("tool", ["icarus", "verilator"])
def test_fusesoc_runs_the_core(package: Path, tmp_path: Path, target: str, tool: str) -> None:
    if importlib.util.find_spec("fusesoc") is None:
        pytest.skip("fusesoc is not installed (pip, extra dev)")
    if not shutil.which({"icarus": "iverilog", "verilator": "verilator"}[tool]):
        pytest.skip(f"{tool} is not on the PATH")
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("DATA", "CACHE", "CONFIG")}
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", str(package), "run"]
    command += ["--build-root", str(tmp_path / "build"), f"--target={target}", f"--tool={tool}"]
    done = subprocess.run(
        [*command, "xorweave:decoder:xorweave_decoder"],
        cwd=tmp_path,
        env={**os.environ, **homes},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    if target == "sim":
        assert "PASS words=" in done.stdout + done.stderr
