"""What one code for all costs over codes of their own: as if each tensor had been encoded alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xorweave as xw
from xorweave.cli import main
from xorweave.library.own_codes import own_codes


def _layers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    layers = {}
    for name, shape, sparsity in (("wide", (60, 80), 0.6), ("thin", (64, 90), 0.9), ("none", (4, 5), 1.0)):
        values = rng.standard_normal(shape).astype(np.float32)
        values[rng.random(shape) < sparsity] = 0
        layers[name] = values
    return layers


@pytest.mark.parametrize("overhead", [0.05, 0.02])
def test_every_tensor_as_if_it_stood_alone(overhead: float) -> None:
    layers = _layers()
    together = xw.encode(layers, dtype="int8", goal="hardware", overhead=overhead)
    found = own_codes(together)
    assert found is not None
    each, whole = found
    assert list(each) == ["wide", "thin"]
    bits = np.zeros(3)
    care = 0
    for name, costs in each.items():
        alone = xw.encode({name: layers[name]}, dtype="int8", goal="hardware", overhead=overhead)[
            name
        ].figures
        least = xw.encode({name: layers[name]}, dtype="int8", values_code="raw", mask_code="bitmap")[
            name
        ].figures
        wanted = [together[name].figures.overhead, alone.overhead, least.overhead]
        assert [costs.shared, costs.alike, costs.fewest] == pytest.approx(wanted, abs=1e-12)
        bits += np.array(wanted) * alone["care_bits"]
        care += alone["care_bits"]
    assert [whole.shared, whole.alike, whole.fewest] == pytest.approx((bits / care).tolist())
    # the tensors differ in sparsity: codes of fewest bits take fewer
    assert whole.fewest < whole.shared


def test_where_there_is_nothing_to_compare() -> None:
    layers = _layers()
    assert own_codes(xw.encode(layers, dtype="int8")) is None
    assert own_codes(xw.encode({"wide": layers["wide"]}, dtype="int8", goal="hardware")) is None


def test_encode_and_report_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: object) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, words), "--json"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    np.savez(tmp_path / "model.npz", **_layers())
    out, page = tmp_path / "out.safetensors", tmp_path / "page.html"
    said = run(
        *(
            "encode",
            tmp_path / "model.npz",
            "-o",
            out,
            "--dtype",
            "int8",
            "--for",
            "hardware",
            "--overhead",
            0.03,
        )
    )
    record = {tensor["name"]: tensor for tensor in said["tensors"]}
    assert record["none"]["overhead_alike"] is None
    told = run("report", out, "-o", page)["own_codes"]
    assert told["each"]["thin"]["alike"] == record["thin"]["overhead_alike"]
    assert told["all"]["fewest"] == said["total"]["overhead_fewest"]
    assert f"{100 * told['all']['fewest']:.2f} %" in page.read_text()
