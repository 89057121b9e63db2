"""cocotbext-axi drives generated decoders, the default's form and raw planes; a wrong bit is seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xorweave as xw

pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed (extra soc)")

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "axi_stream.py"


def _written(folder: Path, goal: str) -> tuple[Path, Path]:
    """Encode a layer, write it and its decoder as the command line does."""
    weights = np.random.default_rng(4).standard_normal((24, 48), np.float32)
    encoded = xw.encode({"fc": weights}, dtype="int8", sparsity=0.9, goal=goal)
    container, decoder = folder / "fc.safetensors", folder / "decoder"
    encoded.save(container)
    xw.decoder(encoded).write(decoder)
    return decoder, container


def _run(decoder: Path, container: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLE), str(decoder), str(container)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


@pytest.mark.parametrize("goal", ["storage", "hardware"])
def test_decodes_a_stored_layer(tmp_path: Path, goal: str) -> None:
    decoder, container = _written(tmp_path, goal)
    done = _run(decoder, container)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "1152 weights in" in done.stdout and "all equal" in done.stdout


def test_a_wrong_bit_of_the_memory_is_seen(tmp_path: Path) -> None:
    decoder, container = _written(tmp_path, "hardware")
    symbols = decoder / "image" / "symbols.hex"
    first, rest = symbols.read_text().split("\n", 1)
    symbols.write_text(f"{int(first, 16) ^ 1:0{len(first)}x}\n{rest}")
    done = _run(decoder, container)
    assert done.returncode != 0
    assert "weights differ" in done.stdout
