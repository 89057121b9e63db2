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
    assert decoder.config.patches_per_block >= max(fullest)
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


def test_layers_of_several_densities_share_a_decoder(tmp_path: Path) -> None:
    """Each layer's weights leave the one decoder, as many words of a block as its streams say."""
    rng = np.random.default_rng(1)
    layers = {}
    for name, density in (("dense", 0.5), ("middle", 0.3), ("sparse", 0.1)):
        layers[name] = rng.integers(1, 100, (40, 60)).astype(np.int8) * (rng.random((40, 60)) < density)
    encoded = xw.encode(layers, goal="hardware")
    decoder = xw.decoder(encoded)
    assert decoder.config.block_lengths
    manifest = decoder.write(tmp_path / "d", blocks=10**6)
    lengths = [entry["block"] for entry in manifest.entries["layout"]]
    assert [encoded[name].tensor.n_out for name in layers] == lengths and len(set(lengths)) == 3
    words, _ = manifest.words(tmp_path / "d", manifest.output)
    for (name, weights), length in zip(layers.items(), lengths, strict=True):
        tensor = encoded[name].tensor
        blocks, words = words[: tensor.blocks], words[tensor.blocks :]
        came = np.array([[word >> (8 * r) & 255 for r in range(length)] for word in blocks], np.uint8)
        assert not any(
            word >> (8 * length) & ((1 << 8 * (decoder.config.n_out - length)) - 1) for word in blocks
        )
        scan = came.reshape(-1)[: tensor.n]
        assert np.array_equal(tensor.scan.from_scan(scan).reshape(weights.shape).view(np.int8), weights)
    assert not words
    # without a mask stage nothing can be left out: the words beyond are what the code makes of the symbols
    assert not xw.decoder(encoded, mask=False).config.block_lengths
