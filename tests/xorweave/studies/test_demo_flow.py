"""The demo's flow on a tiny layer, through every tool; and the sums it checks itself with, against slow ones."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.commands import demo as command
from xorweave.golden.base.errors import InputError, ToolError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.choose.choice import Choice
from xorweave.golden.choose.code_choice import CodeChoice
from xorweave.golden.code.code import Code
from xorweave.golden.files.prepare import Preparation, Prepared, prepare
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.encode import encode_tensor
from xorweave.pages.demo_page import DemoReport, render_report, with_expander
from xorweave.studies import demo_flow, demo_weights
from xorweave.studies.demo_flow import (
    Contender,
    Outcome,
    Plain,
    advice,
    contenders,
    multiply_stream,
    pack_plainly,
    run_form,
    weights_per_block,
)
from xorweave.studies.demo_weights import DemoWeights, NoDownload

INT8 = number_format("int8")


def _layer(rows: int, columns: int, sparsity: float, seed: int = 0) -> Prepared:
    values = np.random.default_rng(seed).standard_normal((rows, columns), np.float32)
    return prepare("layer", Tensor.of(values), Preparation(dtype="int8", sparsity=sparsity))


@settings(max_examples=30, deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 1000))
def test_product_from_the_stream_is_the_dense_product(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(-128, 128, (rows, columns), np.int8)
    mask = rng.random((rows, columns)) < 0.5
    n = rows * columns
    stride = next(s for s in range(max(1, n // 2), n + 1) if np.gcd(s, n) == 1)
    scan = Interleaver(n, stride, int(rng.integers(n))) if n > 1 else Interleaver(n)
    code = Code.uniform(n_in=3, n_out=5, n_s=1, seed=seed)
    encoded = encode_tensor(values, INT8, code, mask=mask, scan=scan)
    vector = rng.integers(-128, 128, columns)
    wanted = [
        sum(int(values[r, c]) * int(vector[c]) for c in range(columns) if mask[r, c]) for r in range(rows)
    ]
    assert multiply_stream(encoded, vector).tolist() == wanted


def test_patches_behind_a_shaped_mask_are_in_the_product() -> None:
    """A kept weight whose mask bit comes out as 0 is there by its patch alone."""
    rng = np.random.default_rng(0)
    floats = rng.standard_normal((96, 384)).astype(np.float32)
    item = prepare("w", Tensor.of(floats), Preparation(dtype="int8", sparsity=0.9))
    encoded = Choice(mask_code="shaped").encode(item.values, item.number_format, item.mask)
    assert (~encoded.mask[encoded.patches.positions]).any()
    vector = rng.integers(-128, 128, 384)
    dense = np.where(item.mask, item.values, 0).astype(np.int64) @ vector
    assert np.array_equal(multiply_stream(encoded, vector), dense)


def test_product_sees_a_wrong_symbol() -> None:
    item = _layer(8, 16, 0.5)
    encoded = encode_tensor(item.values, INT8, Code.uniform(n_in=4, n_out=8, n_s=1), mask=item.mask)
    vector = np.random.default_rng(1).integers(1, 100, 16)
    dense = np.where(item.mask, item.values, 0).astype(np.int64) @ vector
    assert np.array_equal(multiply_stream(encoded, vector), dense)
    encoded.symbols[3, 1] ^= 0x10
    assert not np.array_equal(multiply_stream(encoded, vector), dense)


@settings(max_examples=30, deadline=None)
@given(bits=st.lists(st.booleans(), min_size=1, max_size=60), n_out=st.integers(1, 20))
def test_weights_per_block(bits: list[bool], n_out: int) -> None:
    wanted = [sum(bits[i : i + n_out]) for i in range(0, len(bits), n_out)]
    assert weights_per_block(np.array(bits), n_out).tolist() == wanted


@pytest.mark.parametrize(("sparsity", "n_out"), [(0.6, 20), (0.7, 26), (0.8, 40), (0.9, 80)])
def test_papers_codes_have_the_papers_sizes_and_format(sparsity: float, n_out: int) -> None:
    item = _layer(20, 50, sparsity)
    forms = {form.key: form for form in contenders(seed=3)}
    for n_s in (0, 1, 2):
        stored = forms[f"paper-ns{n_s}"].choice.encode(item.values, INT8, item.mask)
        assert (stored.code.n_in, stored.code.n_out, stored.code.constraint_length) == (
            8,
            n_out,
            8 * (n_s + 1),
        )
        assert stored.scan.spec == "row-major"
        assert stored.correction_format.startswith("paper") and stored.encoder == "viterbi"


def test_contenders_are_the_papers_codes_and_both_goals() -> None:
    forms = contenders()
    assert [form.option for form in forms] == [
        "--code paper,n_s=0",
        "--code paper,n_s=1",
        "--code paper,n_s=2",
        "--for hardware",
        "--for storage",
    ]
    assert [form.choice.goal for form in forms] == ["paper"] * 3 + ["hardware", "storage"]


def test_bitmap_counts_a_bit_a_weight_and_a_word_a_kept_one() -> None:
    item = _layer(16, 24, 0.75)
    plain = pack_plainly(item)
    kept = int(item.mask.sum())
    assert (plain.mask_bits, plain.value_bits) == (16 * 24, 8 * kept)
    assert plain.bits_per_weight == 1 + 8 * kept / (16 * 24)
    assert plain.decoded_equal and plain.over_bound is not None and plain.over_bound > 1


@pytest.fixture(scope="module")
def tiny() -> Prepared:
    return _layer(16, 24, 0.75)


@pytest.fixture(scope="module")
def vector() -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, 24)


@pytest.fixture(scope="module")
def outcome(tiny: Prepared, vector: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    code = CodeChoice(kind="fixed", code=Code.uniform(n_in=2, n_out=8, n_s=1, seed=1))
    contender = Contender(
        key="tiny", label="tiny <code>", option="--code <x>", choice=Choice(goal="paper", code=code)
    )
    return run_form(contender, tiny, vector, tmp_path_factory.mktemp("flow"))


@pytest.fixture(scope="module")
def plain(tiny: Prepared) -> Plain:
    return with_expander(pack_plainly(tiny))


def test_whole_flow(tiny: Prepared, outcome: Outcome) -> None:
    assert outcome.sound and outcome.decoded_equal and outcome.product_equal
    assert outcome.simulation.blocks == outcome.blocks == 16 * 24 // 8
    assert outcome.simulation.mismatches == 0 and outcome.simulation.stall_cycles == 0
    assert outcome.equivalence == "proved" and outcome.reason == ""
    assert outcome.synthesis is not None
    assert outcome.gates_per_weight == outcome.synthesis.gate_equivalents / 8
    assert outcome.kept_per_block.sum() == tiny.mask.sum()
    assert outcome.unmatched_per_block.sum() == outcome.record["unmatched_bits"] > 0
    assert outcome.patches_per_block <= 8


def test_every_bit_of_the_record_is_in_the_bits_a_weight(outcome: Outcome) -> None:
    record = outcome.record
    bits = sum(record[f"{part}_bits"] for part in ("payload", "correction", "mask", "side"))
    assert record["side_bits"] > 0
    assert outcome.bits_per_weight == pytest.approx(bits / (16 * 24), rel=1e-12)


def test_a_synthesis_that_fails_leaves_the_other_figures(
    tiny: Prepared, vector: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(*_args: object, **_options: object) -> None:
        raise ToolError("Yosys ran longer than 1 s")

    monkeypatch.setattr(demo_flow, "synthesize_decoder", late)
    found = run_form(contenders()[2], tiny, vector, tmp_path)
    assert found.sound and found.synthesis is None and found.gates_per_weight is None
    assert (found.equivalence, found.reason) == ("not run", "Yosys ran longer than 1 s")


def _with(outcome: Outcome, label: str, bits: float, gates: float | None) -> Outcome:
    record = {**outcome.record, "bits_per_weight_with_mask": bits, "n_out": 10}
    assert outcome.synthesis is not None
    made = None if gates is None else replace(outcome.synthesis, gate_equivalents=10 * gates)
    return replace(outcome, label=label, record=record, synthesis=made)


def test_advice_names_the_smallest_stream_and_the_smallest_decoder(outcome: Outcome, plain: Plain) -> None:
    bitmap = replace(plain, bits_per_weight=1.8, gates_per_weight=None)
    small, lean = _with(outcome, "small", 0.9, 500.0), _with(outcome, "lean", 1.7, 40.0)
    assert advice([lean, small], bitmap) == (
        "Take small for the fewest bits (0.900 bits a weight, 500 GE for a weight a cycle) and lean for the "
        "smallest decoder (40 GE for a weight a cycle, 1.700 bits); a bitmap with packed values takes 1.800."
    )
    unknown = _with(outcome, "small", 0.9, None)
    assert "small for the fewest bits (0.900 bits a weight, its gates not measured)" in advice(
        [lean, unknown], bitmap
    )
    assert advice([unknown], bitmap).endswith("gates were not measured.")
    assert advice([_with(outcome, "both", 0.9, 3.0), lean], bitmap).startswith(
        "Take both for the fewest bits and the fewest gates (0.900 bits a weight, 3 GE"
    )


class _Links(HTMLParser):
    """Collects what a browser would fetch, and the text of table cells."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.cells: list[str] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_cell = tag == "td"
        if self._in_cell:
            self.cells.append("")
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "action") and not (value or "").startswith("#"):
                self.fetched.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"


