"""Why a tensor was carried is told again from the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import xorweave as xw


def test_an_opened_file_gives_the_reasons_that_encoding_gave(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "fc": rng.standard_normal((16, 24)).astype(np.float32),
        "buffer": np.arange(6).reshape(2, 3),
        "bias": np.ones(3, np.float32),
        "number": np.float32(1.0),
        "nothing": np.zeros((0, 4), np.float32),
        "head.weight": rng.standard_normal((4, 4)).astype(np.float32),
        "fc.scale": np.ones(2, np.float32),
    }
    encoded = xw.encode(tensors, dtype="int8", exclude="head.*")
    encoded.save(tmp_path / "m.safetensors")
    found = xw.open(tmp_path / "m.safetensors").carried
    assert found.pop("head.weight") == "left out when it was encoded"
    assert encoded.carried.pop("head.weight") == "left out by name"
    assert found.pop("fc.scale.1") == "the scale of fc"
    assert found == encoded.carried


def test_integers_beside_encoded_integers_have_no_code(tmp_path: Path) -> None:
    tensors = {"fc": np.eye(16, dtype=np.int8), "table": np.arange(6).reshape(2, 3)}
    encoded = xw.encode(tensors)
    encoded.save(tmp_path / "m.safetensors")
    assert xw.open(tmp_path / "m.safetensors").carried == encoded.carried == {"table": "I64 has no code"}
