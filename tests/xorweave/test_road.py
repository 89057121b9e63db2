"""From weights to gates by the commands a user types: raw forms are simulated and proved."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from xorweave.cli import main
from xorweave.golden.files.weight_files import read_weights
from xorweave.sim.simulators import available


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
@pytest.mark.parametrize("goal", ["hardware", "paper"])
def test_from_weights_to_proved_gates(
    goal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        assert not stop.value.code
        return capsys.readouterr().out

    source, stored, back, folder = (
        tmp_path / name for name in ("w.npy", "w.safetensors", "b.safetensors", "decoder")
    )
    np.save(source, np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32))
    run("encode", source, "-o", stored, "--dtype", "int8", "--sparsity", 0.9, "--for", goal)
    run("decode", stored, "-o", back)
    kept = np.count_nonzero(read_weights(back)["w"].values)
    assert 350 < kept < 420  # a tenth, without those that are quantised to 0
    run("generate", stored, "-o", folder)
    simulated = json.loads(run("simulate", folder, "--stalls", "random", "--json"))
    assert (simulated["mismatches"], simulated["stall_cycles"]) == (0, 0)
    assert json.loads(run("synth", folder, "--json"))["equivalence"] == "proved"
