"""Options of single tensors from a file, and the file that is written back."""

from __future__ import annotations

import tomllib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import xorweave as xw
from xorweave.library.options_file import Table, read_options, write_options
from xorweave.library.recipes import check_options, own_recipes
from xorweave.library.words import DEFAULTS, WORDS

RNG = np.random.default_rng(11)
MODEL = {
    "embed.weight": RNG.standard_normal((32, 16)).astype(np.float32),
    "a.fc.weight": RNG.standard_normal((24, 40)).astype(np.float32),
    "b.fc.weight": RNG.standard_normal((24, 40)).astype(np.float32),
    "b.bias": np.ones(24, np.float32),
}
OPTIONS = """
[options]            # what holds where no table says otherwise
dtype = "int8"
sparsity = 0.9
for = "hardware"
mask-code = "bitmap"

[[tensor]]
match = "*.fc.*"
sparsity = 0.75
code = "n_in=8,n_out=24,n_s=2,seed=1"

[[tensor]]
match = "b.*"
sparsity = 0.5
dtype = "int4"

[[tensor]]
match = "embed*"
encode = false
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_file(MODEL, tmp_path / "m.safetensors")
    return tmp_path / "m.safetensors"


def options(folder: Path, text: str = OPTIONS) -> Path:
    path = folder / "o.toml"
    path.write_text(text, "utf-8")
    return path


def test_each_tensor_gets_its_own(model: Path, tmp_path: Path) -> None:
    encoded = xw.encode(model, options=options(tmp_path))
    assert set(encoded) == {"a.fc.weight", "b.fc.weight"}
    assert encoded.carried == {"embed.weight": "left out by name", "b.bias": "rank 1"}
    assert encoded["a.fc.weight"].dtype == "int8" and encoded["b.fc.weight"].dtype == "int4"
    for name, kept in (("a.fc.weight", 0.25), ("b.fc.weight", 0.5)):  # the later table's word
        assert encoded[name].tensor.mask_coder.ones_before(960) == 960 * kept
        assert encoded[name].figures.n_out == 24  # the earlier table's, of which the later says nothing
    alone = xw.encode(
        {"b.fc.weight": MODEL["b.fc.weight"]}, dtype="int4", sparsity=0.5, mask_code="bitmap", goal="hardware",
        code="n_in=8,n_out=24,n_s=2,seed=1",
    )  # fmt: skip
    assert np.array_equal(alone["b.fc.weight"].decode(), encoded["b.fc.weight"].decode())
    assert alone.container.blob("b.fc.weight") == encoded.container.blob("b.fc.weight")


def test_words_that_are_given_win_over_the_files_options_and_not_over_its_tables(
    model: Path, tmp_path: Path
) -> None:
    encoded = xw.encode(model, options=options(tmp_path), dtype="fp16", include="*.weight")
    assert encoded["a.fc.weight"].dtype == "fp16" and encoded["b.fc.weight"].dtype == "int4"


def test_tensors_with_a_goal_of_their_own_do_not_share_the_code(model: Path, tmp_path: Path) -> None:
    text = '[options]\ndtype = "int8"\nsparsity = 0.9\nfor = "hardware"\n[[tensor]]\nmatch = "a.*"\nfor = "paper"\n'
    encoded = xw.encode(model, options=options(tmp_path, text))
    without = xw.encode(model, dtype="int8", sparsity=0.9, goal="hardware", exclude="a.*")
    for name in ("b.fc.weight", "embed.weight"):
        assert encoded.container.blob(name) == without.container.blob(name)
    paper = xw.encode({"a.fc.weight": MODEL["a.fc.weight"]}, dtype="int8", sparsity=0.9, goal="paper")
    assert encoded.container.blob("a.fc.weight") == paper.container.blob("a.fc.weight")


def test_what_is_written_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "masks.npz", **{"b.fc.weight": MODEL["b.fc.weight"] > 0})
    text = OPTIONS.replace("sparsity = 0.9", 'mask = "masks.npz"').replace("sparsity = 0.5\n", "")
    first = xw.encode(
        model, options=options(tmp_path, text), seed=3, exclude=["x*", 'a "quoted" \\ name\x7f']
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    written = options(elsewhere, first.options)
    second = xw.encode(model, options=written)
    first.save(tmp_path / "1.safetensors")
    second.save(tmp_path / "2.safetensors")
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()
    assert first.options == second.options
    # complete: every option stands there, with a value or as not given, and what it is for
    lines = first.options.splitlines()
    for word in WORDS:
        assert any(line.startswith((f"{word.option} = ", f"#{word.option} =")) for line in lines), word.option
        assert f"# {word.about}" in lines
    assert tomllib.loads(first.options)["options"]["seed"] == 3


def test_flags_alone_are_written_too(model: Path, tmp_path: Path) -> None:
    first = xw.encode(model, dtype="int8", sparsity=0.9, goal="hardware", per_row=True, effort=2)
    second = xw.encode(model, options=options(tmp_path, first.options))
    for name in first:
        assert first.container.blob(name) == second.container.blob(name)
    assert first.container.info == second.container.info


def test_another_process_is_told_the_same(model: Path, tmp_path: Path) -> None:
    path = options(tmp_path)
    here = xw.encode(model, options=path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = xw.encode(model, options=path, executor=pool)
    for name in here:
        assert there.container.blob(name) == here.container.blob(name)


def test_masks_given_as_arrays_are_said_to_be_missing() -> None:
    said = {**DEFAULTS, "mask": {"w": np.ones((2, 2))}}
    assert "# mask was given as arrays, which this file cannot hold" in write_options(said, ()).splitlines()


def test_defaults_and_tables_come_back(tmp_path: Path) -> None:
    tables = (Table("a*", "", {"dtype": "int4", "effort": "exact", "error_free": True}, None),)
    said = {**DEFAULTS, "sparsity": np.float64(0.25), "include": ["x", "y\n"], "network": "lenet-5"}
    back = read_options(options(tmp_path, write_options(said, tables)))
    assert {**DEFAULTS, **back.words} == {**said, "exclude": []}
    assert [(table.match, table.words) for table in back.tables] == [(t.match, t.words) for t in tables]


def test_a_table_that_names_nothing_is_told(model: Path, tmp_path: Path) -> None:
    text = '[[tensor]]\nmatch = "fcx*"\nscan = "affine"\n'
    encoded = xw.encode(model, options=options(tmp_path, text), dtype="int8", goal="hardware", sparsity=0.9)
    assert encoded.remarks == ("[[tensor]] 1 (match 'fcx*') matches no tensor",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[options]\ndtype = int8", r" must be a TOML file of options: .*\(at line 2, column 9\)"),
        ("a = 1" * 3, " must be a TOML file of options: .*"),
        ("x = " + "[" * 5000, " must be a TOML file of options: .*"),
        (".".join(["a", "'b'", '"c"'] * 20000) + " = 1", ".*: no key of options has 64 parts"),
        ("[" + "a . " * 40000 + "b]", ".*: no key of options has 64 parts"),
        ("[output]", r" must hold the table \[options\] and \[\[tensor\]\] tables, not 'output'"),
        ("options = 3", r" must hold the options as a table \[options\]"),
        ("[tensor]\nmatch = 'a'", r" must hold what is said of tensors as \[\[tensor\]\] tables"),
        ("[options]\nmask_code = 'bitmap'", r", \[options\]: 'mask_code' is no option, but values, dtype, .* are"),
        ("[options]\nmatch = 'a'", r", \[options\]: 'match' is no option, but .*"),
        ("[options]\nsparsity = '0.9'", r", \[options\]: sparsity must be a number or None, not '0.9'"),
        ("[options]\nsparsity = true", r", \[options\]: sparsity must be a number or None, not True"),
        ("[options]\nsparsity = 9", r", \[options\]: the sparsity must be between 0 and 1, not 9"),
        ("[options]\nper-row = 1", r", \[options\]: per_row must be True or False, not 1"),
        ("[options]\nmask = 3", r", \[options\]: mask must be a text, the path of a file, not 3"),
        ("[options]\ninclude = [1]", r", \[options\]: include must be patterns of names, not \[1\]"),
        ("[options]\ncode = 'n_in=0'", r", \[options\]: .*n_in.*"),
        ("[options]\nfor = 'speed'", r", \[options\]: goal must be one of storage, .*, not 'speed'"),
        ("[[tensor]]\nscan = 'auto'", r", \[\[tensor\]\] 1: match must be a pattern of tensors' names, not None"),
        ("[[tensor]]\nmatch = 3", r", \[\[tensor\]\] 1: match must be a pattern of tensors' names, not 3"),
        (
            "[[tensor]]\nmatch = 'a'\nencode = 0",
            r", \[\[tensor\]\] 1 \(match 'a'\): encode must be true or false, not 0",
        ),
        (
            "[[tensor]]\nmatch = 'a'\n[[tensor]]\nmatch = 'b'\nseed = 1",
            r", \[\[tensor\]\] 2 \(match 'b'\): seed is an option of the whole call and belongs in \[options\]",
        ),
        (
            "[[tensor]]\nmatch = 'a'\ndtypes = 'int8'",
            r", \[\[tensor\]\] 1 \(match 'a'\): 'dtypes' is no option, but match, encode, dtype, .* are",
        ),
        (
            "[[tensor]]\nmatch = 'a'\nmask-code = 'round'",
            r", \[\[tensor\]\] 1 \(match 'a'\): mask_code must be one of auto, bitmap, book, shaped, not 'round'",
        ),
        (
            "[options]\nfor = 'paper'\n[[tensor]]\nmatch = 'a'\nvalues-code = 'prefix'",
            r", \[\[tensor\]\] 1 \(match 'a'\): values_code must not be prefix where .*",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_that_names_the_table(tmp_path: Path, text: str, message: str) -> None:
    path = options(tmp_path, text)
    with pytest.raises(xw.InputError, match=f"^{path}{message}$") as caught:
        check_options(read_options(path))
    assert "\n" not in str(caught.value)


def test_the_pages_example_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text()
    file = read_options(options(tmp_path, page.partition("```toml\n")[2].partition("```")[0]))
    check_options(file)
    assert [table.match for table in file.tables] == ["*.attention.*", "*.attention.output.*", "*embeddings*"]
    said = {**DEFAULTS, **file.words}
    names = ["layer.attention.query", "layer.attention.output.dense", "embeddings.word", "layer.output"]
    own = own_recipes(said, file.tables, names)
    assert [(own[name].how.sparsity, own[name].how.dtype) for name in names[:2]] == [
        (0.8, "int8"),
        (0.8, "fp16"),
    ]
    assert not own["embeddings.word"].how.takes("embeddings.word") and "layer.output" not in own
    listed = (
        page.partition("those of the whole call (")[2].partition(")")[0].replace("`", "").replace("\n", " ")
    )
    assert listed.split(", ") == [word.option for word in WORDS if not word.of_tensor]


@pytest.mark.parametrize("value", [3, "nothing.toml"])
def test_the_file_must_be_there(model: Path, value: Any) -> None:
    with pytest.raises(xw.InputError, match=r"the options must be a path|there is no file nothing.toml"):
        xw.encode(model, options=value)
