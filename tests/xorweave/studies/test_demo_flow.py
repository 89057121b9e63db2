"""The demo's flow on a tiny layer, through every tool; and the sums it checks itself with, against slow ones."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xorweave.commands import demo as command
from xorweave.golden.base.errors import InputError
from xorweave.golden.base.number_format import number_format
from xorweave.golden.code.code import Code
from xorweave.golden.files.prepare import Preparation, Prepared, prepare
from xorweave.golden.files.safetensors_file import Tensor
from xorweave.golden.scan.interleaver import Interleaver
from xorweave.golden.tensor.encode import EncodeOptions, encode_tensor
from xorweave.pages.report import DemoReport, render_report
from xorweave.studies.demo_flow import (
    Contender,
    Outcome,
    care_bits_per_block,
    contenders,
    elimination_code,
    multiply_stream,
    paper_code,
    run_code,
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
def test_care_bits_per_block(bits: list[bool], n_out: int) -> None:
    wanted = [sum(bits[i : i + n_out]) for i in range(0, len(bits), n_out)]
    assert care_bits_per_block(np.array(bits), n_out).tolist() == wanted


@pytest.mark.parametrize(("sparsity", "n_out"), [(0.6, 20), (0.7, 26), (0.8, 40), (0.9, 80)])
def test_paper_code_has_the_papers_sizes(sparsity: float, n_out: int) -> None:
    code = paper_code(2, sparsity, seed=0)
    assert (code.n_in, code.n_out, code.constraint_length) == (8, n_out, 24)


def test_elimination_code_leaves_nothing_unmatched_when_it_can() -> None:
    item = _layer(128, 128, 0.9)
    code, scan, tried = elimination_code(item, seed=0)
    assert code.constraint_length >= 128 and tried >= 1
    encoded = encode_tensor(
        item.values, INT8, code, mask=item.mask, scan=scan, options=EncodeOptions(encoder="elimination")
    )
    # 64 tries: either one was clean, and was taken at once, or all were made
    assert encoded.patches.positions.size == 0 or tried == 64
    # a generator of full rate pays: less than the dense layer by far
    assert encoded.symbols.size * 8 < 0.12 * item.values.size * 8


def test_contenders_are_the_papers_codes_and_one_more() -> None:
    codes, _tried = contenders(_layer(64, 64, 0.9), 0.9, seed=3)
    assert [c.encode["code"].n_s for c in codes[:4]] == [0, 1, 2, 2]
    assert all(c.encode["code"].n_out == 80 for c in codes[:4])
    assert all(c.encode["interleaver"] == codes[4].encode["interleaver"] for c in codes[:3])
    assert "interleaver" not in codes[3].encode
    assert len({c.key for c in codes}) == 5


@pytest.fixture(scope="module")
def tiny() -> Prepared:
    return _layer(16, 24, 0.75)


@pytest.fixture(scope="module")
def outcome(tiny: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    code = Code.uniform(n_in=2, n_out=8, n_s=1, seed=1)
    contender = Contender(key="tiny", label="tiny <code>", encode={"code": code, "corrections": "paper"})
    vector = np.random.default_rng(0).integers(-128, 128, 24)
    return run_code(contender, tiny, vector, tmp_path_factory.mktemp("flow"))


def test_whole_flow(tiny: Prepared, outcome: Outcome) -> None:
    assert outcome.sound and outcome.decoded_equal and outcome.product_equal
    assert outcome.simulation.blocks == 16 * 24 // 8
    assert outcome.simulation.mismatches == 0 and outcome.simulation.stall_cycles == 0
    assert (outcome.core.equivalence, outcome.whole.equivalence) == ("proved", "proved")
    assert outcome.core.gate_equivalents < outcome.whole.gate_equivalents
    assert outcome.kept_per_block.sum() == tiny.mask.sum()
    assert outcome.unmatched_per_block.sum() == outcome.record["unmatched_bits"] > 0
    assert outcome.patches_per_block <= 8


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


def _report(tiny: Prepared, outcomes: list[Outcome]) -> DemoReport:
    return DemoReport(
        source="Input: made up", mask=tiny.mask, n_w=8, outcomes=outcomes, tried=1, seed=0, seconds=1.0
    )


def test_page_stands_alone_and_shows_the_figures(tiny: Prepared, outcome: Outcome) -> None:
    page = render_report(_report(tiny, [outcome, outcome]))
    links = _Links()
    links.feed(page)
    assert links.fetched == []
    assert not re.search(r"@import|url\((?!#)", page)
    assert "tiny &lt;code&gt;" in page and "<code>," not in page
    assert f"{100 * outcome.record['efficiency']:.3f} %" in links.cells
    assert f"{outcome.whole.bits_per_cycle_per_kge:.1f}" in links.cells
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(pictures) == 4
    ids: list[str] = []
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        ids += {e.attrib["id"] for e in root.iter() if "clipPath" in e.tag}
    assert len(ids) == len(set(ids))


def test_page_is_the_same_for_the_same_figures(tiny: Prepared, outcome: Outcome) -> None:
    report = _report(tiny, [outcome])
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
    monkeypatch.setattr(command, "minilm", no_wheel)
    monkeypatch.setattr(command, "digits_network", lambda seed: DemoWeights("w", small, "a stand-in"))
    monkeypatch.setattr(command, "run_all", lambda *_args, **_options: [outcome])
    command.demo(out=tmp_path / "demo")
    said = capsys.readouterr()
    assert said.err == "no network here; a small network trained here takes its place.\n"
    assert said.out.startswith("Input: a stand-in: 64 x 64, magnitude-pruned to S = 0.900")
    assert "tiny <code>" in said.out and "0 mismatches" in said.out and "2 of 2 proved" in said.out
    assert (tmp_path / "demo" / "report.html").read_text().startswith("<!doctype html>")
    kept = json.loads((tmp_path / "demo" / "results.json").read_text())
    assert kept["codes"][0]["simulation"]["mismatches"] == 0


def test_command_fails_when_a_product_differs(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import dataclasses

    import typer

    source = tmp_path / "w.npy"
    np.save(source, np.random.default_rng(0).standard_normal((64, 64)))
    wrong = dataclasses.replace(outcome, product_equal=False)
    monkeypatch.setattr(command, "run_all", lambda *_args, **_options: [wrong])
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
