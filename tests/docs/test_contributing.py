"""The contributor's path: what docs/contributing.md names is there, and what it says is all that it takes.

A family, a value coder with its hardware and a scan are put into the tables that the page names, and nowhere else; then
they are encoded, read back from a file, decoded, generated and simulated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import xorweave as xw
from xorweave.golden.base.number_format import NumberFormat, Words
from xorweave.golden.choose.book_choice import CodedValues
from xorweave.golden.choose.values_choice import CHOOSERS, with_codes
from xorweave.golden.code import generators
from xorweave.golden.files.value_fields import VALUES, ValueFields
from xorweave.golden.scan.spec import SCANS, ScanKind, matrix_shape
from xorweave.hw.stages.word_kinds import WORD_KINDS
from xorweave.sim.simulators import available

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
FORMAT = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")

needs_verilator = pytest.mark.skipif(not available("verilator"), reason="verilator is not installed")


# -- what the page names ---------------------------------------------------------------------------------------------
def _files() -> list[str]:
    """The paths in backticks, without those that a contributor makes."""
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*\w)`", PAGE)
    return sorted({path for path in named if "NAME" not in path})


def test_every_file_that_the_page_names_is_there() -> None:
    assert len(_files()) > 40
    assert [path for path in _files() if not (ROOT / path).exists()] == []


def test_every_table_that_the_page_names_is_in_that_file() -> None:
    named = re.findall(r"`(\w+)`\s+(?:in|of)\s+`([\w/]+\.py)`", PAGE)
    assert {"FAMILIES", "VALUES", "CHOOSERS", "SCANS", "WORD_KINDS", "DECODER", "_ALIKE"} <= {
        n for n, _ in named
    }
    for name, path in named:
        defined = rf"^\s*(?:def |class )?{name}\b(?=[:( ])"
        assert re.search(defined, (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), (name, path)


def test_the_format_says_every_number() -> None:
    for number, name in enumerate(("custom", *generators.FAMILIES)):
        assert re.search(rf"byte family \([^)]*\b{number} {name}\b", FORMAT)
    for number, name in enumerate(SCANS):
        assert re.search(rf"bits 0-2 scan \([^)]*\b{number} {name}\b", FORMAT)
    for number, name in enumerate(VALUES):
        said = rf"(value coder \([^)]*|fields follow instead: [^|]*)\b{number} {name}\b"
        assert re.search(said, FORMAT)
    assert len(SCANS) <= 8  # three bits


# -- what is added -----------------------------------------------------------------------------------------------------
def _turned(*, n_in: int, n_out: int, n_s: int, seed: int, weight: int = 5) -> NDArray[np.uint8]:
    """Row r is a seeded row turned by r columns."""
    ones = np.random.default_rng(seed).permutation(n_in * (n_s + 1))[:weight]
    matrix = np.zeros((n_out, n_in * (n_s + 1)), np.uint8)
    for row in range(n_out):
        matrix[row, (ones + row) % matrix.shape[1]] = 1
    return matrix


@dataclass(frozen=True)
class _Halves:
    """A plane says whether the high half of a word is more than the sign of the low one: only then it is care bits."""

    n_w: int
    low: int
    kind = "halves"

    @property
    def planes(self) -> int:
        return self.n_w + 1

    @property
    def spans(self) -> list[tuple[int, int]]:
        return [(0, 1 + self.low), (1 + self.low, 1 + self.n_w)]

    def targets(
        self, words: Words, kept: NDArray[np.bool_]
    ) -> tuple[NDArray[np.uint64], list[NDArray[np.bool_]]]:
        wide, high = words.astype(np.uint64), self.n_w - self.low
        above = wide >> np.uint64(self.low - 1)
        large = (above != 0) & (above != (1 << high + 1) - 1)
        low = wide & np.uint64((1 << self.low) - 1)
        planes = (
            large.astype(np.uint64) << np.uint64(self.n_w)
            | low << np.uint64(high)
            | wide >> np.uint64(self.low)
        )
        return planes, [kept, kept & large]

    def words_of(self, planes: NDArray[np.unsignedinteger], word: np.dtype) -> Words:
        wide, high = planes.astype(np.uint64), self.n_w - self.low
        low = wide >> np.uint64(high) & np.uint64((1 << self.low) - 1)
        ones = np.uint64((1 << high) - 1)
        above = np.where(
            wide >> np.uint64(self.n_w) != 0, wide & ones, (low >> np.uint64(self.low - 1)) * ones
        )
        return (above << np.uint64(self.low) | low).astype(word)


def _choose_halves(
    words: Words, kept: NDArray[np.bool_], number_format: NumberFormat, **settled: Any
) -> CodedValues | None:
    half = _Halves(number_format.n_w, number_format.n_w // 2)
    return with_codes(half, words, kept, number_format, **settled)


@dataclass(frozen=True)
class _HalvesWords:
    """Its hardware: a multiplexer a bit of the high half."""

    coder: _Halves
    plain = False
    gates = 9.0

    @property
    def n_w(self) -> int:
        return self.coder.n_w

    @property
    def planes(self) -> int:
        return self.coder.planes

    def entry(self) -> dict[str, Any]:
        return {"words": "halves"}

    def stages(self) -> list[str]:
        return ["halves"]

    def connect(self, m: Any, block: Any, n_out: int, inversion: Any, keep: Any, care: Any = None) -> Any:
        from amaranth.hdl import Cat, Mux
        from amaranth.lib import stream

        from xorweave.hw.stages.layouts import block_layout

        whole = stream.Signature(block_layout(n_out, self.n_w)).create(path=("halves",))
        high, words = self.n_w - self.coder.low, []
        for r in range(n_out):
            planes = block.p.words[r * self.planes : (r + 1) * self.planes]
            low = planes[high : self.n_w]
            words += [low, Mux(planes[self.n_w], planes[:high], low[-1].replicate(high))]
        m.d.comb += [
            whole.p.words.eq(Cat(words)),
            whole.p.first.eq(block.p.first),
            whole.p.last.eq(block.p.last),
            whole.valid.eq(block.valid),
            block.ready.eq(whole.ready),
        ]
        return whole


@dataclass(frozen=True)
class _Columns:
    """Column after column."""

    rows: int
    cols: int
    spec = "columns"

    @property
    def n(self) -> int:
        return self.rows * self.cols

    @property
    def length(self) -> int:
        return self.n

    def to_scan(self, flat: NDArray) -> NDArray:
        return flat.reshape(self.rows, self.cols).T.reshape(-1)

    def from_scan(self, scanned: NDArray) -> NDArray:
        return scanned.reshape(self.cols, self.rows).T.reshape(-1)

    def positions(self, start: int = 0, stop: int | None = None) -> NDArray:
        at = np.arange(start, self.n if stop is None else stop)
        return at % self.rows * self.cols + at // self.rows

    def places(self, elements: NDArray) -> NDArray:
        return elements % self.cols * self.rows + elements // self.cols


def _columns(shape: Sequence[int]) -> _Columns:
    return _Columns(*matrix_shape(shape))


# -- and what becomes of it --------------------------------------------------------------------------------------------
def _through_a_file(tmp_path: Path, **words: Any) -> xw.StoredTensor:
    """Encode, save, open and decode; compare with what was to be stored."""
    weights = np.random.default_rng(1).standard_normal((24, 40))
    integers = np.rint(weights * 30).astype(np.int8)
    integers[np.random.default_rng(2).random(integers.shape) > 0.2] = 0
    xw.encode(integers, **words).save(tmp_path / "w.safetensors")
    stored = xw.open(tmp_path / "w.safetensors")["weights"]
    assert np.array_equal(stored.decode(), integers)
    assert np.array_equal(stored.rows(5, 9), integers[5:9])
    assert np.array_equal(stored @ np.arange(40), integers @ np.arange(40))
    return stored


def _simulated(stored: xw.StoredTensor, folder: Path) -> None:
    xw.decoder(stored).write(folder, vectors=stored)
    result = xw.simulate(folder, stalls="random", restarts=True)
    assert (result.mismatches, result.stall_cycles) == (0, 0)


@needs_verilator
def test_a_family_takes_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(xw.InputError, match="the generator family must be one of"):
        _through_a_file(tmp_path, code="family=turned,n_in=8,n_out=30,n_s=2")
    monkeypatch.setitem(generators.FAMILIES, "turned", _turned)
    stored = _through_a_file(tmp_path, code="family=turned,n_in=8,n_out=30,n_s=2,weight=7")
    _simulated(stored, tmp_path / "decoder")


@pytest.mark.parametrize("mask_code", ["bitmap", "shaped"])
def test_a_value_coder_takes_two_tables(
    mask_code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ", ".join(["auto", *CHOOSERS])
    with pytest.raises(xw.InputError, match=f"values_code must be one of {known}, not 'halves'"):
        _through_a_file(tmp_path, values_code="halves")
    fields = ValueFields(
        lambda head, values: head.varint(values.low), lambda head, n_w: _Halves(n_w, head.varint(n_w))
    )
    monkeypatch.setitem(VALUES, "halves", fields)
    monkeypatch.setitem(CHOOSERS, "halves", _choose_halves)
    stored = _through_a_file(tmp_path, values_code="halves", mask_code=mask_code)
    with pytest.raises(xw.InputError, match=r"values coded as raw\b.*\bprefix\b.*, not halves"):
        xw.decoder(stored)
    if mask_code == "shaped" and available("verilator"):
        monkeypatch.setitem(WORD_KINDS, "halves", _HalvesWords)
        _simulated(stored, tmp_path / "decoder")


def test_a_file_of_an_unknown_value_coder_is_refused(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fields = ValueFields(lambda head, values: None, lambda head, n_w: _Halves(n_w, 4))
        patch.setitem(VALUES, "halves", fields)
        patch.setitem(CHOOSERS, "halves", _choose_halves)
        _through_a_file(tmp_path, values_code="halves", mask_code="bitmap")
    number = len(VALUES)
    with pytest.raises(xw.InputError, match=f"must be numbered 0 to {number - 1}, not {number}"):
        xw.open(tmp_path / "w.safetensors")["weights"].decode()


def test_a_scan_takes_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCANS, "columns", ScanKind((), _columns, usual=_columns))
    for words in ({}, {"goal": "hardware"}, {"goal": "paper"}, {"code": "n_in=8,n_out=40,n_s=2"}):
        assert _through_a_file(tmp_path, scan="columns", **words).tensor.scan == _Columns(24, 40)
    with pytest.raises(xw.InputError, match="no hardware that walks the scan columns"):
        xw.decoder(_through_a_file(tmp_path, scan="columns")).write(tmp_path / "decoder")
