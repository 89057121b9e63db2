"""FuseSoC takes an engine's folder as it is, and a folder that holds something is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.lane_code import encode_layers_on_lanes
from xorweave.golden.scan.lane_layout import LaneLayout
from xorweave.hw.decoders.config_for import config_for_all
from xorweave.hw.engines.spmv_engine import SpmvConfig
from xorweave.hw.package.engine_core import write_engine


@pytest.fixture(scope="module")
def config() -> SpmvConfig:
    rng = np.random.default_rng(0)
    layers = [
        (rng.integers(-127, 128, s) * (rng.random(s) < 0.3)).astype(np.int8) for s in ((16, 21), (8, 16))
    ]
    tensors = encode_layers_on_lanes(layers, number_format("int8"), 8, max_k=64)
    named = dict(zip(("first", "second"), tensors, strict=True))
    return SpmvConfig(
        layout=LaneLayout(rows=16, cols=21, lanes=8, interleave=2),
        decoder=config_for_all(named, patches="list"),
        load_words=8,
        result_words=8,
    )


@pytest.mark.parametrize("tool", ["icarus", "verilator"])
def test_fusesoc_lints_the_engine(config: SpmvConfig, tmp_path: Path, tool: str) -> None:
    pytest.importorskip("fusesoc", reason="fusesoc is not installed (pip, extra dev)")
    if not shutil.which({"icarus": "iverilog", "verilator": "verilator"}[tool]):
        pytest.skip(f"{tool} is not on the PATH")
    folder = tmp_path / "engine"
    write_engine(folder, config)
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("DATA", "CACHE", "CONFIG")}
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", str(folder), "run"]
    command += ["--build-root", str(tmp_path / "build"), "--target=lint", f"--tool={tool}"]
    done = subprocess.run(
        [*command, "xorweave:engine:xorweave_engine"],
        cwd=tmp_path,
        env={**os.environ, **homes},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert "%Warning" not in said


def test_a_folder_that_holds_something_is_left_alone(config: SpmvConfig, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(InputError, match="must be a new or empty folder"):
        write_engine(tmp_path, config)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
