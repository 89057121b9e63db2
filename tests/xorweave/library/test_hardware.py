"""Decoders of stored tensors and of codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xorweave as xw
from xorweave.hw.package.manifest import read_manifest

CODE = "family=chain,n_in=8,n_out=80,n_s=2,seed=0"


@pytest.fixture
def encoded() -> xw.Encoded:
    rng = np.random.default_rng(0)
    return xw.encode(
        {name: rng.standard_normal((rows, 60), np.float32) for name, rows in (("a", 30), ("b", 50))},
        dtype="int8", sparsity=0.9, code=CODE, scan="row-major",
    )  # fmt: skip


def test_one_decoder_for_all(tmp_path: Path, encoded: xw.Encoded) -> None:
    decoder = xw.decoder(encoded)
    fullest = [
        int(np.bincount(encoded[name].tensor.patches.positions // 80).max(initial=0)) for name in encoded
    ]
    assert decoder.config.patches_per_block == max(fullest)
    assert 0 < decoder.gates_per_weight < 1000
    for name in encoded:
        folder = tmp_path / name
        written = decoder.write(folder, vectors=encoded[name], blocks=10)
        assert read_manifest(folder).top == written.top
        assert written.output.words == 10


def test_a_code_by_name_and_by_words(tmp_path: Path) -> None:
    named = xw.decoder("paper-s90-ns2", dtype="int4")
    assert (named.config.n_out, named.config.n_w) == (80, 4)
    words = xw.decoder(CODE, patches_per_block=1)
    assert words.config.patches_per_block == 1
    assert words.write(tmp_path / "d", blocks=5, seed=3).output.words == 5
    assert xw.decoder(xw.Code.from_spec(CODE)).gates_per_weight < words.gates_per_weight


def test_what_cannot_be_had(encoded: xw.Encoded, tmp_path: Path) -> None:
    other = xw.encode({"a": np.eye(64, dtype=np.int8)}, code="paper")["a"]
    with pytest.raises(xw.InputError, match=r"^the decoder must have the tensor's code"):
        xw.decoder(encoded).write(tmp_path / "d", vectors=other)
    assert not (tmp_path / "d").exists()
    mixed = xw.encode({"a": np.eye(64, dtype=np.int8), "b": np.ones((64, 64), np.int8)}, code="paper")
    with pytest.raises(xw.InputError, match=r"^no one decoder serves (a and b|b and a): "):
        xw.decoder(mixed)
    with pytest.raises(xw.InputError, match=r"^an option of the decoder is unknown"):
        xw.decoder(encoded, depth=3)
    with pytest.raises(
        xw.InputError, match=r"^a decoder must be made for stored tensors or a code, not for int$"
    ):
        xw.decoder(3)  # type: ignore[arg-type]
    with pytest.raises(xw.InputError, match=r"^the code must be a name or KEY=VALUE"):
        xw.decoder("auto")
