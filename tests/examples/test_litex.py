"""A LiteX system on chip decodes stored tensors from its memory into its memory, simulated; a wrong bit is seen."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xorweave as xw

pytest.importorskip("litex.soc", reason="LiteX is not installed (extra soc)")

SOC = Path(__file__).resolve().parents[2] / "examples" / "litex" / "soc.py"


def _written(folder: Path, sparsities: dict[str, float], goal: str) -> tuple[Path, Path]:
    """Encode layers, write them and their one decoder."""
    rng = np.random.default_rng(5)
    layers = {name: rng.standard_normal((24, 48), np.float32) for name in sparsities}
    for name, values in layers.items():
        values[np.abs(values) <= np.quantile(np.abs(values), sparsities[name])] = 0
    encoded = xw.encode(layers, dtype="int8", goal=goal)
    encoded.save(folder / "m.safetensors")
    xw.decoder(encoded).write(folder / "decoder")
    return folder / "decoder", folder / "m.safetensors"


def _differ(decoder: Path, container: Path) -> dict[str, int]:
    """Run the chip, return how many weights of each layer differ."""
    done = subprocess.run(
        [sys.executable, str(SOC), str(decoder), str(container)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    found = re.findall(r"^(\w+): 1152 weights in .* cycles, (\d+) differ", done.stdout, re.MULTILINE)
    assert found, done.stdout[-3000:] + done.stderr[-3000:]
    differ = {name: int(number) for name, number in found}
    assert done.returncode == (1 if any(differ.values()) else 0)
    return differ


def test_the_default_form(tmp_path: Path) -> None:
    assert _differ(*_written(tmp_path, {"fc": 0.9}, "storage")) == {"fc": 0}


def test_one_decoder_for_layers_of_several_sparsities(tmp_path: Path) -> None:
    """The first layer's first symbol is spoilt: that layer is wrong, those after it are right."""
    sparsities = {"first": 0.9, "thin": 0.9, "thick": 0.6}
    decoder, container = _written(tmp_path, sparsities, "hardware")
    assert "s_axis_block_length" in (decoder / "manifest.json").read_text()
    symbols = decoder / "image" / "symbols.hex"
    first, rest = symbols.read_text().split("\n", 1)
    symbols.write_text(f"{int(first, 16) ^ 1:0{len(first)}x}\n{rest}")
    differ = _differ(decoder, container)
    assert differ.pop("first") > 0 and differ == {"thin": 0, "thick": 0}
