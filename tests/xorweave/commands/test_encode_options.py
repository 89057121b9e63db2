"""`encode` with a file of options, sharded, and what it lists of that which it does not encode."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from xorweave import command_line

RNG = np.random.default_rng(4)
W = RNG.standard_normal((16, 24)).astype(np.float32)
KEPT = RNG.random((16, 24)) < 0.3


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["xorweave", *map(str, words)])
        status = command_line.run_command()
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    save_file({"a.weight": W, "a.bias": W[0]}, folder / "model-00001-of-00002.safetensors")
    save_file({"b.weight_orig": W, "b.weight_mask": KEPT}, folder / "model-00002-of-00002.safetensors")
    return folder


def test_a_run_is_reproduced_by_the_options_that_it_wrote(run: Any, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[options]\nfor = "hardware"\ndtype = "int4"\n[[tensor]]\nmatch = "b*"\ndtype = "int8"\nmax-k = 64\n'
    )
    out = tmp_path / "m.safetensors"
    words = ("--sparsity", 0.5, "--options", tmp_path / "mine.toml")
    assert run("encode", checkpoint, "-o", out, *words)[0] == 0
    written = tmp_path / "m.options.toml"
    text, first = written.read_text(), out.read_bytes()
    assert (
        'dtype = "int4"\n' in text
        and "sparsity = 0.5\n" in text
        and text.endswith('dtype = "int8"\nmax-k = 64\n')
    )
    again = tmp_path / "again"
    again.mkdir()
    assert run("encode", checkpoint, "-o", again / "m.safetensors", "--options", written)[0] == 0
    assert (again / "m.safetensors").read_bytes() == first
    assert (again / "m.options.toml").read_text() == text
    # the same words by hand, without a file: other bytes, as b.weight is encoded like a.weight
    assert (
        run("encode", checkpoint, "-o", again / "n.safetensors", "--sparsity", 0.5, "--write-options")[0] == 0
    )
    assert (again / "n.safetensors").read_bytes() != first and (again / "n.options.toml").exists()
    # what is read is not written over, nor is another's file
    status, _, said = run("encode", checkpoint, "-o", out, "--options", written)
    assert status == 2 and "must lie elsewhere than in" in said and written.read_text() == text
    written.write_text("mine")
    status, _, said = run("encode", checkpoint, "-o", out, *words)
    assert status == 2 and "replace it with force" in said and written.read_text() == "mine"
    assert run("encode", checkpoint, "-o", out, *words, "--force")[0] == 0
    assert written.read_text() == text


def test_options_that_are_wrong_are_one_line(run: Any, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "o.toml").write_text('[[tensor]]\nmatch = "b*"\nsparsity = 2\n')
    out = tmp_path / "m.safetensors"
    status, printed, said = run("encode", checkpoint, "-o", out, "--options", tmp_path / "o.toml")
    line = f"xorweave: {tmp_path}/o.toml, [[tensor]] 1 (match 'b*'): the sparsity must be between 0 and 1, not 2\n"
    assert (status, printed, said) == (2, "", line)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.toml", "source"]


def test_sharded_from_the_command_line(run: Any, checkpoint: Path, tmp_path: Path) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    assert run("encode", checkpoint, "-o", out, "--sharded", "--for", "hardware")[0] == 0
    for words in (("verify", out), ("inspect", out), ("decode", out, "-o", back)):
        assert run(*words)[0] == 0, words
    assert sorted(path.name for path in back.iterdir()) == [
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
    ]  # fmt: skip
    assert np.array_equal(load_file(back / "model-00001-of-00002.safetensors")["a.weight"], W)
    pruned = load_file(back / "model-00002-of-00002.safetensors")
    assert list(pruned) == ["b.weight"] and np.array_equal(pruned["b.weight"], np.where(KEPT, W, 0))
    one = checkpoint / "model-00001-of-00002.safetensors"
    for words, message in (
        ((one, "-o", tmp_path / "one", "--sharded"), "must be a folder of safetensors files, or their index"),
        ((checkpoint, "-o", tmp_path / "s", "--sharded", "--shard", "1/2"), "must not be given together"),
        (
            (checkpoint, "-o", checkpoint, "--sharded"),
            "the output must be another folder than that of the input",
        ),
        ((checkpoint, "-o", tmp_path / "x.safetensors", "--sharded"), "the output must be a folder"),
    ):
        status, _, said = run("encode", *words)
        assert status == 2 and message in said, said
    assert len(list(checkpoint.iterdir())) == 2


def test_what_is_not_encoded_is_listed(run: Any, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    status, printed, _ = run("encode", checkpoint, "-o", out, "--for", "hardware")
    assert status == 0
    assert printed.endswith(
        "carried unchanged (rank 1): a.bias\nleft out: the mask of b.weight: b.weight_mask\n"
    )
    status, printed, _ = run("encode", checkpoint, "-o", out, "--json", "--exclude", "a*")
    assert json.loads(printed)["carried"] == {
        "a.bias": "rank 1", "a.weight": "left out by name", "b.weight_mask": "left out: the mask of b.weight",
    }  # fmt: skip


def test_a_mask_is_not_written_over(run: Any, checkpoint: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.safetensors"
    save_file({"a.weight": KEPT}, mask)
    held = mask.read_bytes()
    (tmp_path / "o.toml").write_text('[options]\nmask = "mask.safetensors"\n')
    for words in (("--mask", mask), ("--options", tmp_path / "o.toml")):
        status, _, said = run("encode", checkpoint, "-o", mask, *words, "--force")
        assert status == 2 and "another file than the input" in said and mask.read_bytes() == held