def _report(tiny: Prepared, outcomes: list[Outcome], plain: Plain) -> DemoReport:
    return DemoReport(
        source="Input: made up", mask=tiny.mask, n_w=8, outcomes=outcomes, plain=plain, seed=0, seconds=1.0
    )


def test_page_stands_alone_and_shows_the_figures(tiny: Prepared, outcome: Outcome, plain: Plain) -> None:
    page = render_report(_report(tiny, [outcome, outcome], plain))
    links = _Links()
    links.feed(page)
    assert links.fetched == []
    assert not re.search(r"@import|url\((?!#)", page)
    assert "tiny &lt;code&gt;" in page and "<code>," not in page
    for figure in (outcome.bits_per_weight, plain.bits_per_weight):
        assert f"{figure:.3f}" in links.cells
    assert f"{outcome.gates_per_weight:.1f}" in links.cells and "proved" in links.cells
    assert page.index(html.escape(advice([outcome, outcome], plain), quote=False)) < page.index("<table>")
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 3  # errors of each form, and the care bits of the one scan there is
    ids: list[str] = []
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        assert root.attrib["role"] == "img" and len(root.attrib["aria-label"]) > 30
        ids += {e.attrib["id"] for e in root.iter() if "clipPath" in e.tag}
    assert len(ids) == len(set(ids))


