"""Every figure in README.md, derived again: from the library, or from the records that the docs' commands made."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import xorweave as xw
from xorweave.studies.demo_weights import WHEEL, cache_folder

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GRAPH = "graph-128-1225-k256"


def _python() -> str:
    """The oldest Python that the package takes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["requires-python"]).removeprefix(">=")


def _wheel() -> str:
    """Megabytes of the wheel that the demo fetches."""
    kept = cache_folder() / WHEEL
    if not kept.is_file():
        pytest.skip(f"{WHEEL} is not here: its size is not looked at")
    return f"{kept.stat().st_size / 1e6:.0f}"


def _generic_rows() -> list[list[str]]:
    """The rows of the table of throughput per gate in docs/figures.md, in generic gates."""
    return [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in (ROOT / "docs" / "figures.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| generic |")
    ]


def _over_the_flat_decoder(named: str = "graph 128 to 1225") -> str:
    """Ratio of a graph code to the paper's in the table of docs/figures.md, made from its other columns."""
    rows = _generic_rows()
    paper = next(row for row in rows if row[1].endswith("(the paper)"))
    graph = next(row for row in rows if row[1].startswith(named))
    ratio = float(graph[5]) / float(paper[5])  # bits per cycle and kGE
    assert ratio == pytest.approx(float(graph[6]), abs=0.01) and graph[3] == "0"
    return f"{ratio:.2f}"


def _over_the_optimised_decoder(named: str = "graph 128 to 1225") -> str:
    """The same over the paper's decoder with its network optimised as ours is, mapped and proved alike."""
    paper, graph = (
        next(row for row in _generic_rows() if name in row[1]) for name in ("optimised as ours", named)
    )
    assert paper[-1] == graph[-1] == "proved"
    return f"{float(graph[5]) / float(paper[5]):.1f}"


def _sparsity_without_corrections() -> str:
    """The sparsity at which the graph code leaves nothing to correct; a hundredth less, and it cannot."""
    weights = np.random.default_rng(0).standard_normal((512, 512), np.float32)
    figures = xw.encode(weights, sparsity=0.9, error_free=True, dtype="int8", code=GRAPH)["weights"].figures
    assert figures.unmatched_bits == figures.correction_bits == 0
    with pytest.raises(xw.InputError, match="weights unmatched"):
        xw.encode(weights, sparsity=0.89, error_free=True, dtype="int8", code=GRAPH)
    return ".9"


def _gpu() -> str:
    """The GPUs of the committed records."""
    records = sorted((ROOT / "benchmarks" / "results").glob("spmv_gpu_*.jsonl"))
    devices = [json.loads(record.read_text().splitlines()[0])["device"]["gpu"] for record in records]
    return " and an ".join(device.split()[1] for device in devices)


#: What README.md says, its figure in brackets, and where the figure comes from.
FIGURES: dict[str, Callable[[], str]] = {
    r"need `python3` \((\S+) or newer\)": _python,
    r"fetches an (\d+) MB wheel": _wheel,
    r"without a correction stage for S = (\.\d+)": _sparsity_without_corrections,
    r"(\d+\.\d+) times the outputs per cycle\s+and gate of the paper's decoder written flat": _over_the_flat_decoder,
    r"(\d+\.\d+) times\s+those of one optimised with the same tools": _over_the_optimised_decoder,
    r"makes that (\d+\.\d+) and \S+ times": partial(_over_the_flat_decoder, "graph 512 to 4876"),
    r"makes that \S+ and (\d+\.\d+) times": partial(_over_the_optimised_decoder, "graph 512 to 4876"),
    r"measured on an (H\d+ and an H\d+)": _gpu,
}

#: Numbers that are names: papers, patents, licences.
NAMES = ("2022", "2105.01869", "2022/0114454", "12,314,859", "2.0")


@pytest.mark.parametrize("said", FIGURES)
def test_a_figure_is_derived_again(said: str) -> None:
    found = re.search(said, README)
    assert found, "README.md no longer says this: take it from the list, or put what it says now there"
    assert found[1] == FIGURES[said]()


def test_no_figure_stands_in_the_readme_without_a_test() -> None:
    prose = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ {4}.*$", "", prose, flags=re.MULTILINE)  # commands
    for said in FIGURES:
        prose = re.sub(said, "", prose)
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", prose)
    numbers = re.findall(r"(?<![\w.])\.?\d[\d.,/]*\d|(?<![\w.])\d(?!\w)", prose)
    assert [number for number in numbers if number not in NAMES] == []
