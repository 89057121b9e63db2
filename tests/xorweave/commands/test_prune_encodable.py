"""prune --encodable, as a user runs it, and encode of what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import xorweave as xw
from xorweave.commands.prune import prune
from xorweave.golden.base.errors import InputError
from xorweave.golden.files.mapped import read_safetensors

app = typer.Typer()
app.command()(prune)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    file = tmp_path / "weights.npz"
    np.savez(
        file,
        fc1=rng.standard_normal((80, 200)).astype(np.float32),
        bias=rng.standard_normal(80).astype(np.float32),
        fc2=rng.standard_normal((10, 80)).astype(np.float32),
    )
    return file


def test_what_is_written_says_that_it_is_lossy_and_encodes_in_fewer_bits(
    weights: Path, tmp_path: Path
) -> None:
    out, plain, masks = (tmp_path / f"{name}.safetensors" for name in ("out", "plain", "masks"))
    shared = (weights, "--sparsity", 0.9, "--json")
    run(*shared, "-o", plain)
    options = ("--encodable", "--flips", 0.15, "--dtype", "int8", "--step", 3, "--masks", masks)
    told = json.loads(run(*shared, "-o", out, *options))
    tensors, metadata = read_safetensors(out)
    before = np.load(weights)
    record = json.loads(metadata["xorweave.prune"])["encodable"]
    assert record == told["encodable"] and record["lossy"] is True
    assert (record["flips"], record["dtype"], record["step"]) == (0.15, "int8", 3.0)
    kept, plainly = tensors["fc1"].values != 0, read_safetensors(plain)[0]["fc1"].values != 0
    moved = record["moved"]["fc1"]
    assert moved["kept"] == kept.sum() == told["layers"][0]["kept"]
    assert 0 < moved["dropped"] == (plainly & ~kept).sum() <= 0.15 * plainly.sum()
    assert np.array_equal(read_safetensors(masks)[0]["fc1"].values, kept)
    assert np.array_equal(tensors["bias"].values, before["bias"])
    sizes = [
        xw.encode(path, dtype="int8")["fc1"].figures["bits_per_weight_with_mask"] for path in (plain, out)
    ]
    assert sizes[1] < 0.9 * sizes[0]
    # and once more: what was arranged before does not outlive its weights
    again = tmp_path / "again.safetensors"
    run(out, "-o", again, "--sparsity", 0.95)
    assert "fc1.encodable" not in read_safetensors(again)[0]


def test_the_table_says_so_too(weights: Path, tmp_path: Path) -> None:
    shown = run(weights, "-o", tmp_path / "o.safetensors", "--sparsity", 0.9, "--encodable")
    assert "lossy by choice" in shown and "flips" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--flips", 0.1), "flips must be given with encodable only"),
        (
            ("--encodable", "--method", "random"),
            "encodable pruning ranks by magnitude: magnitude or lamp, not random",
        ),
        (("--encodable", "--fold"), "fold must not be given with encodable"),
        (("--encodable", "--flips", 0.9), "the share of flips must be between 0 and 0.3, not 0.9"),
        (("--encodable", "--step", 2), "a step must be given with the dtype"),
    ],
)
def test_what_cannot_be_asked_for(weights: Path, tmp_path: Path, options: tuple, message: str) -> None:
    out = tmp_path / "o.safetensors"
    with pytest.raises(InputError, match=message):
        run(weights, "-o", out, "--sparsity", 0.9, *options)
    assert not out.exists()


def test_a_description_without_weights_is_refused(tmp_path: Path) -> None:
    description = tmp_path / "net.json"
    description.write_text(json.dumps({"name": "net", "layers": []}))
    with pytest.raises(InputError):
        run(description, "-o", tmp_path / "o.safetensors", "--sparsity", 0.9, "--encodable")
