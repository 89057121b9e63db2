"""``xorweave infer``: the published pruned LeNet-300-100 on digits, and what is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from xorweave.cli import main
from xorweave.sim.simulators import available


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


_LANES = [
    16,
    pytest.param(
        64,  # the default
        marks=pytest.mark.skipif(
            not os.environ.get("XORWEAVE_SLOW"),
            reason="takes long to compile: make test-slow runs it (XORWEAVE_SLOW=1)",
        ),
    ),
]


@pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")
@pytest.mark.parametrize("lanes", _LANES)
def test_two_digits_of_each(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    data_dir: Path,
    tmp_path: Path,
    lanes: int,
) -> None:
    model, digits = data_dir / "dns/derived/lenet300100_sparse.npz", data_dir / "mnist/mnist10k.npz"
    engine = tmp_path / "engine"
    arguments = (model, "--images", digits, "--each", 2, "--lanes", lanes, "--engine", engine, "--json")
    assert _run(monkeypatch, "infer", *arguments) == 0
    assert sorted(path.name for path in engine.rglob("*.*")) == [
        "manifest.json",
        "xorweave_engine.core",
        "xorweave_engine.v",
    ]
    found = json.loads(capsys.readouterr().out)
    assert (found["images"], found["mismatches"], found["stall_cycles"]) == (20, 0, 0)
    assert [layer["shape"] for layer in found["layers"]] == [[300, 784], [100, 300], [10, 100]]
    assert found["accuracy_int8"] >= 0.9 and found["predictions_as_float"] >= 0.9
    # the first activations, and the last results, beside a block in each cycle: all other loads are hidden
    assert found["in_flight"] == 2
    assert found["blocks"] < found["cycles"] == found["blocks"] + found["empty_cycles"]
    assert found["empty_cycles"] < 784 // min(16, lanes) + 50
    assert found["outside_bytes"] == 784 + 300


def test_what_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model, images = tmp_path / "m.npz", tmp_path / "i.npz"
    np.savez(model, **{"a.weight": np.ones((3, 4), np.float32)})
    np.savez(images, images=np.full((2, 5), 0.5, np.float32))
    for arguments, message in (
        ((model, "--images", images), "images must have 4 pixels"),
        ((model, "--images", model), "must hold an array named images"),
        ((model, "--images", images, "--lanes", 7), "lanes must be a power of two"),
        ((model, "--images", images, "--in-flight", 0), "the batches in flight must be at least 1, not 0"),
        ((tmp_path / "none.npz", "--images", images), "none.npz"),
    ):
        assert _run(monkeypatch, "infer", *arguments) == 2
        said = capsys.readouterr()
        assert message in said.err and said.err.count("\n") == 1 and not said.out
    np.savez(images, images=np.full((2, 4), 1.5, np.float32))
    assert _run(monkeypatch, "infer", model, "--images", images) == 2
    assert "floats from 0 to 1" in capsys.readouterr().err
