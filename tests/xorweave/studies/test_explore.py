"""The sweep: resumed from what is there, written as table and page; the front against its definition."""

import csv
import html
import json
import re
import shlex
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.browser import dump
from xorweave.cli import main
from xorweave.golden.base.errors import ToolError
from xorweave.golden.code.code import Code
from xorweave.studies.explore import (
    COLUMNS,
    PAGE,
    POINTS,
    TABLE,
    Candidate,
    explore,
    grid,
    pareto,
    read_points,
)
from xorweave.studies.overhead import measure_overhead
from xorweave.synth.decoder_package import synthesize_decoder

POINT = st.fixed_dictionaries({"overhead": st.integers(0, 20), "area": st.integers(0, 20)})


@given(st.lists(POINT, max_size=30), st.booleans())
def test_front_is_what_nothing_beats(points, smaller):
    def beats(a, b):
        sign = 1 if smaller else -1
        better = a["overhead"] <= b["overhead"] and sign * a["area"] <= sign * b["area"]
        return better and (a["overhead"], a["area"]) != (b["overhead"], b["area"])

    front = pareto(points, "overhead", "area", smaller=smaller)
    wanted = {(p["overhead"], p["area"]) for p in points if not any(beats(q, p) for q in points)}
    assert {(p["overhead"], p["area"]) for p in front} == wanted
    assert len(front) == len(wanted)


CODES = ("family=sparse,n_in=4,n_out=30,n_s=1,seed=0,taps=3", "family=paired,n_in=4,n_out=30,n_s=1,seed=0")
CANDIDATES = [
    Candidate(code=CODES[0], sharing="yosys"),
    Candidate(code=CODES[0], sharing="matrix", input_register=True),
    Candidate(code=CODES[1], sharing="matrix", planes=2),
]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of three points that was interrupted after the first."""
    folder = tmp_path_factory.mktemp("sweep")

    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(CANDIDATES, folder, weights=3000, progress=stop)
    first = (folder / POINTS).read_text()
    assert first.count("\n") == 1
    with (folder / TABLE).open() as file:
        assert len(list(csv.DictReader(file))) == 1
    (folder / POINTS).write_text(first + '{"key": "cut sho')
    points = explore(CANDIDATES, folder, weights=3000)
    assert (folder / POINTS).read_text().startswith(first)
    return folder, points


def test_the_correction_stage_is_what_the_sample_needs(sweep):
    _, points = sweep
    for point in points:
        code = Code.from_spec(point["code"])
        kept = measure_overhead(code, weights=3000, tries=4)
        assert point["patches_per_block"] == kept.patches_per_block
        assert (point["patches_per_block"] == 0) == (point["unmatched_bits"] == 0)
    # windows of 8 bits for 3 care bits a block: some block needs more than one
    assert max(point["patches_per_block"] for point in points) > 1


def embedded(page):
    """Return the points inside a page."""
    found = re.search(r"^const points = (.*);$", page, re.MULTILINE)
    assert found
    return json.loads(found[1])


def test_sweep_goes_on_where_it_stopped(sweep):
    folder, points = sweep
    assert [p["key"] for p in points] == [c.key for c in CANDIDATES]
    assert not any("error" in p for p in points)
    with (folder / TABLE).open() as file:
        assert [row["sharing"] for row in csv.DictReader(file)] == ["yosys", "matrix", "matrix"]


def test_page_holds_the_tables_figures_and_asks_nobody(sweep):
    folder, _ = sweep
    page = (folder / PAGE).read_text()
    with (folder / TABLE).open() as file:
        rows = list(csv.DictReader(file))
    shown = [
        {name: "" if point[name] is None else str(point[name]) for name in rows[0]}
        for point in embedded(page)
    ]
    assert shown == rows
    addresses = set(re.findall(r"""(?:https?:)?//[^\s"'<>]+""", page))
    assert {a for a in addresses if "." in a} == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|script|img)[^>]+(href|src)=(?!.?data:)", page)


def test_command_of_a_point_generates_the_decoder_that_was_counted(sweep, tmp_path, monkeypatch):
    _, points = sweep
    for number, point in enumerate(points):
        words = shlex.split(point["command"])
        folder = tmp_path / str(number)
        words[-1] = str(folder)
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
        result = synthesize_decoder(folder, prove=False)
        assert result.outputs_per_cycle == 30 * point["planes"]
        assert result.gate_equivalents / result.outputs_per_cycle == point["gate_equivalents_per_output"]


def test_click_shows_the_command_in_a_browser(sweep, tmp_path):
    folder, points = sweep
    page = (folder / PAGE).read_text()
    click = "document.querySelectorAll('.point')[2].dispatchEvent(new MouseEvent('click'))"
    (tmp_path / "page.html").write_text(page.replace("</html>", f"<script>{click}</script></html>"))
    done = dump(tmp_path / "page.html", tmp_path / "profile")
    assert "CONSOLE" not in done.stderr
    shown = re.search(r"<pre>(.*?)</pre>", done.stdout)
    index = re.search(r'class="point chosen"[^>]*data-index="(\d+)"', done.stdout)
    assert shown and index
    assert html.unescape(shown[1]) == points[int(index[1])]["command"]
    assert done.stdout.count('data-index="') == len(points)


def test_what_cannot_be_measured_is_said_and_left_out(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ToolError("Yosys did not finish in 1 s")

    monkeypatch.setattr("xorweave.studies.explore.synthesize", fail)
    (point,) = explore(CANDIDATES[:1], tmp_path, weights=3000)
    assert point["error"] == "Yosys did not finish in 1 s"
    assert embedded((tmp_path / PAGE).read_text()) == []


def test_grid_has_the_papers_points_and_each_candidate_once():
    candidates = grid(
        n_in=[16], slack=[0.02, 0.021], n_s=[1], families=["paired"], taps=[1, 2], sharing=["matrix"]
    )
    assert [c.code.split(",seed")[0] for c in candidates if c.paper] == [
        f"family=uniform,n_in=8,n_out=80,n_s={history}" for history in (0, 1, 2)
    ]
    assert len({c.key for c in candidates}) == len(candidates)


def test_what_is_no_point_does_not_count(tmp_path) -> None:
    right = {
        "key": "k",
        "code": "c",
        **{name: 1 for name in COLUMNS if name not in ("code", "fmax_mhz")},
        "fmax_mhz": None,
    }
    wrong = [
        1,
        [right],
        {"key": "k2"},
        right | {"key": "k3", "depth": "x"},
        right | {"key": ["k"]},
        right | {"depth": float("nan")},
    ]
    lines = [json.dumps(point) for point in (*wrong, right)] + ["[" * 100_000, '{"key": "cut']
    (tmp_path / POINTS).write_bytes("\n".join(lines).encode() + b"\xff")
    assert read_points(tmp_path / POINTS) == {"k": right}


@pytest.mark.parametrize("name", [POINTS, TABLE, PAGE])
def test_somebody_elses_files_stay(tmp_path, capsys, monkeypatch, name) -> None:
    (tmp_path / name).write_text("mine")
    monkeypatch.setattr(sys, "argv", ["xorweave", "explore", "-o", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert f"{tmp_path / name} is a file of another kind" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_is_no_folder_for_points(tmp_path, capsys, monkeypatch) -> None:
    (tmp_path / "x").write_text("mine")
    monkeypatch.setattr(sys, "argv", ["xorweave", "explore", "-o", str(tmp_path / "x")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"xorweave: {tmp_path / 'x'} must be a folder, but is a file\n"
    assert (tmp_path / "x").read_text() == "mine"