def test_page_says_what_was_not_measured(tiny: Prepared, outcome: Outcome, plain: Plain) -> None:
    late = replace(outcome, synthesis=None, reason="time was up")
    links = _Links()
    page = render_report(_report(tiny, [late], replace(plain, gates_per_weight=None)))
    links.feed(page)
    assert links.cells.count("not measured") == 2 and "tiny &lt;code&gt;: time was up." in page
    assert "proved" not in links.cells


def test_page_is_the_same_for_the_same_figures(tiny: Prepared, outcome: Outcome, plain: Plain) -> None:
    report = _report(tiny, [outcome], plain)
    assert render_report(report) == render_report(report)


def test_command_prints_table_and_writes_page(
    tiny: Prepared,
    outcome: Outcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def no_wheel(*_args: object) -> DemoWeights:
        raise NoDownload("no network here")

    small = Tensor.of(np.random.default_rng(0).standard_normal((64, 64), np.float32))
    monkeypatch.setattr(demo_weights, "minilm", no_wheel)
    monkeypatch.setattr(demo_weights, "digits_network", lambda seed: DemoWeights("w", small, "a stand-in"))
    monkeypatch.setattr(demo_flow, "run_all", lambda *_args, **_options: [outcome])
    command.demo(out=tmp_path / "demo")
    said = capsys.readouterr()
    assert said.err == "xorweave: no network here; a small network trained here takes its place.\n"
    assert said.out.startswith("Input: a stand-in: 64 x 64, magnitude-pruned to S = 0.900")
    assert "tiny <code>" in said.out and "0 mismatches" in said.out and "1 of 1 proved" in said.out
    assert (tmp_path / "demo" / "report.html").read_text().startswith("<!doctype html>")
    kept = json.loads((tmp_path / "demo" / "results.json").read_text())
    assert kept["forms"][0]["simulation"]["mismatches"] == 0
    assert kept["bitmap"]["decoded_equal"] is True
    assert said.out.splitlines()[-1] == kept["advice"] and kept["advice"].startswith("Take tiny <code> for")


def test_command_fails_when_a_product_differs(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "w.npy"
    np.save(source, np.random.default_rng(0).standard_normal((64, 64)))
    wrong = replace(outcome, product_equal=False)
    monkeypatch.setattr(demo_flow, "run_all", lambda *_args, **_options: [wrong])
    with pytest.raises(typer.Exit) as stopped:
        command.demo(out=tmp_path / "demo", weights=source)
    assert stopped.value.exit_code == 1
    assert "DIFFERENT with tiny <code>" in capsys.readouterr().out


def test_command_refuses_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        command.demo(out=tmp_path / "demo", weights=tmp_path / "missing.npy")
    with pytest.raises(InputError, match=r"--sparsity must be between 0.5 and 0.98 for the demo, not 1.0"):
        command.demo(out=tmp_path / "demo", sparsity=1.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="must be a folder, but is a file"):
        command.demo(out=tmp_path / "file")
    assert not (tmp_path / "demo").exists()
