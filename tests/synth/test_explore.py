"""The sweep: resumed from what is there, written as table and page; the front against its definition."""

import csv
import json

from hypothesis import given
from hypothesis import strategies as st

from xorweave.synth.explore import PAGE, POINTS, TABLE, Candidate, explore, grid, pareto

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


def test_sweep_goes_on_where_it_stopped(tmp_path):
    spec = "family=sparse,n_in=4,n_out=30,n_s=1,seed=0,taps=3"
    candidates = [Candidate(code=spec, sharing=how) for how in ("yosys", "matrix")]
    explore(candidates[:1], tmp_path, weights=3000)
    first = (tmp_path / POINTS).read_text()
    (tmp_path / POINTS).write_text(first + '{"key": "cut sho')
    points = explore(candidates, tmp_path, weights=3000)
    assert (tmp_path / POINTS).read_text().startswith(first)
    assert [p["sharing"] for p in points] == ["yosys", "matrix"]
    with (tmp_path / TABLE).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["code"] for row in rows] == [spec, spec]
    page = (tmp_path / PAGE).read_text()
    assert json.dumps(points) in page and "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_grid_has_the_papers_points_and_each_candidate_once():
    candidates = grid(
        n_in=[16], slack=[0.02, 0.021], n_s=[1], families=["paired"], taps=[1, 2], sharing=["matrix"]
    )
    assert [c.code.split(",seed")[0] for c in candidates if c.paper] == [
        f"family=uniform,n_in=8,n_out=80,n_s={history}" for history in (0, 1, 2)
    ]
    assert len({c.key for c in candidates}) == len(candidates)
